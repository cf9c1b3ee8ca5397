"""Ground-truth pictures of holes, cached on disk, because ray marching takes most of a benchmark's time.

They are in ``build/truths``, under a name that changes with the renderer of the examples.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import examples.render
from camera.path import CameraPath
from camera.view import View
from examples import load
from examples.render import render_within, setting_of
from pipelines.media.video import complete

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "truths"
ROOM = 0.02
"""Minimum distance between camera and objects, as a fraction of the focus depth."""


def true_holes(
    name: str, move: str, path: CameraPath, frame: int, holes: NDArray[np.bool_], seconds: float | None
) -> View | None:
    """Ground truth in the ``holes`` (H,W) of one frame, rough elsewhere; None if the camera would be inside an object."""
    file = FOLDER / f"{name}-{move.replace(' ', '_')}-{path.width}-{_version(holes)}.npz"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with complete(file) as part, part.open("wb") as stream:
            np.savez_compressed(stream, **_march(name, path, frame, holes, seconds))
    with np.load(file) as stored:
        if "colour" not in stored:
            return None
        return View(
            stored["colour"], stored["depth"], path.intrinsics[frame], path.world_from_camera[frame], stored["known"]
        )


def _march(
    name: str, path: CameraPath, frame: int, holes: NDArray[np.bool_], seconds: float | None
) -> dict[str, NDArray]:
    clock = setting_of(name).seconds if seconds is None else seconds
    x, y, z = path.centres[frame]
    if setting_of(name).distance(x, -y, z, clock) < ROOM * load(name).first.focus_depth:
        return {}
    view = render_within(name, path, holes, frame, time=clock, samples=1)
    return {"colour": view.colour, "depth": view.depth, "known": view.known}


def _version(holes: NDArray[np.bool_]) -> str:
    return hashlib.sha256(_renderer() + np.packbits(holes).tobytes()).hexdigest()[:12]


@cache
def _renderer() -> bytes:
    """A digest of the renderer's source."""
    digest = hashlib.sha256()
    for file in sorted(Path(examples.render.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()
