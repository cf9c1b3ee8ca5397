"""HY-WorldPlay's trajectory: ``{"0": {"extrinsic": 4x4 world from camera, "K": 3x3}, "1": ...}``, OpenCV axes.

Upstream divides ``K`` by twice its principal point (Tencent-Hunyuan/HY-WorldPlay, ``hyvideo/generate.py``), so the picture size is
twice ``cx`` and ``cy``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import MOST_FRAMES, field, natural_key, numbers, pose, size
from camera.path import CameraPath


def read(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Frames in the order of their numbers, at the rate of ``like``, or 24."""
    shared = account.fields(values)
    keys = sorted((key for key in values if key.isdigit()), key=natural_key)
    if len(keys) > MOST_FRAMES:
        raise InputError(f"{name} should hold 1 to {MOST_FRAMES} cameras, got {len(keys)}.")
    poses, lenses = [], []
    for key in keys:
        where = f"frame {key} of {name}"
        frame = shared[key]
        frame = account.fields(frame, "frames") if isinstance(frame, Mapping) else frame
        poses.append(pose(field(frame, "extrinsic", where), f"'extrinsic' of {where}"))
        matrix = numbers(field(frame, "K", where), (3, 3), f"'K' of {where}")
        width, height = size(2 * matrix[0, 2], 2 * matrix[1, 2], where)
        matrix[:2, 2] -= 0.5
        lenses.append((matrix, width, height))
    matrices, width, height = lens.fit_to_one_size(lenses, account)
    account.say(
        f"The pictures of {name} are taken to be {width} x {height}, twice the principal point, as HY-WorldPlay takes them."
    )
    return CameraPath(np.stack(poses), matrices, width, height, like.fps if like else 24.0)


def write(path: CameraPath) -> bytes:
    """Write the JSON; raises `InputError` for lenses that are skewed or off-centre by more than a pixel."""
    lens.require_centred(path, "HY-WorldPlay's JSON")
    values = {}
    for frame, (matrix, k) in enumerate(zip(path.world_from_camera, path.intrinsics)):
        inner = [[float(k[0, 0]), 0.0, path.width / 2], [0.0, float(k[1, 1]), path.height / 2], [0.0, 0.0, 1.0]]
        values[str(frame)] = {"extrinsic": matrix.tolist(), "K": inner}
    return json.dumps(values).encode()
