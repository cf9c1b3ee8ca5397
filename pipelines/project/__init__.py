"""A project as a value, independent of the page: its content, its framing for a method, and its file."""
