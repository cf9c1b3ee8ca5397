"""Depth maps from user files, in any unit and from any program: `read_depth_map` in `pipelines.media.depth_map.read`."""
