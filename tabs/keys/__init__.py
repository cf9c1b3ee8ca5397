"""The keys of a move in the page: the timeline's requests and their answers."""
