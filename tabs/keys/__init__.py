"""The keys of a move in the page: what the timeline asks for, and what is answered."""
