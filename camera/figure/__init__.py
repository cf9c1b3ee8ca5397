"""Plotly figures of paths and objects."""
