"""RealityScan's (formerly RealityCapture's) cameras as CSV: "Internal/External camera parameters".

Columns ``name x y alt heading pitch roll f px py k1 .. k4 t1 t2``. World z-up; degrees; camera axes x right, y up, z backward. At zero
angles the camera looks straight down with the picture's top to the north (y): R = Rz(-heading) Rx(pitch) Ry(roll).
``f px py`` are millimetres on a sensor with a longer side of 36 mm. Source: Epic's "RealityCapture XMP camera math" and nerfstudio's
``realitycapture_utils.py``, which call the scale of px and py unclear.
"""

from __future__ import annotations

import csv
import io

import numpy as np
from numpy.typing import NDArray

from camera.conventions import FULL_FRAME_MM, nerfstudio_from_opencv, opencv_from_nerfstudio
from camera.errors import InputError, reading
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, line_numbers, natural_key, text_of
from camera.path import CameraPath
from camera.rotation import scipy_rotation

_PLACE, _ANGLES, _LENS = ("x", "y", "alt"), ("heading", "pitch", "roll"), ("f", "px", "py")
_DISTORTION = ("k1", "k2", "k3", "k4", "t1", "t2")


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Cameras in the natural order of their names; picture size and rate come from ``like``."""
    with reading(f"{name} is damaged: its table breaks off within a line; export it again."):
        rows = [row for row in csv.reader(io.StringIO(text_of(data, name))) if row]
    head = [word.strip().lstrip("#").lower() for word in rows[0]] if rows else []
    if head and head[0].startswith("timestamp"):
        raise InputError(
            f"{name} is a table of time stamps, such as EuRoC's data.csv: its poses are of a sensor's body, not of a camera. "
            "Export the camera's own trajectory as TUM or KITTI text."
        )
    if missing := [key for key in ("name", *_PLACE, *_ANGLES, "f") if key not in head]:
        raise InputError(
            f"{name} has no column {missing[0]!r}; export RealityScan's internal and external camera parameters."
        )
    if not 1 <= len(rows) - 1 <= MOST_FRAMES:
        raise InputError(f"{name} should hold 1 to {MOST_FRAMES} cameras, got {len(rows) - 1}.")
    columns = account.fields({key: index for index, key in enumerate(head)}, "columns")
    body = sorted(rows[1:], key=lambda row: natural_key(row[columns["name"]] if row else ""))
    values = {
        key: _column(body, columns[key], key, name) for key in head if key in (*_PLACE, *_ANGLES, *_LENS, *_DISTORTION)
    }
    wanted = like_or_refuse(like, name, "picture size")
    account.say(
        f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."
    )
    terms = [key for key in _DISTORTION if key in values and values[key].any()]
    if terms:
        account.say(
            f"The lens of {name} is distorted ({', '.join(terms)}); the path is that of a lens without distortion."
        )
    poses = np.repeat(np.eye(4)[None], len(body), axis=0)
    angles = np.stack([-values["heading"], values["pitch"], values["roll"]], axis=1)
    poses[:, :3, :3] = scipy_rotation().from_euler("ZXY", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = np.stack([values[key] for key in _PLACE], axis=1)
    return CameraPath(opencv_from_nerfstudio(poses), _lenses(values, wanted), wanted.width, wanted.height, wanted.fps)


def write(path: CameraPath) -> bytes:
    """Write the table; raises `InputError` for skewed lenses and non-square pixels."""
    lens.require_square(path, "RealityScan's CSV")
    poses, unit = nerfstudio_from_opencv(path.world_from_camera), FULL_FRAME_MM / max(path.width, path.height)
    heading, pitch, roll = scipy_rotation().from_matrix(poses[:, :3, :3]).as_euler("ZXY", degrees=True).T
    middle = np.array([path.width - 1, path.height - 1]) / 2
    offset = (path.intrinsics[:, :2, 2] - middle) * unit
    focal = path.intrinsics[:, 0, 0] * unit
    table = np.column_stack([poses[:, :3, 3], -heading, pitch, roll, focal, offset, np.zeros((len(path), 6))])
    lines = ["#" + ",".join(("name", *_PLACE, *_ANGLES, *_LENS, *_DISTORTION))]
    lines += [
        f"frame_{frame:05d}.png," + ",".join(f"{value:.12g}" for value in row) for frame, row in enumerate(table, 1)
    ]
    return ("\n".join(lines) + "\n").encode()


def _column(rows: list[list[str]], index: int, key: str, name: str) -> NDArray[np.float64]:
    if short := [number for number, row in enumerate(rows) if len(row) <= index]:
        raise InputError(f"Camera {short[0]} of {name} has no {key}; export the table again.")
    return np.array([line_numbers(row[index], (1,), f"{key} of camera {row[0]!r} of {name}")[0] for row in rows])


def _lenses(values: dict[str, NDArray[np.float64]], like: CameraPath) -> NDArray[np.float64]:
    unit = max(like.width, like.height) / FULL_FRAME_MM
    if not (values["f"] > 1e-3).all():
        raise InputError(f"The focal length of camera {int(np.argmin(values['f']))} is not positive.")
    matrices = np.repeat(np.eye(3)[None], len(values["f"]), axis=0)
    matrices[:, 0, 0] = matrices[:, 1, 1] = values["f"] * unit
    matrices[:, 0, 2] = (like.width - 1) / 2 + values.get("px", 0.0) * unit
    matrices[:, 1, 2] = (like.height - 1) / 2 + values.get("py", 0.0) * unit
    return matrices
