"""LoRAs of CogVideoX: reading all known layouts, and training new ones."""
