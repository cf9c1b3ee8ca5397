"""Did the shot follow its move: the take report under every result, and for any video that is dropped."""
