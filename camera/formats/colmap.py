"""COLMAP models, text and binary: cameras with pixel centres at half-integers, images as camera from world, quaternion w first.

One file holds one model: a zip of ``cameras``, ``images`` and ``points3D``. ``images`` alone is read too, with a lens from
elsewhere.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.conventions import half_pixel_lens, integer_pixel_lens
from camera.errors import InputError
from camera.formats import lens
from camera.formats.parsing import (
    MOST_FRAMES,
    like_or_refuse,
    line_numbers,
    members,
    number,
    numbers,
    resampled_lens,
    size,
    text_of,
)
from camera.path import CameraPath, inverse
from camera.rotation import from_quaternion, to_quaternion

MODELS: dict[int, tuple[str, int]] = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
}  # fmt: skip
"""Perspective models and their number of parameters; further ones are wide-angle lenses, which a path cannot have."""


@dataclass(frozen=True, eq=False)
class _Image:
    name: str
    camera: int
    quaternion: NDArray[np.float64]  # (4,) w x y z
    translation: NDArray[np.float64]  # (3,)


@dataclass(frozen=True, eq=False)
class _Lens:
    width: int
    height: int
    intrinsics: NDArray[np.float64]  # (3,3), pixel centres at integers


def read_zip(data: bytes, name: str, like: CameraPath | None) -> CameraPath:
    """The cameras of a zipped model, in the order of their picture names."""
    files = {path.rsplit("/", 1)[-1].lower(): content for path, content in members(data, name).items()}
    for suffix, read_cameras, read_images in ((".bin", _cameras_bin, images_bin), (".txt", _cameras_txt, images_txt)):
        if f"images{suffix}" in files and f"cameras{suffix}" in files:
            lenses = read_cameras(files[f"cameras{suffix}"], f"cameras{suffix}")
            return _path(read_images(files[f"images{suffix}"], f"images{suffix}"), lenses, name, like)
    raise InputError(
        f"{name} holds no COLMAP model; cameras and images, both .txt or both .bin, are expected, got {', '.join(files)[:200]}."
    )


def read_images(data: bytes, name: str, like: CameraPath | None) -> CameraPath:
    """``images.txt`` or ``images.bin`` alone, with the lens and size of ``like``."""
    images = images_bin(data, name) if name.lower().endswith(".bin") else images_txt(data, name)
    wanted = like_or_refuse(like, name, "lens (which COLMAP keeps in cameras.txt or .bin: zip both)")
    return CameraPath(_poses(images), resampled_lens(wanted, len(images)), wanted.width, wanted.height, wanted.fps)


def write_txt(path: CameraPath, cloud: PointCloud | None = None) -> bytes:
    """A zipped model as text; see `txt_files`."""
    return _zipped(txt_files(path, cloud))


def txt_files(path: CameraPath, cloud: PointCloud | None = None) -> dict[str, bytes]:
    """``cameras.txt``, ``images.txt``, which names pictures frame_00001.png and on, and ``points3D.txt``.

    The points of ``cloud`` are said to be seen by no picture.
    """
    cameras = "".join(
        f"{i + 1} PINHOLE {w} {h} {fx!r} {fy!r} {cx!r} {cy!r}\n" for i, (w, h, fx, fy, cx, cy) in _lenses(path)
    )
    images = "".join(
        f"{i + 1} {' '.join(map(repr, numbers))} {camera + 1} {name}\n\n"
        for i, (numbers, camera, name) in _images(path)
    )
    return {
        "cameras.txt": ("# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n" + cameras).encode(),
        "images.txt": ("# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then POINTS2D[]\n" + images).encode(),
        "points3D.txt": ("# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]\n" + _points_txt(cloud)).encode(),
    }


def write_bin(path: CameraPath) -> bytes:
    lenses, images = _lenses(path), _images(path)
    cameras = b"".join(struct.pack("<iiQQ4d", i + 1, 1, *values) for i, values in lenses)
    posed = b"".join(
        struct.pack("<i7di", i + 1, *numbers, camera + 1) + name.encode() + b"\0" + struct.pack("<Q", 0)
        for i, (numbers, camera, name) in images
    )
    return _zipped({
        "cameras.bin": struct.pack("<Q", len(lenses)) + cameras,
        "images.bin": struct.pack("<Q", len(images)) + posed,
        "points3D.bin": struct.pack("<Q", 0),
    })  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------


def images_txt(data: bytes, name: str) -> list[_Image]:
    """Two lines per image: pose and name, then points, which may be an empty line."""
    lines = [(i, line) for i, line in enumerate(text_of(data, name).splitlines(), 1) if not line.startswith("#")]
    while lines and not lines[0][1].strip():
        lines = lines[1:]
    images = []
    for index, line in lines[::2]:
        words = line.split(maxsplit=9)
        if not words:
            continue
        where = f"Line {index} of {name}"
        if len(words) < 10:
            raise InputError(f"{where} should be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, got {len(words)} words.")
        values = line_numbers(" ".join(words[:9]), (9,), where)
        images.append(_Image(words[9].strip(), int(values[8]), values[1:5], values[5:8]))
    return _checked(images, name)


def images_bin(data: bytes, name: str) -> list[_Image]:
    reader = _Reader(data, name)
    images = []
    for _ in range(reader.count("images", smallest=73)):
        _, *values, camera = reader.unpack("<i7di")
        posed = numbers(values, (7,), f"image {len(images) + 1} of {name}")
        images.append(_Image(reader.text(), camera, posed[:4], posed[4:]))
        reader.skip(24 * reader.count("points of an image", smallest=24))
    return _checked(images, name)


def _cameras_txt(data: bytes, name: str) -> dict[int, _Lens]:
    lenses = {}
    for index, line in enumerate(text_of(data, name).splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"Line {index} of {name}"
        if len(words) < 5:
            raise InputError(f"{where} should be CAMERA_ID MODEL WIDTH HEIGHT PARAMS, got {len(words)} words.")
        values = line_numbers(" ".join([words[0], *words[2:]]), (len(words) - 1,), where)
        lenses[int(values[0])] = _lens(words[1], values[1], values[2], values[3:], where)
    return lenses


def _cameras_bin(data: bytes, name: str) -> dict[int, _Lens]:
    reader = _Reader(data, name)
    lenses = {}
    for _ in range(reader.count("cameras", smallest=48)):
        identity, model, width, height = reader.unpack("<iiQQ")
        where = f"camera {identity} of {name}"
        if model not in MODELS:
            raise InputError(f"The lens of {where} is no perspective one (model {model}); undistort the model first.")
        kind, parameters = MODELS[model]
        lenses[identity] = _lens(kind, width, height, np.array(reader.unpack(f"<{parameters}d")), where)
    return lenses


def _lens(model: str, width: float, height: float, values: NDArray, where: str) -> _Lens:
    counts = dict(MODELS.values())
    if model not in counts:
        raise InputError(
            f"The lens of {where} is {model[:40]}; only perspective ones can be followed: undistort first."
        )
    values = numbers(values.tolist(), (counts[model],), f"the parameters of {where}")
    doubled = model in ("PINHOLE", "OPENCV")
    fx, fy = values[0], values[1 if doubled else 0]
    cx, cy = values[2:4] if doubled else values[1:3]
    bent = values[4 if doubled else 3 :]
    if np.abs(bent).max(initial=0) > 1e-9:
        raise InputError(f"The lens of {where} is distorted; undistort the model first (colmap image_undistorter).")
    for focal in (fx, fy):
        number(float(focal), f"the focal length of {where}", minimum=1e-3)
    across, down = size(float(width), float(height), where)
    return _Lens(across, down, integer_pixel_lens([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))


def _path(images: list[_Image], lenses: dict[int, _Lens], name: str, like: CameraPath | None) -> CameraPath:
    lost = [image for image in images if image.camera not in lenses]
    if lost:
        raise InputError(
            f"Image {lost[0].name!r} of {name} uses camera {lost[0].camera}, which the model does not have."
        )
    used = [lenses[image.camera] for image in images]
    sizes = {(each.width, each.height) for each in used}
    if len(sizes) > 1:
        raise InputError(f"The pictures of {name} have several sizes, {sorted(sizes)[:3]}; a camera path needs one.")
    width, height = sizes.pop()
    intrinsics = np.stack([each.intrinsics for each in used])
    return CameraPath(_poses(images), intrinsics, width, height, like.fps if like else 24.0)


def _poses(images: list[_Image]) -> NDArray[np.float64]:
    camera_from_world = np.repeat(np.eye(4)[None], len(images), axis=0)
    camera_from_world[:, :3, :3] = from_quaternion(np.stack([each.quaternion for each in images]), order="wxyz")
    camera_from_world[:, :3, 3] = [each.translation for each in images]
    return inverse(camera_from_world)


def _checked(images: list[_Image], name: str) -> list[_Image]:
    if not 1 <= len(images) <= MOST_FRAMES:
        raise InputError(f"{name} should hold 1 to {MOST_FRAMES} images, got {len(images)}.")
    return sorted(images, key=lambda image: image.name)


class _Reader:
    """Little-endian records of a file; raises `InputError` where the file ends too early or announces more than it holds."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    def unpack(self, layout: str) -> tuple:
        size = struct.calcsize(layout)
        if self.at + size > len(self.data):
            raise InputError(f"{self.name} ends in the middle of a record (byte {self.at}); it is cut off.")
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += size
        return values

    def count(self, what: str, *, smallest: int) -> int:
        """A number of records that follow, each at least ``smallest`` bytes long."""
        (announced,) = self.unpack("<Q")
        if announced * smallest > len(self.data) - self.at:
            raise InputError(
                f"{self.name} announces {announced} {what}, more than its {len(self.data)} bytes can hold."
            )
        return announced

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0 or end - self.at > 4096:
            raise InputError(f"{self.name} has a picture name without an end (byte {self.at}); it is damaged.")
        found = self.data[self.at : end].decode("utf-8", errors="replace")
        self.at = end + 1
        return found

    def skip(self, size: int) -> None:
        self.at += size


