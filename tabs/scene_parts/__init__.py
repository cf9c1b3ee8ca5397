"""Edits of the scene itself: removing, moving and duplicating parts."""
