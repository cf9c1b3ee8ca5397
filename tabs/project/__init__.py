"""The visitor's project: scene, move, settings and their history. Only values; nothing here makes a page."""
