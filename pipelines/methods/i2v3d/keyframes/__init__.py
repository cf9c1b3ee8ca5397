"""Phase 2 of I2V3D: generates keyframes with SDXL."""
