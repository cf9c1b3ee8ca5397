"""COLMAP models, text and binary: pixel centres at half-integers, images as camera-from-world poses, quaternions with w first.

One file contains one model: a zip of ``cameras``, ``images`` and ``points3D``. ``images`` alone is read too; its lens then comes
from elsewhere.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.conventions import half_pixel_lens, integer_pixel_lens
from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.parsing import (
    MOST_FRAMES,
    like_or_refuse,
    line_numbers,
    natural_key,
    number,
    numbers,
    resample_lens,
    size,
    text_of,
    unzip_members,
)
from camera.path import CameraPath, inverse
from camera.rotation import from_quaternion, to_quaternion

MODELS: dict[int, tuple[str, int]] = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    6: ("FULL_OPENCV", 12),
}  # fmt: skip
"""Perspective models and their number of parameters."""
OTHER_MODELS: dict[int, str] = {
    5: "OPENCV_FISHEYE", 7: "FOV", 8: "SIMPLE_RADIAL_FISHEYE", 9: "RADIAL_FISHEYE", 10: "THIN_PRISM_FISHEYE",
    11: "RAD_TAN_THIN_PRISM_FISHEYE",
}  # fmt: skip
"""Wide-angle models, which a path cannot represent."""
IDLE_MEMBERS = ("points3D", "rigs", "frames", "project", "database")
"""Files of a model that do not affect a path: the poses in ``images`` already include rigs and frames."""


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
    distorted: bool = False


def read_zip(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The cameras of a zipped model, in the natural order of their picture names.

    If there are several models, the one with the most pictures is used and noted.
    """
    inside = unzip_members(data, name)
    candidates = [model for model in models(inside) if model.cameras]
    if not candidates:
        got = ", ".join(path.rsplit("/", 1)[-1] for path in inside)
        raise InputError(
            f"{name} holds no COLMAP model; cameras and images, both .txt or both .bin, are expected in one folder, got {got[:200]}."
        )
    chosen = largest(candidates, name, account)
    _say_members(inside, chosen, account)
    suffix = chosen.suffix
    lenses = {".bin": _cameras_bin, ".txt": _cameras_txt}[suffix](inside[chosen.cameras], f"cameras{suffix}")
    return _path(chosen.read(), lenses, name, like, account)


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """One model among files: its folder, its two files with their full paths, and the content of ``images``."""

    folder: str
    suffix: str
    images: str
    cameras: str
    content: bytes

    def read(self) -> list[_Image]:
        return images_of(self.content, f"images{self.suffix}")


def models(files: Mapping[str, bytes]) -> list[ModelFiles]:
    """The models in ``files``, one per folder; the binary one if a folder has both. ``cameras`` is "" if that file is missing."""
    by_place = {(path.rpartition("/")[0], path.rpartition("/")[2].lower()): path for path in files}
    result = []
    for folder in sorted({folder for folder, _ in by_place}, key=natural_key):
        kinds = [kind for kind in (".bin", ".txt") if (folder, f"images{kind}") in by_place]
        kinds.sort(key=lambda kind: (folder, f"cameras{kind}") not in by_place)
        for kind in kinds[:1]:
            images = by_place[folder, f"images{kind}"]
            result.append(ModelFiles(folder, kind, images, by_place.get((folder, f"cameras{kind}"), ""), files[images]))
    return result


def largest(found: Sequence[ModelFiles], name: str, account: Account) -> ModelFiles:
    """The model with the most pictures; the first of several equal ones. Adds a note if there was a choice."""
    if len(found) == 1:
        return found[0]
    counts = [len(model.read()) for model in found]
    best = counts.index(max(counts))
    listed = ", ".join(f"{model.folder or 'the top folder'} ({count})" for model, count in zip(found, counts))
    account.say(
        f"{name} holds {len(found)} COLMAP models, {listed} by their pictures; the largest is taken. For another give its "
        "folder alone."
    )
    return found[best]


def images_of(data: bytes, name: str) -> list[_Image]:
    return images_bin(data, name) if name.lower().endswith(".bin") else images_txt(data, name)


def _say_members(inside: Mapping[str, bytes], chosen: ModelFiles, account: Account) -> None:
    files = account.fields(inside, idle=[p for p in inside if p.rsplit("/", 1)[-1].split(".")[0] in IDLE_MEMBERS])
    files.use(chosen.images, chosen.cameras)


