"""The GEN3C tab."""
