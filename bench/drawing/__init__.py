"""Renderers and what they draw, against readable references and against the truth."""
