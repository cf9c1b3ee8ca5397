"""Camera moves by name: film moves for every method, and each method's own presets."""
