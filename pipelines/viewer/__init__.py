"""A single HTML file that shows points, a mesh or splats and plays a camera path over them, offline."""