# --- writing ---------------------------------------------------------------------------------------------------------


def _lenses(path: CameraPath) -> list[tuple[int, tuple[int, int, float, float, float, float]]]:
    """Index, and width, height, fx, fy, cx, cy: one camera, or one per frame where the lens changes."""
    matrices = half_pixel_lens(lens.without_skew(path, "COLMAP").intrinsics)
    different = matrices[:1] if _constant(path) else matrices
    return [
        (i, (path.width, path.height, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])))
        for i, k in enumerate(different)
    ]


def _images(path: CameraPath) -> list[tuple[int, tuple[list[float], int, str]]]:
    """Index, and seven pose numbers, the index of the camera, and the name."""
    matrices = path.camera_from_world
    posed = np.concatenate([to_quaternion(matrices[:, :3, :3], order="wxyz"), matrices[:, :3, 3]], axis=1).tolist()
    constant = _constant(path)
    return [(i, (row, 0 if constant else i, f"frame_{i + 1:05d}.png")) for i, row in enumerate(posed)]


def _points_txt(cloud: PointCloud | None) -> str:
    if cloud is None:
        return ""
    rows = enumerate(zip(cloud.points.tolist(), cloud.colours.tolist()), 1)
    return "".join(f"{i} {x:.6g} {y:.6g} {z:.6g} {r} {g} {b} 0\n" for i, ((x, y, z), (r, g, b)) in rows)


def _constant(path: CameraPath) -> bool:
    return bool(np.abs(path.intrinsics - path.intrinsics[0]).max() < 1e-9)


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"sparse/0/{name}", content)
    return buffer.getvalue()
