"""Cameras and surfaces recovered from frames, against ground truth."""
