"""Readers of input files: pictures, clips, posed views, data sets."""
