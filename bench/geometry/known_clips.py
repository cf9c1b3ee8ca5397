"""Quickly rendered clips of the example scenes along known cameras, to measure camera recovery.

The ray marcher of `examples.render` takes seconds per frame. Here the stored pictures and their exact depth are rendered as a mesh,
with a completed second layer in the disocclusions, both computed once per clip: a rigid textured world with a known camera.
Frames are rendered at twice the size and averaged, for antialiased edges. The focal length is longer than the picture's, which
leaves a margin for the move. The moving object is a patterned ball, ray cast exactly.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from camera.completion.complete import complete_scene
from camera.path import CameraPath
from camera.render.scene import RenderedFrame, render_all
from camera.trajectories.film_script import path_of
from camera.view import Scene, View
from examples import load
from pipelines.media.video import complete

CACHE = Path(__file__).parents[2] / "build" / "known-clips"
"""Cache folder of rendered frames, whose names are hashes of all inputs, so that a second run only measures."""
LONGER = 1.3
"""Ratio of the clips' focal length to that of the picture."""
FINE = 2
"""Factor by which frames are rendered larger."""
NOISE = 3.0
"""Levels of noise before compression."""
CRF = 30


@dataclass(frozen=True)
class Ball:
    """A moving object, in focus depths in the axes of the first camera: moves from ``start`` (3) by ``way`` (3) over the clip."""

    start: tuple[float, float, float] = (-0.35, 0.1, 0.7)
    way: tuple[float, float, float] = (0.6, -0.15, 0.05)
    radius: float = 0.11


def path_in(scene: str, move: str, frames: int, width: int, height: int) -> CameraPath:
    """The path of ``move`` (film text) from the first camera of ``scene``, with the longer focal length."""
    view = load(scene).first
    path = path_of(move, view, frames=frames)
    lenses = path.intrinsics.copy()
    lenses[:, :2, :2] *= LONGER * width / view.width
    lenses[:, :2, 2] = (width - 1) / 2, (height - 1) / 2
    return CameraPath(path.world_from_camera, lenses, width, height, path.fps)


def film(scene: str, path: CameraPath, ball: Ball | None = None, *, fine: int = FINE) -> NDArray[np.uint8]:
    """Frames (F,H,W,3) of ``scene`` along ``path``, rendered ``fine`` times as large and averaged; cached in `CACHE`."""
    file = CACHE / f"{scene}-{_name(scene, path, ball, fine)}.npy"
    if not file.is_file():
        frames = _draw(scene, path, ball, fine)
        CACHE.mkdir(parents=True, exist_ok=True)
        with complete(file) as part, part.open("wb") as out:
            np.save(out, frames)
    return np.load(file, allow_pickle=False)


def compress(frames: NDArray[np.uint8], crf: int = CRF, noise: float = NOISE) -> NDArray[np.uint8]:
    """``frames`` with noise, encoded as H.264 and decoded again."""
    file = io.BytesIO()
    encode(file, frames, crf, noise)
    file.seek(0)
    with av.open(file, "r") as decoded:
        return np.stack([np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded.decode(video=0)])


def encode(file: io.BytesIO | str, frames: NDArray[np.uint8], crf: int = CRF, noise: float = NOISE) -> None:
    """Write an H.264 mp4 of the frames with normal noise of the given standard deviation in levels."""
    random = np.random.default_rng(0)
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2, "yuv420p"
        for frame in frames[:, : stream.height, : stream.width]:
            noisy = np.clip(frame + random.normal(0, noise, frame.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode())


def _draw(scene: str, path: CameraPath, ball: Ball | None, fine: int) -> NDArray[np.uint8]:
    world, large = Scene((load(scene).first,)), path.resized(fine * path.width, fine * path.height)
    behind = complete_scene(world, path)
    frames = []
    for i, image in enumerate(render_all(world, large, fill="background", behind=behind)):
        colour = image.colour if ball is None else _with_ball(image, large, i, ball, world.first)
        frames.append(cv2.resize(colour, (path.width, path.height), interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def _with_ball(image: RenderedFrame, path: CameraPath, frame: int, ball: Ball, view: View) -> NDArray[np.uint8]:
    """The frame with the ball ray cast into it, depth-tested against it."""
    share, unit = frame / max(len(path) - 1, 1), view.focus_depth
    place = unit * (np.array(ball.start) + share * np.array(ball.way))
    centre = path.camera_from_world[frame] @ view.world_from_camera @ np.append(place, 1)
    y, x = np.mgrid[: path.height, : path.width]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(path.intrinsics[frame]).T
    squares, along = (rays**2).sum(-1), rays @ centre[:3]
    inside = along**2 - squares * ((centre[:3] ** 2).sum() - (unit * ball.radius) ** 2)
    depth = (along - np.sqrt(np.maximum(inside, 0))) / squares
    shown = (inside > 0) & (depth > 0) & ((image.depth <= 0) | image.far | (depth < image.depth))
    turn = (path.camera_from_world[frame] @ view.world_from_camera)[:3, :3]
    local = (rays[shown] * depth[shown][:, None] - centre[:3]) @ turn / (unit * ball.radius)
    colour = image.colour.copy()
    colour[shown] = _pattern(local)
    return colour


def _pattern(local: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(N,3): colours at points (N,3) on the unit ball, smooth spots of several sizes."""
    waves = [np.sin(k * local @ np.array(axis) + k) for k, axis in ((9, (1, 2, 0)), (14, (0, 1, -2)), (21, (2, 0, 1)))]
    light = 0.75 - 0.25 * local[:, 1]
    shades = 140 + 45 * waves[0] + 35 * waves[1] + 25 * waves[2]
    return np.clip(np.stack([shades * light, 0.7 * shades * light, 110 * light], -1), 0, 255).astype(np.uint8)


def _name(scene: str, path: CameraPath, ball: Ball | None, fine: int) -> str:
    cameras = np.round(path.world_from_camera, 9).tobytes() + np.round(path.intrinsics, 9).tobytes()
    return hashlib.sha256(
        _renderer_hash() + cameras + f"{scene} {path.width} {path.height} {ball} {fine}".encode()
    ).hexdigest()[:16]


@lru_cache(maxsize=1)
def _renderer_hash() -> bytes:
    """A hash of the rendering code, so that frames of older code are not used."""
    folders = [Path(__file__).parents[2] / "camera" / name for name in ("render", "completion")]
    files = [Path(__file__), *sorted(file for folder in folders for file in folder.rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


def lengthen(path: CameraPath, times: float) -> CameraPath:
    """Multiply the focal lengths by a factor."""
    lenses = path.intrinsics.copy()
    lenses[:, [0, 1], [0, 1]] *= times
    return replace(path, intrinsics=lenses)
