"""Phase 3 of I2V3D: SVD interpolates between keyframes."""
