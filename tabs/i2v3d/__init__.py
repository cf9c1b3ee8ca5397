"""The I2V3D tab."""
