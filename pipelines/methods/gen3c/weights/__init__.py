"""Loading and conversion of GEN3C checkpoints."""
