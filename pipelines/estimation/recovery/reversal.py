"""Depth reversal of a camera path: through a long lens, near and far can be exchanged if the rotation is reversed too.

Under orthographic projection, a scene with mirrored depth, filmed by a camera that orbits it the other way, gives exactly the
same pictures (the Necker reversal; Koenderink and van Doorn 1991). A long lens is nearly orthographic, so bundle adjustment
can converge to the wrong solution. Perspective distinguishes the two, if only slightly: both are adjusted, and the one with
the lower cost is returned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.estimation.recovery.adjust import BundleResult, Cameras, adjust
from pipelines.estimation.recovery.follow import Observations

ROUNDS = 5
"""Iterations after which the reversed solution must have the lower cost to be adjusted further."""


def take_better(done: BundleResult, seen: Observations, free: NDArray[np.float64]) -> BundleResult:
    """``done`` or its depth reversal, whichever has the lower cost after adjustment; ``seen`` and ``free`` as for `adjust`."""
    cameras, points = reverse_depth(done.cameras, done.points)
    twin = adjust(cameras, points, seen, free, rounds=ROUNDS)
    return adjust(twin.cameras, twin.points, seen, free) if twin.cost < done.cost else done


def reverse_depth(cameras: Cameras, points: NDArray[np.float64]) -> tuple[Cameras, NDArray[np.float64]]:
    """Points (P,3) mirrored in depth about their middle in the first camera, and the cameras that project them to the same pixels.

    The first camera is unchanged and projects every point to the same pixel. Inverse depths are mirrored, so no point ends up
    behind the camera.
    """
    turn, shift = cameras.rotation[0], cameras.translation[0]
    local = points @ turn.T + shift
    inverse = 1 / np.maximum(local[:, 2], 1e-6)
    mirrored = np.maximum(2 * np.median(inverse) - inverse, 0.1 * np.median(inverse))
    local = local / local[:, 2:] / mirrored[:, None]
    middle = (np.median(points @ turn.T + shift, axis=0) - shift) @ turn
    flip = np.diag([1.0, 1.0, -1.0])
    across = np.eye(3) - 2 * np.outer(turn[2], turn[2])
    turned = flip @ cameras.rotation @ across
    centre = cameras.rotation @ middle + cameras.translation
    return (
        Cameras(turned, centre - turned @ middle, cameras.focal, cameras.middle),
        (local - shift) @ turn,
    )
