"""Raw matrices, which do not state their convention: the eight possible ones, and the most likely one with its reason.

A file is a ``.npy`` of (F,4,4) or (F,3,4), or a JSON list of such matrices or of rows of 12 or 16 numbers. MotionCtrl's camera
poses (TencentARC/MotionCtrl, ``examples/camera_poses/*.json``) are such a list: rows of 12, camera from world, OpenCV axes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.conventions import opencv_from_nerfstudio
from camera.errors import InputError, json_kind
from camera.formats.account import Account
from camera.formats.parsing import (
    MOST_FRAMES,
    json_value,
    like_or_refuse,
    line_numbers,
    numbers,
    resample_lens,
    text_of,
)
from camera.formats.research.arrays import array_shape, npy_array, rigid
from camera.formats.tum import rows
from camera.path import CameraPath, inverse


@dataclass(frozen=True)
class Convention:
    """One convention: whether the matrix maps camera to world, has OpenGL axes (y up, z backward), and is stored transposed."""

    world_from_camera: bool
    opengl: bool
    transposed: bool


CONVENTIONS: dict[str, Convention] = {
    f"{'c2w' if to_world else 'w2c'}-{'opengl' if opengl else 'opencv'}{'-transposed' if transposed else ''}": Convention(
        to_world, opengl, transposed
    )
    for transposed in (False, True)
    for opengl in (False, True)
    for to_world in (True, False)
}


def read(
    values: NDArray[np.float64], name: str, like: CameraPath | None, account: Account, convention: str
) -> CameraPath:
    """The path of raw matrices in the given ``convention``, or in the likeliest one ("")."""
    matrices = _square(values, name)
    if convention and convention not in CONVENTIONS:
        raise InputError(f"There is no convention {convention!r}; choose one of {', '.join(CONVENTIONS)}.")
    if not convention:
        convention, reason = find_likeliest(matrices, name)
        account.say(
            f"{name} does not say its convention; {convention} is taken: {reason}. The others are "
            f"{', '.join(each for each in CONVENTIONS if each != convention)} (--convention)."
        )
    wanted = like_or_refuse(like, name, "lens")
    account.say(f"{name} says no lens; that of the scene is taken.")
    poses = rigid(poses_of(matrices, convention), name)
    return CameraPath(poses, resample_lens(wanted, len(poses)), wanted.width, wanted.height, wanted.fps)


MOTIONCTRL = ("w2c-opencv", "rows of 12 numbers in JSON are how MotionCtrl writes them")
"""The convention of such files, and why."""


def is_raw(data: bytes, name: str) -> bool:
    """Whether a file holds raw matrices without a stated convention: .npy except rows of 7, lists of lists in JSON, rows of 12 or 16
    numbers in text. False for damaged files."""
    kind = name.lower().rsplit(".", 1)[-1]
    try:
        if kind == "npy":
            return array_shape(data, name)[1:] in ((12,), (16,), (3, 4), (4, 4))
        if kind == "txt":
            return _words(data, name)[-1] in (12, 16)
        values = json_value(data, name) if kind == "json" else None
    except InputError:
        return False
    return isinstance(values, list) and bool(values) and isinstance(values[0], list)


def choose_reading(data: bytes, name: str) -> tuple[NDArray[np.float64], str, str]:
    """(F,4,4) as stored, the default convention, and why. Raises `InputError`."""
    matrices = read_raw(data, name)
    if name.lower().endswith(".json") and isinstance(row := json_value(data, name)[0], list) and len(row) == 12:
        return matrices, *MOTIONCTRL
    return matrices, *find_likeliest(matrices, name)


def read_raw(data: bytes, name: str) -> NDArray[np.float64]:
    """(F,4,4) from a .npy, text or JSON file of matrices, as stored. Raises `InputError`."""
    if name.lower().endswith(".txt"):
        count = _words(data, name)[-1]
        lines = rows(text_of(data, name))
        return _square(np.stack([line_numbers(line, (count,), f"Line {at} of {name}") for at, line in lines]), name)
    if name.lower().endswith(".npy"):
        return _square(
            npy_array(data, tuple(-1 if i == 0 else n for i, n in enumerate(array_shape(data, name))), name), name
        )
    values = json_value(data, name)
    if not isinstance(values, list) or not values or not isinstance(values[0], list):
        raise InputError(f"{name} should hold a list of matrices, got {json_kind(values)}.")
    flat = not isinstance(values[0][0] if values[0] else None, list)
    shape = (-1, len(values[0])) if flat else (-1, len(values[0]), 4)
    return _square(numbers(values, shape, name), name)


def _words(data: bytes, name: str) -> list[int]:
    """The number of words in each line of a text."""
    return [len(line.split()) for _, line in rows(text_of(data, name))]


def write(path: CameraPath) -> bytes:
    """Write MotionCtrl's list: rows of 12 numbers, camera from world."""
    return json.dumps(path.camera_from_world[:, :3].reshape(len(path), 12).tolist()).encode()


