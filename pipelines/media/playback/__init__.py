"""Clips as players show them: timing and orientation of frames."""
