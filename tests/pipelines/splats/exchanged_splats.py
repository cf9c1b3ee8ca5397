"""Splats for the tests of file formats, and the difference between two sets of them in front of a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from camera.path import CameraPath, pinhole
from pipelines.splats.splats import Splats


def some(n: int = 300, degree: int = 2, seed: int = 7) -> Splats:
    """A small scene in front of a camera at the origin, with displayable colours."""
    rng = np.random.default_rng(seed)
    sh = rng.normal(0, 0.15, (n, (degree + 1) ** 2, 3))
    sh[:, 0] = (rng.random((n, 3)) - 0.5) / 0.28209479
    return Splats(
        rng.uniform([-1.5, -1.5, 2.5], [1.5, 1.5, 5.5], (n, 3)), rng.normal(size=(n, 4)), rng.normal(-3, 0.5, (n, 3)),
        rng.normal(size=n), np.clip(sh, -1.8, 1.8),
    )  # fmt: skip


CAMERA = CameraPath(np.eye(4)[None], pinhole(640, 480, 60), 640, 480)


@dataclass(frozen=True)
class Apart:
    """Largest differences: pixels of the projected centres, levels of colour and opacity, and relative sizes."""

    pixels: float
    levels: float
    opacity: float
    shape: float
    harmonics: float


def apart(ours: Splats, theirs: Splats) -> Apart:
    """The difference of splats in any order: each of ours is compared with the nearest of theirs."""
    distance = np.linalg.norm(ours.means[:, None] - theirs.means[None], axis=2)
    theirs = theirs.chosen(distance.argmin(axis=1))
    assert len(np.unique(distance.argmin(axis=1))) == len(ours)
    a, b = covariances(ours), covariances(theirs)
    return Apart(
        np.abs(_projected(ours) - _projected(theirs)).max(),
        np.abs(ours.colours - theirs.colours).max() * 255,
        np.abs(ours.opacities - theirs.opacities).max(),
        (np.abs(a - b).max(axis=(1, 2)) / np.trace(a, axis1=1, axis2=2)).max(),
        np.abs(ours.sh[:, 1:] - theirs.sh[:, 1:]).max(initial=0),
    )


def covariances(splats: Splats) -> np.ndarray:
    turn = Rotation.from_quat(np.roll(splats.quaternions, -1, axis=1)).as_matrix()
    return turn @ (splats.scales[:, :, None] ** 2 * turn.transpose(0, 2, 1))


def _projected(splats: Splats) -> np.ndarray:
    seen = splats.means @ CAMERA.intrinsics[0].T
    return seen[:, :2] / seen[:, 2:]
