"""Rotations as (...,3,3) matrices; columns are the camera's axes in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation


def slerp(start: ArrayLike, end: ArrayLike, blend: ArrayLike) -> NDArray[np.float64]:
    """From ``start`` (F,3,3) towards ``end`` (F,3,3) along the shortest arc; ``blend`` (F,) is 0 at the start."""
    start = Rotation.from_matrix(np.asarray(start))
    step = (start.inv() * Rotation.from_matrix(np.asarray(end))).as_rotvec()
    return (start * Rotation.from_rotvec(np.asarray(blend)[..., None] * step)).as_matrix()
