"""Preview a camera move, written as text, over a picture: takes seconds on any computer, without weights."""

import reshoot

scene = reshoot.open_picture("examples/still_life/colour.jpg", depth="guess")  # or depth="depth-anything-v2-small"
path = reshoot.film_path("arc 20 ease; hold 1s", scene, frames=49)
rehearsal = reshoot.rehearse(scene, path, side=640).save("outputs/rehearsal.mp4")
print(rehearsal.summary)
