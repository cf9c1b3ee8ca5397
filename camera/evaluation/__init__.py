"""Distances between an achieved and a requested camera path, in the metrics that papers report."""
