"""Run a shot step by step: print progress and stop early; closing the iterator cancels the run."""

import reshoot
from pipelines.method import Progress

scene = reshoot.open_picture("examples/still_life/colour.jpg", depth="guess")
path = reshoot.film_path("dolly 0.3", scene, frames=9)
steps = reshoot.shoot.steps("dualcamctrl", scene, path, steps=20, weights="tiny")
for item in steps:
    if isinstance(item, Progress):
        print(f"{item.phase} {item.step} of {item.steps}")
    if isinstance(item, Progress) and item.phase == "Denoising" and item.step == 2:
        steps.close()
