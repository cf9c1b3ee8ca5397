"""Exports opened in other programs."""
