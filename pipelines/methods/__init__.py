"""One folder per method. No method imports another."""
