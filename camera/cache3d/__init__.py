"""The 3D cache of GEN3C and the alignment of depth maps."""
