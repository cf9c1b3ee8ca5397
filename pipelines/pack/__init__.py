"""The control pack: one scene and one move as pictures, depth, flow, tracks and cameras for other video models, in one zip."""
