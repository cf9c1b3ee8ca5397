"""I2V3D: turns a scene and a camera move into coarse renders, keyframes, and a video between the keyframes."""
