"""Objects in a scene: models, their files, placement."""
