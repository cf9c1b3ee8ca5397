"""Benchmarks of renderers against readable references and ground truth."""
