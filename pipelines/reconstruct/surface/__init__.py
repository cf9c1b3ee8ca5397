"""Meshes from posed depth: fusion, Poisson, textures."""
