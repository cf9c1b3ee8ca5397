"""Clips as players show them: when each frame is shown, and how."""
