"""The 3D scene of I2V3D: coarse renders, project files, Blender script."""
