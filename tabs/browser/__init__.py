"""HTML components with scripts of their own, which run in the browser."""
