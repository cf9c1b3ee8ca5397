"""Clips with depth and cameras from other reconstruction programs."""
