"""``cameras.json`` of 3D Gaussian splatting (INRIA), which SuperSplat and others read: a list of cameras.

``position`` is the centre, ``rotation`` (3x3) has the camera's axes in the world as columns, OpenCV axes; ``fx fy`` in pixels of
``width`` and ``height``; the principal point is the picture's centre (graphdeco-inria/gaussian-splatting,
``utils/camera_utils.py``, ``camera_to_JSON``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import field, natural_key, number, numbers, pose, size
from camera.path import CameraPath


def read(values: list[Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Cameras in the natural order of their picture names; the rate is that of ``like``, or 24."""
    poses, lenses, names = [], [], []
    for index, each in enumerate(values):
        where = f"camera {index} of {name}"
        camera = account.fields(each, "cameras", idle=("id",)) if isinstance(each, Mapping) else each
        centre = numbers(field(camera, "position", where), (3,), f"'position' of {where}")
        turn = numbers(field(camera, "rotation", where), (3, 3), f"'rotation' of {where}")
        poses.append(pose(np.concatenate([turn, centre[:, None]], axis=1), where))
        width, height = size(field(camera, "width", where), field(camera, "height", where), where)
        fx, fy = (number(field(camera, key, where), f"{key!r} of {where}", minimum=1e-3) for key in ("fx", "fy"))
        lenses.append((np.array([[fx, 0, (width - 1) / 2], [0, fy, (height - 1) / 2], [0, 0, 1]]), width, height))
        names.append(str(camera.get("img_name", "")))
    order = sorted(range(len(poses)), key=lambda index: natural_key(names[index]))
    matrices, width, height = lens.fit_to_one_size([lenses[index] for index in order], account)
    return CameraPath(np.stack(poses)[order], matrices, width, height, like.fps if like else 24.0)


def write(path: CameraPath) -> bytes:
    """Write the list; raises `InputError` for lenses that are skewed or off-centre by more than a pixel."""
    lens.require_centred(path, "cameras.json")
    values = [
        {
            "id": index, "img_name": f"frame_{index + 1:05d}", "width": path.width, "height": path.height,
            "position": matrix[:3, 3].tolist(), "rotation": matrix[:3, :3].tolist(),
            "fx": float(k[0, 0]), "fy": float(k[1, 1]),
        }
        for index, (matrix, k) in enumerate(zip(path.world_from_camera, path.intrinsics))
    ]  # fmt: skip
    return json.dumps(values).encode()
