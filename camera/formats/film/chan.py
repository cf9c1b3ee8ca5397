"""Nuke's ``.chan``: per line frame, tx ty tz, rx ry rz in degrees, and, for cameras, the vertical field of view in degrees.

World from camera, x right, y up, z backward, y-up world. The files do not give the rotation order; Nuke's camera defaults to ZXY,
which rotates about z first and about y last: R = Ry Rx Rz. The columns, y up and "#" before comments are as in Blender's add-on
``io_anim_nuke_chan``, which also asks for the order.
"""

from __future__ import annotations

import numpy as np

from camera.conventions import opencv_from_y_up, y_up_from_opencv
from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import like_or_refuse, line_numbers, resample_lens, text_of
from camera.formats.timing import by_time
from camera.formats.tum import rows
from camera.path import CameraPath
from camera.rotation import scipy_rotation

ORDER = "YXZ"
"""Intrinsic order of the angles: Nuke's ZXY rotates about z first and about y last."""


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; size and rate come from ``like``, as does the lens if a line has seven numbers. Missing frames are interpolated."""
    lines = rows(text_of(data, name))
    table = [line_numbers(line, (7, 8), f"Line {number} of {name}") for number, line in lines]
    if len({len(row) for row in table}) > 1:
        raise InputError(f"The lines of {name} should all hold 7 numbers, or all 8 with the field of view.")
    values = np.array(table)
    wanted = like_or_refuse(like, name, "picture size")
    poses = np.repeat(np.eye(4)[None], len(values), axis=0)
    poses[:, :3, :3] = scipy_rotation().from_euler(ORDER, values[:, [5, 4, 6]], degrees=True).as_matrix()
    poses[:, :3, 3] = values[:, 1:4]
    if values.shape[1] == 8:
        lenses = lens.lenses_from_fov(values[:, 7], width=wanted.width, height=wanted.height, across=False)
    else:
        lenses = resample_lens(wanted, len(values))
        account.say(f"{name} says no field of view; the lens of the scene is taken.")
    account.say(f"The angles of {name} are taken in Nuke's default rotation order ZXY, which the file does not say.")
    path = CameraPath(opencv_from_y_up(poses), lenses, wanted.width, wanted.height, wanted.fps)
    return by_time(path, values[:, 0] / wanted.fps, account)


def write(path: CameraPath) -> bytes:
    """Write a line per frame, counted from 1, with the vertical field of view."""
    lens.require_centred_square(path, "Nuke's .chan")
    poses = y_up_from_opencv(path.world_from_camera)
    y, x, z = scipy_rotation().from_matrix(poses[:, :3, :3]).as_euler(ORDER, degrees=True).T
    table = np.column_stack([poses[:, :3, 3], x, y, z, path.fov_degrees[:, 1]])
    lines = [f"{frame}\t" + "\t".join(f"{value:.12g}" for value in row) for frame, row in enumerate(table, 1)]
    return ("\n".join(lines) + "\n").encode()
