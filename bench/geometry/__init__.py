"""Cameras and surfaces recovered from frames, against the truth."""
