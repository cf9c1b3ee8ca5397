"""COLMAP models as files: binary ones of data sets read, text ones of generated views written.

Formats: https://colmap.github.io/format.html. Pixel centres are at halves there, at integers here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.path import CameraPath, inverse

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
    images = sorted(_images(_Bytes(folder / "images.bin")))
    if not images:
        raise InputError("images.bin holds no picture with a camera; give another entry.")
    points, colours = _points(_Bytes(folder / "points3D.bin"))
    missing = {camera for _, camera, _ in images} - lenses.keys()
    if missing:
        raise InputError(f"images.bin names camera {min(missing)}, which cameras.bin does not have.")
    poses = np.stack([pose for _, _, pose in images])
    return Model(
        tuple(name for name, _, _ in images), poses, tuple(lenses[camera] for _, camera, _ in images), points, colours
    )


def model_text(
    path: CameraPath, names: Sequence[str], points: NDArray[np.float64], colours: NDArray[np.uint8]
) -> dict[str, str]:
    """cameras.txt, images.txt and points3D.txt for pictures ``names`` taken along ``path``."""
    lenses, numbers = np.unique(path.intrinsics.reshape(-1, 9).round(6), axis=0, return_inverse=True)
    cameras = [
        f"{i} PINHOLE {path.width} {path.height} {lens[0]:.9g} {lens[4]:.9g} {lens[2] + 0.5:.9g} {lens[5] + 0.5:.9g}"
        for i, lens in enumerate(lenses, 1)
    ]
    quaternions = Rotation.from_matrix(path.camera_from_world[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
    images = [
        f"{i} {_numbers(turn)} {_numbers(pose[:3, 3])} {number + 1} {name}\n"
        for i, (turn, pose, number, name) in enumerate(
            zip(quaternions, path.camera_from_world, numbers.ravel(), names), 1
        )
    ]
    sparse = [
        f"{i} {_numbers(point)} {' '.join(map(str, colour))} 0"
        for i, (point, colour) in enumerate(zip(points, colours), 1)
    ]
    lines = {"cameras.txt": cameras, "images.txt": images, "points3D.txt": sparse}
    return {name: "".join(f"{line}\n" for line in content) for name, content in lines.items()}


def _numbers(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


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

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise self.damaged()
        text = self.data[self.at : end]
        self.at = end + 1
        return text.decode("utf-8", errors="replace")

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


def _images(data: _Bytes) -> list[tuple[str, int, NDArray[np.float64]]]:
    images = []
    for _ in range(data.count()):
        _, w, x, y, z, *shift, camera = data.take("<I7dI")
        name = data.text()
        data.skip(24 * data.count())
        if not np.isfinite([w, x, y, z, *shift]).all() or abs(w) + abs(x) + abs(y) + abs(z) < 1e-9:
            raise data.damaged()
        camera_from_world = np.eye(4)
        camera_from_world[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
        camera_from_world[:3, 3] = shift
        images.append((name, camera, inverse(camera_from_world)))
    return images


def _points(data: _Bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    points, colours = [], []
    for _ in range(data.count()):
        _, x, y, z, red, green, blue, _, track = data.take("<Q3d3BdQ")
        data.skip(8 * track)
        points.append((x, y, z))
        colours.append((red, green, blue))
    return np.array(points, np.float64).reshape(-1, 3), np.array(colours, np.uint8).reshape(-1, 3)
