"""Storage of examples: JPEG or mp4 pictures, depth as integers of inverse depth, cameras as JSON.

Depth ``z`` is stored as ``round(levels * near / z)``, 0 for sky. The reprojection error is then the same everywhere, at most
``focal * baseline / (2 * levels * near)`` pixels, and the relative depth error is ``z / (2 * levels * near)``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View

FOLDER = Path(__file__).parent
SOURCE = "exact depth, rendered"


def read(name: str, title: str, folder: Path = FOLDER) -> Scene:
    """The scene in ``folder/name``; raises `InputError` if a file is missing or invalid."""
    home = folder / name
    facts = _facts(home / "camera.json")
    path = CameraPath(
        np.array(facts["world_from_camera"]),
        np.array(facts["intrinsics"]),
        facts["width"],
        facts["height"],
        facts["fps"],
    )
    if facts["kind"] == "clip":
        colours, codes = _frames(home / "colour.mp4", len(path)), unpack_planes(home / "depth.npz")
    else:
        colours = [_picture(file)[..., ::-1] for file in pictures(home, len(path))]
        codes = [_picture(file) for file in depths(home, len(path))]
    views = tuple(
        View.of(colour, decode_depth(code, facts["levels"], facts["near"]), lens, pose)
        for colour, code, lens, pose in zip(colours, codes, path.intrinsics, path.world_from_camera)
    )
    return Scene(views, facts["kind"], "metres", path.fps, SOURCE, title)


def pictures(home: Path, count: int) -> list[Path]:
    return [home / ("colour.jpg" if count == 1 else f"colour_{i}.jpg") for i in range(count)]


def depths(home: Path, count: int) -> list[Path]:
    return [home / ("depth.png" if count == 1 else f"depth_{i}.png") for i in range(count)]


def encode_depth(depth: NDArray, known: NDArray[np.bool_], levels: int, near: float) -> NDArray[np.uint16]:
    """Depth in metres to integers 1..levels; 0 where not ``known``."""
    inverse = np.clip(np.round(levels * near / np.maximum(depth, near)), 1, levels)
    return np.where(known, inverse, 0).astype(np.uint16)


def decode_depth(code: NDArray[np.uint16], levels: int, near: float) -> NDArray[np.float32]:
    """Integers to depth in metres; 0 for sky."""
    return np.where(code > 0, levels * near / np.maximum(code, 1), 0).astype(np.float32)


def pack_planes(frames: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(F,H,W) to byte planes (2,F,H,W) of the residual of a linear prediction from the left and upper neighbours.

    Inverse depth of a flat surface is linear in the picture, so most residuals are near 0.
    """
    residual = np.diff(np.diff(frames, axis=1, prepend=np.uint16(0)), axis=2, prepend=np.uint16(0))
    folded = np.where(residual < 1 << 15, residual << 1, ~(residual << 1)).astype(np.uint16)
    return np.stack([folded & 255, folded >> 8]).astype(np.uint8)


def unpack_planes(file: Path) -> NDArray[np.uint16]:
    """The inverse of `pack_planes`: frames (F,H,W)."""
    with np.load(file, allow_pickle=False) as data:
        low, high = data["planes"].astype(np.uint16)
    folded = low | (high << 8)
    residual = np.where(folded & 1, ~(folded >> 1), folded >> 1).astype(np.uint16)
    return np.cumsum(np.cumsum(residual, axis=2, dtype=np.uint16), axis=1, dtype=np.uint16)


def _facts(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file.name} of the example {file.parent.name!r} cannot be read; fetch examples/ again."
        ) from error


def _picture(file: Path) -> NDArray:
    import cv2

    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InputError(f"{file.name} of the example {file.parent.name!r} cannot be read; fetch examples/ again.")
    return picture


def _frames(file: Path, count: int) -> list[NDArray[np.uint8]]:
    from pipelines.media.video import read_video

    frames, _ = read_video(file)
    if len(frames) != count:
        raise InputError(
            f"{file.name} has {len(frames)} frames but the example has {count} cameras; fetch examples/ again."
        )
    return list(frames)
