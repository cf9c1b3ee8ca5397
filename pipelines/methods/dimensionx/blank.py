"""The placeholder scene of text to video, which has no picture."""

from __future__ import annotations

import numpy as np

from camera.path import pinhole
from camera.view import Scene, View

WIDTH, HEIGHT, FOV_DEGREES = 720, 480, 55
NO_PICTURE = "no picture"


def blank() -> Scene:
    """A grey picture one unit away, with the default lens of pictures of unknown origin."""
    colour = np.full((HEIGHT, WIDTH, 3), 127, dtype=np.uint8)
    view = View.of(colour, np.ones(colour.shape[:2], dtype=np.float32), pinhole(WIDTH, HEIGHT, FOV_DEGREES))
    return Scene((view,), source=NO_PICTURE, name="words alone")


def is_blank(scene: Scene) -> bool:
    return scene.source == NO_PICTURE
