"""What a visitor waits for, and what a page in a real Chromium costs."""
