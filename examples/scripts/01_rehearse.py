"""A picture, a move in words, and what the camera would see: seconds on any computer, no weights."""

import reshoot

scene = reshoot.open_picture("examples/still_life/colour.jpg", depth="guess")  # or depth="depth-anything-v2-small"
path = reshoot.film_path("arc 20 ease; hold 1s", scene, frames=49)
rehearsal = reshoot.rehearse(scene, path, side=640).save("outputs/rehearsal.mp4")
print(rehearsal.summary)
