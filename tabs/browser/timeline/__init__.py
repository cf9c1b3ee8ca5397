"""The timeline: keys of a camera move, drawn and edited by the page."""
