"""Checks of lenses before a path is written to formats that cannot express skew, offset, non-square pixels or zoom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.conventions import lens_from_fractions
from camera.errors import InputError
from camera.formats.account import Account
from camera.path import CameraPath


def require_no_skew(path: CameraPath, label: str) -> CameraPath:
    """The path, if its lens has no skew; raises `InputError` otherwise, naming the format with ``label``."""
    if np.abs(path.intrinsics[:, 0, 1]).max() > 1e-6:
        raise InputError(f"{label} cannot hold a skewed lens; choose Reshoot JSON.")
    return path


def require_centred(path: CameraPath, label: str) -> CameraPath:
    """The path, if its principal point is within a pixel of the centre; raises `InputError` otherwise."""
    middle = np.array([path.width - 1, path.height - 1]) / 2
    if np.abs(require_no_skew(path, label).intrinsics[:, :2, 2] - middle).max() > 1:
        raise InputError(f"{label} holds centred lenses only; choose nerfstudio transforms.json or Reshoot JSON.")
    return path


def require_square(path: CameraPath, label: str) -> CameraPath:
    """The path, if its pixels are square to 0.5 % and its lens has no skew; raises `InputError` otherwise."""
    matrices = require_no_skew(path, label).intrinsics
    if np.abs(matrices[:, 0, 0] / matrices[:, 1, 1] - 1).max() > 0.005:
        raise InputError(f"{label} holds square pixels only; choose nerfstudio transforms.json or Reshoot JSON.")
    return path


def require_centred_square(path: CameraPath, label: str) -> CameraPath:
    """The path, if its principal point is within a pixel of the centre and its pixels are square to 0.5 %; raises `InputError` otherwise."""
    return require_square(require_centred(path, label), label)


def require_one_lens(path: CameraPath, label: str) -> CameraPath:
    """The path, if its lens is the same in all frames; raises `InputError` otherwise."""
    if np.abs(path.intrinsics - path.intrinsics[0]).max() > 1e-6 * path.intrinsics[0, 0, 0]:
        raise InputError(f"{label} holds one lens for all frames, but this path zooms; choose Reshoot JSON.")
    return path


def fit_to_one_size(
    lenses: list[tuple[NDArray[np.float64], int, int]], account: Account
) -> tuple[NDArray[np.float64], int, int]:
    """Intrinsics (F,3,3), width and height of lenses (matrix, width, height), all fitted to the first one's size by a centred crop,
    as their pictures are; this is noted."""
    _, width, height = lenses[0]
    others = [(w, h) for _, w, h in lenses if (w, h) != (width, height)]
    if others:
        account.say(
            f"{len(others)} of {len(lenses)} cameras of {account.name} are for pictures of other sizes ({others[0][0]} x "
            f"{others[0][1]} and so on); they were fitted to {width} x {height}, the first one's."
        )
    fitted = [
        matrix
        if (w, h) == (width, height)
        else CameraPath(np.eye(4)[None], matrix, w, h).fitted(width, height).intrinsics[0]
        for matrix, w, h in lenses
    ]
    return np.stack(fitted), width, height


def lenses_from_fov(degrees: NDArray[np.float64], *, width: int, height: int, across: bool) -> NDArray[np.float64]:
    """(F,3,3): centred square-pixel intrinsics with fields of view (F,), horizontal if ``across``, else vertical."""
    if not ((degrees >= 0.1) & (degrees <= 179)).all():
        frame = int(np.argmax(~((degrees >= 0.1) & (degrees <= 179))))
        raise InputError(f"The field of view of camera {frame} should lie between 0.1 and 179 degrees.")
    focal = (width if across else height) / (2 * np.tan(np.radians(degrees) / 2))
    lens = np.repeat(np.eye(3)[None], len(degrees), axis=0)
    lens[:, 0, 0] = lens[:, 1, 1] = focal
    lens[:, 0, 2], lens[:, 1, 2] = (width - 1) / 2, (height - 1) / 2
    return lens


def lenses_from_fractions(
    fractions: NDArray[np.float64], like: CameraPath | None
) -> tuple[NDArray[np.float64], int, int]:
    """Intrinsics (F,3,3), width and height of fx, fy, cx, cy (F,4) given as fractions of width and height.

    Such a file determines its picture's aspect ratio (square pixels: width/height = fy/fx) but not its size: that is the size of
    ``like`` if the ratios agree to 1 %, else the width of ``like``, or 1280.
    """
    if not (fractions[:, :2] > 1e-3).all():
        raise InputError(
            f"The focal lengths of camera {int(np.argmin(fractions[:, :2].min(axis=1)))} are not positive."
        )
    shape = float(np.median(fractions[:, 1] / fractions[:, 0]))
    if like is not None and abs(like.width / like.height / shape - 1) < 0.01:
        width, height = like.width, like.height
    else:
        width = like.width if like else 1280
        height = max(1, round(width / shape))
    return lens_from_fractions(fractions, width=width, height=height), width, height