def poses_of(matrices: NDArray[np.float64], convention: str) -> NDArray[np.float64]:
    """(F,4,4): world from camera, OpenCV axes, from ``matrices`` in a convention; not checked to be rotations."""
    reading = CONVENTIONS[convention]
    matrices = np.swapaxes(matrices, 1, 2) if reading.transposed else matrices
    matrices = matrices if reading.world_from_camera else inverse(matrices)
    return opencv_from_nerfstudio(matrices) if reading.opengl else matrices


def find_likeliest(matrices: NDArray[np.float64], name: str) -> tuple[str, str]:
    """The most likely convention and why: position of the zeros, smoothness of the motion, and whether the cameras see their target."""
    transposed = _is_transposed(matrices, name)
    suffix = "-transposed" if transposed else ""
    zeros = "the last column is 0 0 0 1" if transposed else "the last row is 0 0 0 1"
    if len(matrices) < 3:
        return f"c2w-opencv{suffix}", f"{zeros}, and so few cameras give no other evidence"
    rough = {way: _roughness(poses_of(matrices, f"{way}-opencv{suffix}")) for way in ("c2w", "w2c")}
    smoother = min(rough, key=rough.__getitem__)
    other = max(rough.values())
    if other <= 1.2 * rough[smoother] + 1e-9:
        smoother, why = "c2w", "both ways move as smoothly, and world from camera is the more usual"
    else:
        why = f"so the camera moves {other / max(rough[smoother], 1e-9):.3g} times as smoothly as the other way"
    ahead = {axes: _convergence(poses_of(matrices, f"{smoother}-{axes}{suffix}")) for axes in ("opencv", "opengl")}
    axes = "opengl" if ahead["opengl"] > ahead["opencv"] + 0.25 else "opencv"
    if axes == "opengl":
        why += ", and only with OpenGL axes is what the cameras look at in front of them"
    return f"{smoother}-{axes}{suffix}", f"{zeros}, {why}"


def _square(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """(F,4,4) from (F,12), (F,16), (F,3,4) or (F,4,4)."""
    count = values.shape[0] if values.ndim else 0
    if values.size not in (12 * count, 16 * count) or not 1 <= count <= MOST_FRAMES or values.ndim > 3:
        raise InputError(
            f"{name} should hold matrices of 3x4 or 4x4, got the shape {'x'.join(map(str, values.shape))}."
        )
    rows = values.reshape(count, -1, 4)
    square = np.repeat(np.eye(4)[None], count, axis=0)
    square[:, : rows.shape[1]] = rows
    return square


def _is_transposed(matrices: NDArray[np.float64], name: str) -> bool:
    row, column = (np.abs(side - [0, 0, 0, 1]).max() < 1e-4 for side in (matrices[:, 3], matrices[:, :, 3]))
    if not row and not column:
        raise InputError(
            f"Neither the last row nor the last column of the matrices of {name} is 0 0 0 1; they are no poses."
        )
    return bool(column and not row)


def _roughness(poses: NDArray[np.float64]) -> float:
    """How much the camera's steps change, relative to the distance travelled."""
    steps = np.diff(poses[:, :3, 3], axis=0)
    return float(np.linalg.norm(np.diff(steps, axis=0), axis=1).sum() / max(np.linalg.norm(steps, axis=1).sum(), 1e-12))


def _convergence(poses: NDArray[np.float64]) -> float:
    """Share of the cameras that have the point nearest to all optical axes in front of them; 0.5 if all look the same way."""
    ahead, centres = poses[:, :3, 2], poses[:, :3, 3]
    across = np.eye(3) - ahead[:, :, None] * ahead[:, None]
    total = across.sum(axis=0)
    if np.linalg.cond(total) > 1e4:
        return 0.5
    point = np.linalg.solve(total, (across @ centres[:, :, None]).sum(axis=0)[:, 0])
    return float((((point - centres) * ahead).sum(axis=1) > 0).mean())
