"""The control pack: pictures, depth, flow, tracks and cameras of one scene and one move for other video models, in one zip."""
