"""A small scene to shoot and the tiny networks to shoot it with."""

import numpy as np
import pytest

from camera.path import pinhole
from camera.view import Scene, View
from pipelines.runtime.weights import Weights

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A textured wall with a nearer box, 96 x 64."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    colour = np.stack([x * 2 % 256, y * 4 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)
    depth = np.full((HEIGHT, WIDTH), 3.0, np.float32)
    depth[20:44, 36:60] = 2.0
    return Scene((View.of(colour, depth, pinhole(WIDTH, HEIGHT, 60)),), name="box")


@pytest.fixture(scope="session")
def tiny_pipeline():
    from pipelines.gen3c.pipeline import load

    return load(Weights(mode="tiny", device="cpu"))
