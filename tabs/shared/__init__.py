"""What stands once on the page, for all methods: picture, move, stage, rehearsal, files."""
