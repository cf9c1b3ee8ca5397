"""HTML components with their own scripts, which run in the browser."""
