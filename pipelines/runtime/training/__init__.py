"""Trainings as jobs of the device, in the foreground or the background."""

from camera._moved import attributes

__getattr__ = attributes("pipelines.runtime.training", "job")
