"""Finished shots as files: mp4 with its record, depth, posed folders."""
