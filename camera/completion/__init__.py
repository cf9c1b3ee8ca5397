"""What a move will see of a scene that its pictures do not show: a second layer, completed once for all frames."""
