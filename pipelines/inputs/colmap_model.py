"""A complete COLMAP model, binary or text: cameras, lens distortion, points and picture names.

Format: https://colmap.github.io/format.html. Pixel centres are at halves there, at integers here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.colmap import MODELS as NAMES
from camera.formats.colmap import OTHER_MODELS, images_bin, images_txt
from camera.formats.parsing import line_numbers, text_of
from camera.path import inverse, resizing
from camera.rotation import from_quaternion

MODELS = {0: ("f", 0), 1: ("fxfy", 0), 2: ("f", 1), 3: ("f", 2), 4: ("fxfy", 4), 6: ("fxfy", 8)}
"""COLMAP's model ids of SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV and FULL_OPENCV: focal lengths, and number of distortion terms."""
FILES = ("cameras", "images", "points3D")


@dataclass(frozen=True, eq=False)
class Lens:
    """``matrix`` (3,3) in pixels of ``width`` x ``height``; ``distortion`` (4, 5 or 8,) in OpenCV's order: k1 k2 p1 p2 k3 k4 k5 k6."""

    width: int
    height: int
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise InputError(
                f"A camera of the COLMAP model is for {self.width} x {self.height} pixels; export it again."
            )

    def straightened(self, picture: NDArray[np.uint8], name: str) -> tuple[NDArray[np.uint8], Lens]:
        """``picture`` (H,W,3), of this lens's aspect ratio at any size, without distortion, and its new lens."""
        height, width = picture.shape[:2]
        if abs(self.width / self.height - width / height) > 0.02 * width / height:
            raise InputError(
                f"{name} is {width} x {height}, its camera is for {self.width} x {self.height}; use the uncropped picture."
            )
        matrix = resizing(self.width, self.height, width, height) @ self.matrix
        if self.distortion.any():
            picture = np.asarray(cv2.undistort(picture, matrix, self.distortion), np.uint8)
        return picture, replace(self, width=width, height=height, matrix=matrix, distortion=np.zeros(4))


@dataclass(frozen=True, eq=False)
class Model:
    """Names of the pictures, with their poses world_from_camera (N,4,4) and lenses; points (P,3) and colours (P,3)."""

    names: tuple[str, ...]
    poses: NDArray[np.float64]
    lenses: tuple[Lens, ...]
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]


def read_model(folder: str | Path) -> Model:
    """The model in a folder; raises `InputError` for missing or damaged files and lenses of other kinds."""
    folder = Path(folder)
    kind = ".txt" if (folder / "images.txt").is_file() and not (folder / "images.bin").is_file() else ".bin"
    files = {}
    for name in (part + kind for part in FILES):
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise InputError(f"The model has no {name}; use an entry with {', '.join(FILES)}.") from error
    return model_of(files)


def model_of(files: Mapping[str, bytes]) -> Model:
    """The model from the contents of cameras, images and optionally points3D: .bin or .txt, by name."""
    if "images.bin" in files and "cameras.bin" in files:
        lenses = dict(_cameras(_Bytes("cameras.bin", files["cameras.bin"])))
        images = images_bin(files["images.bin"], "images.bin")
        points, colours = _points(_Bytes("points3D.bin", files.get("points3D.bin", b"\0" * 8)))
    elif "images.txt" in files and "cameras.txt" in files:
        lenses = dict(_text_cameras(text_of(files["cameras.txt"], "cameras.txt")))
        images = images_txt(files["images.txt"], "images.txt")
        points, colours = _text_points(text_of(files.get("points3D.txt", b""), "points3D.txt"))
    else:
        raise InputError(
            f"A COLMAP model consists of cameras and images, both .bin or both .txt, got {', '.join(sorted(files))}."
        )
    missing = {image.camera for image in images} - lenses.keys()
    if missing:
        raise InputError(f"The model's images name camera {min(missing)}, which its cameras do not have.")
    camera_from_world = np.repeat(np.eye(4)[None], len(images), axis=0)
    turns = np.stack([image.quaternion for image in images])
    camera_from_world[:, :3, :3] = from_quaternion(turns, order="wxyz")
    camera_from_world[:, :3, 3] = [image.translation for image in images]
    names = tuple(image.name for image in images)
    return Model(names, inverse(camera_from_world), tuple(lenses[image.camera] for image in images), points, colours)


class _Bytes:
    """Sequential reader of a binary file; raises `InputError` at its end."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data, self.at = name, data, 0

    def take(self, form: str) -> tuple:
        size = struct.calcsize(form)
        self.skip(size)
        return struct.unpack_from(form, self.data, self.at - size)

    def count(self) -> int:
        """Read a number of records, and check it against the remaining bytes."""
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
        raise InputError(
            f"Camera {number} is of COLMAP's model {OTHER_MODELS.get(model, model)}; undistort the pictures to PINHOLE first."
        )
    focal, terms = MODELS[model]
    return number, _lens(model, width, height, data.take(f"<{terms + (3 if focal == 'f' else 4)}d"))


def _lens(model: int, width: int, height: int, values: tuple[float, ...]) -> Lens:
    focal, terms = MODELS[model]
    fx, fy, cx, cy = (values[0], *values[:3]) if focal == "f" else values[:4]
    distortion = np.zeros(max(4, terms))
    distortion[:terms] = values[len(values) - terms :]
    return Lens(width, height, np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]]), distortion)


def _text_cameras(text: str) -> list[tuple[int, Lens]]:
    numbers = {name: number for number, (name, _) in NAMES.items()}
    lenses = []
    for line, words in _rows(text):
        where = f"Line {line} of cameras.txt"
        if len(words) < 5 or words[1] not in numbers:
            raise InputError(
                f"{where} is not a pinhole, radial or OPENCV camera; undistort the pictures to PINHOLE first."
            )
        model = numbers[words[1]]
        identity, width, height, *values = line_numbers(" ".join([words[0], *words[2:]]), (3 + NAMES[model][1],), where)
        lenses.append((int(identity), _lens(model, int(width), int(height), tuple(values))))
    return lenses


def _text_points(text: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    rows = [line_numbers(" ".join(words[:7]), (7,), f"Line {line} of points3D.txt") for line, words in _rows(text)]
    table = np.array(rows, np.float64).reshape(-1, 7)
    return table[:, 1:4], table[:, 4:].clip(0, 255).astype(np.uint8)


def _rows(text: str) -> list[tuple[int, list[str]]]:
    lines = enumerate(text.splitlines(), 1)
    return [(number, words) for number, line in lines if (words := line.split()) and words[0][0] != "#"]


def _points(data: _Bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    points, colours = [], []
    for _ in range(data.count()):
        _, x, y, z, red, green, blue, _, track = data.take("<Q3d3BdQ")
        data.skip(8 * track)
        points.append((x, y, z))
        colours.append((red, green, blue))
    return np.array(points, np.float64).reshape(-1, 3), np.array(colours, np.uint8).reshape(-1, 3)
