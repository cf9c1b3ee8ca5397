"""Trainings as jobs of the device, in the foreground or the background."""
