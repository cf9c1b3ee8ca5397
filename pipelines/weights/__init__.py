"""Checkpoints: download, cache, strict loading, shared components."""
