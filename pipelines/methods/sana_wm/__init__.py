"""SANA-WM, a camera-conditioned world model: turns a picture, text and a path into a video. Uses diffusers' own networks."""
