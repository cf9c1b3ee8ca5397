"""Several moves over one scene: shots, cuts, and files for editing programs."""
