"""Completion of disoccluded background: a second layer, computed once for all frames."""
