"""Exports: the control pack, and the scene with its camera."""
