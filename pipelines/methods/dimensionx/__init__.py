"""DimensionX: camera directors as LoRAs of CogVideoX (Sun et al., 2024, arXiv 2411.04928)."""
