"""What may follow a DimensionX clip: interpolation, upscaling, animation."""
