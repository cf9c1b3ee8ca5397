"""Phase 1 of I2V3D: learning the subject as a LoRA of SDXL."""
