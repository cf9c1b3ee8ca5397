"""Readers of what a person brings: pictures, clips, posed views, data sets."""
