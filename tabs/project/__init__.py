"""The visitor's project: scene, move, settings and their history. Values only; nothing here makes a page."""
