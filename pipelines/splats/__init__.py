"""Gaussian splats: data, files, renderers, and scenes made of them."""
