"""LoRAs of CogVideoX: reading every layout people have, and training new ones."""
