"""Depth maps from people's files, in any unit and from any writer: `read_depth_map` in `pipelines.media.depth_map.read`."""
