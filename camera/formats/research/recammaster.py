"""ReCamMaster's and InfCam's ``camera_extrinsics.json``: ``{"frame0": {"cam01": "[a b c d] [..] [..] [..] "}}``.

Matrices are Unreal's: row vectors (the last row is the position), x ahead, y to the right, z up, a left-handed world, centimetres.
Read as in upstream's inference script (KwaiVGI/ReCamMaster, ``inference_recammaster.py``): transposed, columns reordered to
right, up, ahead, the second negated, positions divided by 100. The world is also converted to ours, so that poses are rotations.
The files have no lens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, json_kind
from camera.formats.account import Account
from camera.formats.parsing import like_or_refuse, line_numbers, natural_key, pose, resample_lens
from camera.path import CameraPath

OURS_FROM_UNREAL = np.array([[0.0, 1, 0], [0, 0, -1], [1, 0, 0]])
"""Maps Unreal's (ahead, right, up) to (right, down, ahead); the same for camera and world axes."""
CENTIMETRES = 100.0


def read(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The first camera of the file, in metres; a note names the others. Lens, size and rate come from ``like``."""
    frames = account.fields(values)
    order = sorted((key for key in frames if re.fullmatch(r"frame\d+", key)), key=natural_key)
    first = frames[order[0]]
    if not isinstance(first, Mapping) or not first:
        raise InputError(f"{order[0]} of {name} should hold cameras such as cam01, got {json_kind(first)}.")
    cameras = sorted(first, key=natural_key)
    if len(cameras) > 1:
        account.say(f"{name} holds {len(cameras)} cameras; {cameras[0]} is taken, not {', '.join(cameras[1:])[:120]}.")
    matrices = np.stack([_matrix(frames[key], cameras[0], f"{cameras[0]} of {key} of {name}") for key in order])
    wanted = like_or_refuse(like, name, "lens")
    account.say(f"{name} says no lens; that of the scene is taken.")
    return CameraPath(matrices, resample_lens(wanted, len(matrices)), wanted.width, wanted.height, wanted.fps)


def write(path: CameraPath) -> bytes:
    """Write one camera, cam01, in centimetres."""
    turn = OURS_FROM_UNREAL
    values = {}
    for frame, matrix in enumerate(path.world_from_camera):
        unreal = np.eye(4)
        unreal[:3, :3] = turn.T @ matrix[:3, :3] @ turn
        unreal[:3, 3] = turn.T @ matrix[:3, 3] * CENTIMETRES
        rows = " ".join("[" + " ".join(f"{value:.12g}" for value in row) + "]" for row in unreal.T)
        values[f"frame{frame}"] = {"cam01": rows + " "}
    return json.dumps(values).encode()


def _matrix(cameras: Any, camera: str, where: str) -> NDArray[np.float64]:
    if not isinstance(cameras, Mapping) or not isinstance(cameras.get(camera), str):
        raise InputError(f"There is no {where}; every frame needs the cameras of the first.")
    rows = [line_numbers(row, (4,), where) for row in re.findall(r"\[([^\]]*)\]", cameras[camera])]
    if len(rows) != 4:
        raise InputError(f"{where} should be four rows in brackets, got {len(rows)}.")
    unreal = np.stack(rows).T
    ours = np.eye(4)
    ours[:3, :3] = OURS_FROM_UNREAL @ unreal[:3, :3] @ OURS_FROM_UNREAL.T
    ours[:3, 3] = OURS_FROM_UNREAL @ unreal[:3, 3] / CENTIMETRES
    return pose(ours, where)
