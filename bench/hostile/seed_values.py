"""Small files and values from which damaged copies are made: `Seed`, and pictures, videos, scenes, archives and arrays in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View

WIDTH, HEIGHT, COUNT = 48, 32, 4


@dataclass(frozen=True)
class Seed:
    """``data``: the undamaged file; ``read``: reads a damaged copy."""

    data: bytes
    read: Callable[[bytes], object]


MakeSeed = Callable[[Path], Seed]


def seed_of_file(folder: Path, name: str, data: bytes, read: Callable[[Path], object]) -> Seed:
    """A seed for a reader of files: every copy is written to the same file."""
    file = folder / name

    def read_copy(copy: bytes) -> object:
        file.write_bytes(copy)
        return read(file)

    return Seed(data, read_copy)


def zip_files(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npz(**arrays: NDArray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def camera_path(count: int = COUNT) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, :3, :3] = [from_pan_tilt_roll(3.0 * i, i, 0) for i in range(count)]
    poses[:, 0, 3] = 0.1 * np.arange(count)
    return CameraPath(poses, pinhole(WIDTH, HEIGHT, 60.0), WIDTH, HEIGHT, 6)


def colour(number: int = 0) -> NDArray[np.uint8]:
    ramp = np.linspace(20 + 10 * number, 200, WIDTH * HEIGHT * 3)
    return ramp.reshape(HEIGHT, WIDTH, 3).astype(np.uint8)


def scene(kind: str = "still", count: int = 1) -> Scene:
    depth = np.linspace(1, 3, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    path = camera_path(count)
    views = [View.of(colour(i), depth, path.intrinsics[i], path.world_from_camera[i]) for i in range(count)]
    return Scene(tuple(views), kind, "metres", 6.0, "exact depth", "seed")  # type: ignore[arg-type]


def picture(kind: str, mode: str = "RGB", number: int = 0) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(colour(number)).convert(mode).save(stream, kind)
    return stream.getvalue()


def video(kind: str = "mp4", codec: str = "libx264", pixels: str = "yuv420p") -> bytes:
    import av

    stream = io.BytesIO()
    stream.name = f"seed.{kind}"
    with av.open(stream, "w", format={"mkv": "matroska", "exr": "image2pipe"}.get(kind, kind)) as container:
        track = container.add_stream(codec, rate=8)
        track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, pixels  # type: ignore[attr-defined]
        for number in range(1 if kind == "exr" else COUNT):
            container.mux(track.encode(_frame(number, pixels)))  # type: ignore[attr-defined]
        container.mux(track.encode())  # type: ignore[attr-defined]
    return stream.getvalue()


def _frame(number: int, pixels: str):
    import av

    if pixels == "grayf32le":
        return av.VideoFrame.from_ndarray(scene().first.depth.astype(np.float32), format=pixels)
    return av.VideoFrame.from_ndarray(colour(number)).reformat(format=pixels)
