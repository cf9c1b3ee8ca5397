"""Camera LoRAs ("directors") of DimensionX: files, layouts, matching to a path."""
