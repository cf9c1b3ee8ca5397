"""The reversed twin of a camera path: through a narrow view, near and far can be exchanged if the turns are too.

Under a parallel projection a scene whose depth is mirrored, filmed by a camera that turns about it the other way, gives the very
same pictures (Necker's cube; Koenderink and van Doorn 1991). A long lens is nearly parallel, so that bundle adjustment can end
in the wrong one of the two. Perspective tells them apart, if only by a little: both are adjusted, and the better one is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.estimation.recovery.adjust import Adjusted, Cameras, adjust
from pipelines.estimation.recovery.follow import Sightings

ROUNDS = 5
"""Steps after which the twin must be the better one to be followed further."""


def take_better(done: Adjusted, seen: Sightings, free: NDArray[np.float64]) -> Adjusted:
    """``done`` or its adjusted reversed twin, whichever costs less; ``seen`` and ``free`` as `adjust` had them."""
    cameras, points = reverse_depth(done.cameras, done.points)
    twin = adjust(cameras, points, seen, free, rounds=ROUNDS)
    return adjust(twin.cameras, twin.points, seen, free) if twin.cost < done.cost else done


def reverse_depth(cameras: Cameras, points: NDArray[np.float64]) -> tuple[Cameras, NDArray[np.float64]]:
    """Points (P,3) mirrored along the first camera's axis about the middle of them, and the cameras that show them so.

    The first camera stays where it is and shows every point where it did. Distances are mirrored as inverse depths, so that
    no point comes behind the camera.
    """
    turn, shift = cameras.turn[0], cameras.shift[0]
    local = points @ turn.T + shift
    inverse = 1 / np.maximum(local[:, 2], 1e-6)
    mirrored = np.maximum(2 * np.median(inverse) - inverse, 0.1 * np.median(inverse))
    local = local / local[:, 2:] / mirrored[:, None]
    middle = (np.median(points @ turn.T + shift, axis=0) - shift) @ turn
    flip = np.diag([1.0, 1.0, -1.0])
    across = np.eye(3) - 2 * np.outer(turn[2], turn[2])
    turned = flip @ cameras.turn @ across
    centre = cameras.turn @ middle + cameras.shift
    return (
        Cameras(turned, centre - turned @ middle, cameras.focal, cameras.middle),
        (local - shift) @ turn,
    )
