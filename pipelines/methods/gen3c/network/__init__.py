"""Networks of GEN3C: transformer, tokenizer latents and tiles, text encoder."""
