"""The DimensionX tab."""
