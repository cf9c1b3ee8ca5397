"""From posed frames to 3D: a fused point cloud and the folders that other tools read."""
