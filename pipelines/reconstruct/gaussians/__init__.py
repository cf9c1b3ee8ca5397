"""Gaussian splats: fitting, drawing, files."""