def read_images(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read ``images.txt`` or ``images.bin`` alone, with the lens and size of ``like``."""
    images = images_of(data, name)
    _say_folders(images, account)
    account.say(f"{name} says no lens; that of the scene is taken.")
    wanted = like_or_refuse(like, name, "lens (which COLMAP keeps in cameras.txt or .bin: zip both)")
    return CameraPath(_poses(images), resample_lens(wanted, len(images)), wanted.width, wanted.height, wanted.fps)


def write_txt(path: CameraPath, cloud: PointCloud | None = None) -> bytes:
    """A zipped model as text; see `txt_files`."""
    return _zip_files(txt_files(path, cloud))


def txt_files(path: CameraPath, cloud: PointCloud | None = None) -> dict[str, bytes]:
    """``cameras.txt``, ``images.txt`` (pictures are named frame_00001.png and so on) and ``points3D.txt``.

    The points of ``cloud`` are written without tracks, i.e. as visible in no picture.
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
    return _zip_files({
        "cameras.bin": struct.pack("<Q", len(lenses)) + cameras,
        "images.bin": struct.pack("<Q", len(images)) + posed,
        "points3D.bin": struct.pack("<Q", 0),
    })  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------


def images_txt(data: bytes, name: str) -> list[_Image]:
    """Read, per image, a line with pose and name and a line of points, which may be empty or missing (some converters omit it)."""
    images: list[_Image] = []
    points_next = False
    for index, line in enumerate(text_of(data, name).splitlines(), 1):
        words = line.split(maxsplit=9)
        if words and words[0].startswith("#"):
            continue
        if not words or (points_next and _are_points(line)):
            points_next = False
            continue
        points_next = True
        where = f"Line {index} of {name}"
        if len(words) < 10:
            raise InputError(f"{where} should be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, got {len(words)} words.")
        values = line_numbers(" ".join(words[:9]), (9,), where)
        images.append(_Image(words[9].strip(), int(values[8]), values[1:5], values[5:8]))
    return _sort_images(images, name)


def _are_points(line: str) -> bool:
    """Whether a line consists of triples X Y POINT3D_ID, rather than an image whose name is a number."""
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    return len(values) % 3 == 0 and all(number == int(number) for number in values[2::3])


def images_bin(data: bytes, name: str) -> list[_Image]:
    reader = _Reader(data, name)
    images = []
    for _ in range(reader.count("images", smallest=73)):
        _, *values, camera = reader.unpack("<i7di")
        posed = numbers(values, (7,), f"image {len(images) + 1} of {name}")
        images.append(_Image(reader.text(), camera, posed[:4], posed[4:]))
        reader.skip(24 * reader.count("points of an image", smallest=24))
    return _sort_images(images, name)


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
            kind = OTHER_MODELS.get(model, f"model {model}")
            raise InputError(f"The lens of {where} is not a perspective lens ({kind}); undistort the model first.")
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
    doubled = model in ("PINHOLE", "OPENCV", "FULL_OPENCV")
    fx, fy = values[0], values[1 if doubled else 0]
    cx, cy = values[2:4] if doubled else values[1:3]
    terms = values[4 if doubled else 3 :]
    for focal in (fx, fy):
        number(float(focal), f"the focal length of {where}", minimum=1e-3)
    across, down = size(float(width), float(height), where)
    distorted = bool(np.abs(terms).max(initial=0) > 1e-9)
    return _Lens(across, down, integer_pixel_lens([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), distorted)


def _say_folders(images: list[_Image], account: Account) -> None:
    folders = {image.name.rpartition("/")[0]: None for image in images}
    if len(folders) > 1:
        account.say(
            f"The pictures of {account.name} lie in {len(folders)} folders ({', '.join(folders)[:80]}); the path runs through one after the other."
        )


def _path(
    images: list[_Image], lenses: dict[int, _Lens], name: str, like: CameraPath | None, account: Account
) -> CameraPath:
    unmatched = [image for image in images if image.camera not in lenses]
    if unmatched:
        raise InputError(
            f"Image {unmatched[0].name!r} of {name} uses camera {unmatched[0].camera}, which the model does not have."
        )
    used = [lenses[image.camera] for image in images]
    if count := sum(each.distorted for each in used):
        account.say(
            f"The lens of {count} of {len(used)} cameras of {name} is distorted; the path is shot without distortion."
        )
    _say_folders(images, account)
    intrinsics, width, height = lens.fit_to_one_size(
        [(each.intrinsics, each.width, each.height) for each in used], account
    )
    return CameraPath(_poses(images), intrinsics, width, height, like.fps if like else 24.0)


def _poses(images: list[_Image]) -> NDArray[np.float64]:
    camera_from_world = np.repeat(np.eye(4)[None], len(images), axis=0)
    camera_from_world[:, :3, :3] = from_quaternion(np.stack([each.quaternion for each in images]), order="wxyz")
    camera_from_world[:, :3, 3] = [each.translation for each in images]
    return inverse(camera_from_world)


def _sort_images(images: list[_Image], name: str) -> list[_Image]:
    if not 1 <= len(images) <= MOST_FRAMES:
        raise InputError(f"{name} should hold 1 to {MOST_FRAMES} images, got {len(images)}.")
    return sorted(images, key=lambda image: natural_key(image.name))


class _Reader:
    """Reads little-endian records; raises `InputError` if the file is truncated or announces more than it contains."""

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
        """The number of following records, each at least ``smallest`` bytes long."""
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
        text = self.data[self.at : end].decode("utf-8", errors="replace")
        self.at = end + 1
        return text

    def skip(self, size: int) -> None:
        self.at += size


# --- writing ---------------------------------------------------------------------------------------------------------


def _lenses(path: CameraPath) -> list[tuple[int, tuple[int, int, float, float, float, float]]]:
    """Index, and width, height, fx, fy, cx, cy: one camera, or one per frame if the lens changes."""
    matrices = half_pixel_lens(lens.require_no_skew(path, "COLMAP").intrinsics)
    different = matrices[:1] if _constant(path) else matrices
    return [
        (i, (path.width, path.height, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])))
        for i, k in enumerate(different)
    ]


def _images(path: CameraPath) -> list[tuple[int, tuple[list[float], int, str]]]:
    """Index, and seven pose numbers, the camera's index, and the name."""
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


def _zip_files(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"sparse/0/{name}", content)
    return buffer.getvalue()
