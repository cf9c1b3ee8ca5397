"""What leaves the page: the control pack, and the scene with its camera."""
