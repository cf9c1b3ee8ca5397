"""Networks of DimensionX, their loading and conversion."""
