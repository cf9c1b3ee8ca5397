"""The timeline: the page draws and edits the keys of a camera move."""
