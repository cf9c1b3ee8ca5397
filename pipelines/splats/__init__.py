"""Gaussian splats: what they are, their files, how they are drawn, and a scene made of them."""
