"""A data set's binary COLMAP model, whole: besides the cameras, lens distortion, points and the names of pictures.

Format: https://colmap.github.io/format.html. Pixel centres are at halves there, at integers here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.colmap import images_bin
from camera.path import inverse
from camera.rotation import from_quaternion

MODELS = {0: ("f", 0), 1: ("fxfy", 0), 2: ("f", 1), 3: ("f", 2), 4: ("fxfy", 4)}
"""COLMAP's numbers of SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL and OPENCV: focal lengths, then distortion terms."""


@dataclass(frozen=True, eq=False)
class Lens:
    """``matrix`` (3,3) in pixels of ``width`` x ``height``; ``distortion`` (4,) as OpenCV has it: k1 k2 p1 p2."""

    width: int
    height: int
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Model:
    """Names, poses (N,4,4) world_from_camera and lenses of the pictures, by name; points (P,3) and colours (P,3)."""

    names: tuple[str, ...]
    poses: NDArray[np.float64]
    lenses: tuple[Lens, ...]
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]


def read_model(folder: str | Path) -> Model:
    """cameras.bin, images.bin and points3D.bin; raises `InputError` for damaged files and lenses of other kinds."""
    folder = Path(folder)
    lenses = dict(_cameras(_Bytes(folder / "cameras.bin")))
    images = images_bin(_Bytes(folder / "images.bin").data, "images.bin")
    points, colours = _points(_Bytes(folder / "points3D.bin"))
    missing = {image.camera for image in images} - lenses.keys()
    if missing:
        raise InputError(f"images.bin names camera {min(missing)}, which cameras.bin does not have.")
    camera_from_world = np.repeat(np.eye(4)[None], len(images), axis=0)
    turns = np.stack([image.quaternion for image in images])
    camera_from_world[:, :3, :3] = from_quaternion(turns, order="wxyz")
    camera_from_world[:, :3, 3] = [image.translation for image in images]
    names = tuple(image.name for image in images)
    return Model(names, inverse(camera_from_world), tuple(lenses[image.camera] for image in images), points, colours)


class _Bytes:
    """A binary file read from front to back; running out of it is an `InputError`."""

    def __init__(self, file: Path) -> None:
        try:
            self.data = file.read_bytes()
        except OSError as error:
            raise InputError(
                f"The model has no {file.name}; give an entry with cameras, images and points3D."
            ) from error
        self.name, self.at = file.name, 0

    def take(self, form: str) -> tuple:
        size = struct.calcsize(form)
        self.skip(size)
        return struct.unpack_from(form, self.data, self.at - size)

    def count(self) -> int:
        """A number of things that follow; each needs more than a byte."""
        (count,) = self.take("<Q")
        if count > len(self.data):
            raise self.damaged()
        return count

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise self.damaged()

    def damaged(self) -> InputError:
        return InputError(f"{self.name} is damaged or incomplete; download it again.")


def _cameras(data: _Bytes) -> list[tuple[int, Lens]]:
    return [_camera(data) for _ in range(data.count())]


def _camera(data: _Bytes) -> tuple[int, Lens]:
    number, model, width, height = data.take("<IiQQ")
    if model not in MODELS:
        raise InputError(f"Camera {number} is of COLMAP's model {model}; undistort the pictures to PINHOLE first.")
    focal, terms = MODELS[model]
    *focals, cx, cy = data.take("<3d" if focal == "f" else "<4d")
    distortion = np.zeros(4)
    distortion[:terms] = data.take(f"<{terms}d")
    matrix = np.array([[focals[0], 0, cx - 0.5], [0, focals[-1], cy - 0.5], [0, 0, 1]])
    return number, Lens(width, height, matrix, distortion)


def _points(data: _Bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    points, colours = [], []
    for _ in range(data.count()):
        _, x, y, z, red, green, blue, _, track = data.take("<Q3d3BdQ")
        data.skip(8 * track)
        points.append((x, y, z))
        colours.append((red, green, blue))
    return np.array(points, np.float64).reshape(-1, 3), np.array(colours, np.uint8).reshape(-1, 3)
