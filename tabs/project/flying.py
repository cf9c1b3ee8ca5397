"""Camera positions of a user who flies through a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from camera.path import CameraPath
from camera.rotation import from_pan_tilt_roll
from tabs.project.project import Project


def fly(
    project: Project, seeing: CameraPath | None, frame: int | None, turn: Sequence[float], move: Sequence[float]
) -> CameraPath:
    """The camera (a path of one frame) after flying on from path frame ``frame``, or from ``seeing`` if it is None.

    ``turn``: radians to the right, down and clockwise; ``move``: right, down and forward in distances to the subject.
    """
    scene, path = project.ready()
    if frame is not None or seeing is None:
        index = min(max(int(frame or 0), 0), len(path) - 1)
        seeing = path.sliced(slice(index, index + 1))
    return move_camera(seeing, turn, move, scene.first.focus_depth)


def move_camera(seeing: CameraPath, turn: Sequence[float], move: Sequence[float], reach: float) -> CameraPath:
    """The camera ``seeing`` after `fly`'s ``turn`` and ``move``; ``reach``: distance to the subject in scene units."""
    pose = np.eye(4)
    pose[:3, :3] = from_pan_tilt_roll(*np.degrees([turn[0], -turn[1], turn[2]]))
    pose[:3, 3] = np.asarray(move, float) * reach
    return seeing.with_poses(seeing.world_from_camera @ pose)
