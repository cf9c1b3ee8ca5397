"""Estimators: depth, camera poses, feature matches, tracks."""
