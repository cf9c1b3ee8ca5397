"""I2V3D: a scene and a camera move to coarse renders, keyframes and a video between them."""
