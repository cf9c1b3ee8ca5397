"""RealEstate10K: a line with the video's URL, then per frame a time stamp in microseconds and 18 numbers.

The 18 numbers are fx fy cx cy as fractions of width and height, two zeros, and the camera-from-world matrix 3x4 in rows.
DualCamCtrl and ReconFusion keep the same 18 numbers without the time stamp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.conventions import lens_fractions
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import line_numbers, pose
from camera.formats.timing import by_time
from camera.formats.tum import rows
from camera.path import CameraPath, inverse


def read(text: str, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The cameras, resampled by their time stamps; see `timing.by_time`."""
    stamps, path = read_rows(text, name, like, account)
    return by_time(path, np.array([float(stamp) for stamp in stamps]) / 1e6, account)


def read_rows(text: str, name: str, like: CameraPath | None, account: Account) -> tuple[tuple[str, ...], CameraPath]:
    """Time stamps as written in the file, and the cameras, one per row, in the file's order."""
    lines = rows(text)
    if len(lines) > 1 and len(lines[0][1].split()) == 1:  # the video's address
        lines = lines[1:]
    values = np.array([line_numbers(line, (19,), f"Line {number} of {name}") for number, line in lines])
    return tuple(line.split()[0] for _, line in lines), path_of(values[:, 1:], name, like, account)


def write(path: CameraPath) -> bytes:
    lines = ["reshoot"]
    for frame, row in enumerate(rows_of(path, "RealEstate10K")):
        lines.append(f"{round(frame / path.fps * 1e6)} " + " ".join(f"{value:.12g}" for value in row))
    return ("\n".join(lines) + "\n").encode()


def path_of(values: NDArray[np.float64], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The path of rows (F,18), at the rate of ``like``, or 24. The two numbers after the lens are distortion k1 and k2."""
    if count := int((np.abs(values[:, 4:6]) > 1e-9).any(axis=1).sum()):
        account.say(
            f"The lens of {count} of {len(values)} cameras of {name} is distorted; the path is shot without distortion."
        )
    intrinsics, width, height = lens.lenses_from_fractions(values[:, :4], like)
    camera_from_world = np.stack([pose(row[6:], f"camera {frame} of {name}") for frame, row in enumerate(values)])
    return CameraPath(inverse(camera_from_world), intrinsics, width, height, like.fps if like else 24.0)


def rows_of(path: CameraPath, label: str) -> NDArray[np.float64]:
    """Rows (F,18) of a path."""
    fractions = lens_fractions(lens.require_no_skew(path, label).intrinsics, width=path.width, height=path.height)
    matrices = path.camera_from_world[:, :3].reshape(len(path), 12)
    return np.concatenate([fractions, np.zeros((len(path), 2)), matrices], axis=1)
