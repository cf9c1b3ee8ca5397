"""A project as a value without a page: what it holds, what a method makes of it, and its file."""
