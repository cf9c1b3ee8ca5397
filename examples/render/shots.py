"""Sizes and cameras of each scene's example, and the writing of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from camera.path import CameraPath, pinhole
from camera.view import View
from examples.render.picture import render, setting_of
from examples.render.scenes import camera_at, home
from examples.store import depths, encode_depth, pack_planes, pictures
from pipelines.media.video import complete, write_mp4

FPS = 24.0


@dataclass(frozen=True)
class Shot:
    """One example: its kind, picture size, number of depth levels, and its camera path for a given size."""

    kind: Literal["still", "clip", "views"]
    width: int
    height: int
    levels: int
    path: Callable[[int, int], CameraPath]


def train_path(width: int, height: int, frames: int = 49) -> CameraPath:
    """An arc to the right and down that moves with the train."""
    blend = np.linspace(0, 1, frames)
    ease = blend * blend * (3 - 2 * blend)
    angle = np.radians(-25 + 36 * ease)
    poses = [
        camera_at((-1.46 * -np.sin(a), 0.54 - 0.16 * e, -1.46 * np.cos(a)), (0.05 * e, 0.08, 0.04))
        for a, e in zip(angle, ease)
    ]
    return CameraPath(np.stack(poses), pinhole(width, height, 50), width, height, FPS)


def courtyard_path(width: int, height: int) -> CameraPath:
    """Three views from an arc around the fountain."""
    angles = np.radians([0, 17, 34]) - 0.28
    poses = [camera_at((5.5 * np.sin(a), 1.8, -5.5 * np.cos(a)), (0.0, 1.35, 0.0)) for a in angles]
    return CameraPath(np.stack(poses), pinhole(width, height, 62), width, height, FPS)


def _still(name: str) -> Shot:
    return Shot("still", 1280, 720, 16383, lambda width, height: home(setting_of(name), width, height))


SHOTS: dict[str, Shot] = {
    **{
        name: _still(name)
        for name in (
            "reading_room",
            "mountain_lake",
            "street_at_dusk",
            "still_life",
            "lighthouse",
            "temple_garden",
            "fox",
        )
    },
    "toy_train": Shot("clip", 640, 384, 2047, train_path),
    "courtyard": Shot("views", 960, 576, 8191, courtyard_path),
}


def make(name: str, folder: Path, *, width: int = 0, height: int = 0, samples: int = 0) -> Path:
    """Render the example ``name`` and write its files to ``folder/name``; returns that folder."""
    shot = SHOTS[name]
    path = shot.path(width or shot.width, height or shot.height)
    samples = samples or (2 if shot.kind == "clip" else 3)
    clock = None if shot.kind == "clip" else setting_of(name).seconds
    views = [render(name, path, frame, time=clock, samples=samples) for frame in range(len(path))]
    write(views, path, shot, folder / name)
    return folder / name


def write(views: list[View], path: CameraPath, shot: Shot, home: Path) -> None:
    """Write pictures, depth, cameras and thumbnail of an example; each file gets its final name when complete."""
    home.mkdir(parents=True, exist_ok=True)
    near = float(min(view.depth.min() for view in views))
    coded = np.stack([encode_depth(view.depth, view.known, shot.levels, near) for view in views])
    if shot.kind == "clip":
        write_mp4(home / "colour.mp4", [view.colour for view in views], path.fps)
        with complete(home / "depth.npz") as part:
            np.savez_compressed(part, planes=pack_planes(coded))
    else:
        for view, code, picture, depth in zip(views, coded, pictures(home, len(path)), depths(home, len(path))):
            _write(picture, ".jpg", view.colour[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            _write(depth, ".png", code, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    small = cv2.resize(views[0].colour, (384, round(384 * path.height / path.width)), interpolation=cv2.INTER_AREA)
    _write(home / "thumbnail.jpg", ".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    facts = {
        "kind": shot.kind,
        "unit": "metres",
        "convention": "world from camera, OpenCV axes (x right, y down, z forward), pixels with centres at integers",
        "depth": "metres along z = levels * near / stored number; 0 is sky",
        "levels": shot.levels,
        "near": near,
        "width": path.width,
        "height": path.height,
        "fps": path.fps,
        "world_from_camera": path.world_from_camera.tolist(),
        "intrinsics": path.intrinsics.tolist(),
    }
    with complete(home / "camera.json") as part:
        part.write_text(json.dumps(facts))


def _write(file: Path, suffix: str, picture: np.ndarray, options: list[int]) -> None:
    done, data = cv2.imencode(suffix, picture, options)
    if not done:
        raise OSError(f"{file.name} could not be encoded")
    part = file.with_name(f".part-{file.name}")
    part.write_bytes(data.tobytes())
    os.replace(part, file)
