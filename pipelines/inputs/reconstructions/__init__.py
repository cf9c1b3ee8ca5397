"""Clips with depth and cameras as other programs reconstruct them."""
