"""The dominant camera motion, in VBench's classes, computed from a path instead of tracked points."""

from __future__ import annotations

from typing import Literal

import numpy as np

from camera.path import CameraPath

MotionClass = Literal[
    "static", "pan left", "pan right", "tilt up", "tilt down", "roll", "zoom in", "zoom out", "truck left", "truck right",
    "pedestal up", "pedestal down", "dolly in", "dolly out",
]  # fmt: skip
STATIC = 0.01
"""Threshold below which the camera counts as static, as a share of the picture's width."""


def motion_class(path: CameraPath, *, distance: float | None = None) -> MotionClass:
    """The component of the motion from the first to the last camera that moves the picture most, in pixels.

    Rotations count by the motion of the picture's centre, a roll by the motion of its edge; translations as if everything were
    ``distance`` away, by default twice the largest distance travelled, so that a translation without rotation wins; zooms by the
    motion of the edge.
    """
    ends = path.relative_to_first()
    turn, way = ends.world_from_camera[-1, :3, :3], ends.centres[-1]
    focal, half = float(ends.intrinsics[0, 0, 0]), ends.width / 2
    depth = distance or max(2 * float(np.linalg.norm(ends.centres, axis=1).max()), 1e-12)
    forward = turn[:, 2]
    pan, tilt = np.arctan2(forward[0], forward[2]), -np.arcsin(np.clip(forward[1], -1, 1))
    roll = np.arctan2(turn[1, 0], turn[1, 1])
    zoom = float(np.log(ends.intrinsics[-1, 0, 0] / focal))
    x, y, z = way / depth
    moved: dict[tuple[MotionClass, MotionClass], float] = {
        ("pan right", "pan left"): focal * pan,
        ("tilt up", "tilt down"): focal * tilt,
        ("roll", "roll"): half * roll,
        ("zoom in", "zoom out"): half * zoom,
        ("truck right", "truck left"): focal * x,
        ("pedestal down", "pedestal up"): focal * y,
        ("dolly in", "dolly out"): half * z,
    }
    names, most = max(moved.items(), key=lambda item: abs(item[1]))
    if abs(most) < STATIC * ends.width:
        return "static"
    return names[0] if most > 0 else names[1]
