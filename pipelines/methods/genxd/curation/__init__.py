"""Converts a plain video to an entry of CamVid-30K."""
