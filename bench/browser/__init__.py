"""Benchmarks of visitors' waiting times, and of the cost of a page in a real Chromium."""
