"""I2V3D's ``save_camera_infos.json``: per camera its position, a point ahead and a point above that, and one field of view.

The world frame is at the first camera with x left, y up, z forward. ``start_pos`` is the camera's centre, ``end_pos`` is 0.05 focal
lengths (in picture heights) ahead, ``up_pos`` is 0.025 above ``end_pos``; ``fov`` is horizontal, in degrees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import entries, field, number, numbers
from camera.path import CameraPath

FLIP = np.diag([-1.0, -1.0, 1.0])
"""Converts between x right, y down and x left, y up."""

SIZE = (512, 288)
"""Width and height of the pictures of upstream's files."""


def read(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; the size is that of ``like``, or 512x288; pixels are square."""
    values = account.fields(values)
    frames = len(entries(values, "start_pos", name))
    start, end, up = (numbers(field(values, key, name), (frames, 3), f"{key!r} of {name}") for key in _KEYS)
    fov = number(field(values, "fov", name), f"'fov' of {name}", minimum=1, maximum=170)
    forward, above = end - start, up - end
    right = np.cross(forward, above)
    lengths = np.linalg.norm(forward, axis=1) * np.linalg.norm(above, axis=1)
    flat = np.linalg.norm(right, axis=1) <= 1e-6 * lengths
    if flat.any() or not (lengths > 0).all():
        raise InputError(f"Camera {int(np.argmax(flat))} of {name} has no direction: its three points are on one line.")
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    axes = [right, np.cross(forward, right), forward]
    poses[:, :3, :3] = FLIP @ np.stack([axis / np.linalg.norm(axis, axis=1, keepdims=True) for axis in axes], axis=-1)
    poses[:, :3, 3] = start @ FLIP
    width, height = (like.width, like.height) if like else SIZE
    intrinsics = lens.lenses_from_fov(np.full(frames, fov), width=width, height=height, across=True)
    return CameraPath(poses, intrinsics, width, height, like.fps if like else 24.0)


def write(path: CameraPath) -> bytes:
    """Write the cameras relative to the first one. Raises `InputError` for a path that zooms."""
    path = lens.require_centred_square(
        lens.require_one_lens(path, "I2V3D's camera JSON"), "I2V3D's camera JSON"
    ).relative_to_first()
    ahead = 0.05 * path.intrinsics[:, :1, 0] / path.height
    start = path.centres @ FLIP
    end = start + ahead * (path.world_from_camera[:, :3, 2] @ FLIP)
    up = end - 0.025 * (path.world_from_camera[:, :3, 1] @ FLIP)
    points = {key: value.tolist() for key, value in zip(_KEYS, (start, end, up))}
    return json.dumps({**points, "fov": float(path.fov_degrees[-1, 0])}).encode()


_KEYS = ("start_pos", "end_pos", "up_pos")
