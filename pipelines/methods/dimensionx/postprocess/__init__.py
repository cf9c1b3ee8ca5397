"""Post-processing of DimensionX clips: interpolation, upscaling, animation."""
