"""Did the shot follow its move? The take report under every result and for any uploaded video."""
