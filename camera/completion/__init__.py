"""Completion of what a move reveals and no picture shows: a second layer, computed once for all frames."""
