"""Images and videos as files, and metrics between them."""
