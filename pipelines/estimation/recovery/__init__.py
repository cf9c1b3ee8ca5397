"""Estimates a clip's camera quickly: few pixels, few mapped keyframes, all frames in one bundle adjustment."""
