"""FantasyWorld's camera JSON: ``cameras_interp``, a list of 4x4 matrices, and ``focal_length`` in pixels.

World from camera, OpenCV axes; the principal point is the picture's centre, the size is not in the file; without a focal length
upstream uses 500 (Fantasy-AMAP/fantasy-world, ``utils.py``, ``cameras_json_to_camera_list``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import entries, like_or_refuse, number, pose
from camera.path import CameraPath

FOCAL_PX = 500.0


def read(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; picture size and rate come from ``like``."""
    fields = account.fields(values)
    matrices = entries(fields, "cameras_interp", name)
    poses = np.stack([pose(each, f"camera {index} of {name}") for index, each in enumerate(matrices)])
    wanted = like_or_refuse(like, name, "picture size")
    account.say(
        f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."
    )
    focal = FOCAL_PX
    if "focal_length" in fields:
        focal = number(fields["focal_length"], f"'focal_length' of {name}", minimum=1e-3)
    else:
        account.say(f"{name} says no focal length; {FOCAL_PX:g} pixels are taken, as FantasyWorld does.")
    matrix = np.array([[focal, 0, (wanted.width - 1) / 2], [0, focal, (wanted.height - 1) / 2], [0, 0, 1]])
    lenses = np.repeat(matrix[None], len(poses), axis=0)
    return CameraPath(poses, lenses, wanted.width, wanted.height, wanted.fps)


def write(path: CameraPath) -> bytes:
    """Write the JSON; raises `InputError` for lenses that zoom, are off-centre, or have non-square pixels."""
    lens.require_one_lens(lens.require_centred_square(path, "FantasyWorld's JSON"), "FantasyWorld's JSON")
    values = {"focal_length": float(path.intrinsics[0, 0, 0]), "cameras_interp": path.world_from_camera.tolist()}
    return json.dumps(values).encode()
