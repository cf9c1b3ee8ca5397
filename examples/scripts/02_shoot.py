"""Shoot the same move with a method. Tiny random weights: the pipeline is real, the output is noise. Leave them out for real ones."""

import reshoot

scene = reshoot.open_picture("examples/still_life/colour.jpg", depth="guess")
path = reshoot.film_path("arc 20 ease", scene, frames=9)
clip = reshoot.shoot("gen3c", scene, path, seed=1, steps=2, weights="tiny")
print(*clip.notes, sep="\n")
print(clip.save("outputs/shot.mp4").video, clip.report.sentence())
