"""Finished shots as files: mp4 with its record, depth, posed folders."""

from camera._moved import attributes

__getattr__ = attributes("pipelines.results", "record")
