"""Phase 2 of I2V3D: keyframes painted with SDXL."""
