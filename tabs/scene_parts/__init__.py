"""Edits of the scene itself: parts that are removed, moved and duplicated."""
