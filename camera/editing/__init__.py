"""Keyed camera moves and their edits: every edit is a function from a move to a new move."""
