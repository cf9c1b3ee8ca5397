"""Camera moves as keys that people edit: every edit is a function from a move to a new move."""
