"""Parts of the page that all methods share: picture, move, stage, rehearsal, files."""
