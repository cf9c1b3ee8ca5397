"""A project: picture, depth, objects with their files and ways, camera path and settings in one zip, saved and restored.

``project.json`` holds camera and settings, ``picture.png`` and ``depth.npy`` are the scene, ``objects.json`` and ``models/``
the objects.
Nothing in it is run or unpickled; sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camera.errors import InputError
from camera.objectfile import part, read_objects, write_objects
from camera.objects import StagedScene, staged
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.i2v3d.method import I2V3DMoves, I2V3DSettings
from pipelines.results import path_values
from pipelines.settings import Settings
from pipelines.video import complete

FORMAT, TAG = 1, "reshoot_project"
LARGEST_PICTURE = 64_000_000
"""Pixels."""
LARGEST_WORDS = 1 << 26
"""Bytes of ``project.json``."""
_FILES = I2V3DSettings.files()
"""Settings that name files of this computer."""


@dataclass(frozen=True, eq=False)
class Project:
    """``settings`` without files of this computer; ``moves``: the camera controls where the path came from them;
    ``notes`` on what was left out."""

    scene: StagedScene
    path: CameraPath | None = None
    settings: I2V3DSettings = field(default_factory=I2V3DSettings)
    moves: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def save_project(file: str | Path, project: Project) -> Path:
    """Writes the zip; it takes its name when it is whole."""
    with complete(file) as whole:
        whole.write_bytes(pack(project))
    return Path(file)


def pack(project: Project) -> bytes:
    """The zip as bytes."""
    scene, view = project.scene, project.scene.first
    values = project.settings.values()
    about = {
        TAG: FORMAT,
        "scene": {
            "name": scene.name, "unit": scene.unit, "source": scene.source, "distance": scene.distance,
            "intrinsics": view.intrinsics.tolist(), "world_from_camera": view.world_from_camera.tolist(),
        },
        "path": path_values(project.path) if project.path else None,
        "moves": project.moves,
        "settings": {name: value for name, value in values.items() if name not in _FILES},
        "left_out": [name for name in _FILES if values[name]],
    }  # fmt: skip
    stream, depth = io.BytesIO(), io.BytesIO()
    np.save(depth, np.where(view.known, view.depth, 0).astype(np.float32), allow_pickle=False)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", json.dumps(about, allow_nan=False))
        archive.writestr("picture.png", cv2.imencode(".png", view.colour[..., ::-1])[1].tobytes(), zipfile.ZIP_STORED)
        archive.writestr("depth.npy", depth.getvalue())
        write_objects(archive, scene.objects)
    return stream.getvalue()


def read_project(file: str | Path | io.BytesIO, name: str = "") -> Project:
    """What `pack` wrote. Raises `InputError` for anything else."""
    name = name or (Path(file).name if isinstance(file, (str, Path)) else "The project")
    try:
        with zipfile.ZipFile(file) as archive:
            about = json.loads(part(archive, "project.json", LARGEST_WORDS))
            if not isinstance(about, dict) or about.get(TAG, FORMAT + 1) > FORMAT:
                raise InputError(f"{name} was saved by a newer Reshoot, or is no project; update to open it.")
            scene = _scene(archive, about["scene"])
            objects = read_objects(archive)
        scene = StagedScene(
            scene.views, "still", scene.unit, name=scene.name, source=scene.source, objects=objects,
            distance=float(about["scene"]["distance"]),
        )  # fmt: skip
        path = CameraPath(**about["path"]) if about["path"] else None
        values, notes = _accepted(I2V3DSettings, about["settings"])
        moves, more = _accepted(I2V3DMoves, about["moves"])
        notes += more
        for left in about["left_out"]:
            label = I2V3DSettings.controls()[left].label
            notes += (f"{label}: a project does not carry this file; choose it again.",)
        return Project(scene, path, I2V3DSettings.of(values), moves, notes)  # type: ignore[arg-type]
    except InputError:
        raise
    except (
        OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, RecursionError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise InputError(f"{name} is not a whole project of Reshoot; give the zip that was saved here.") from error


def _scene(archive: zipfile.ZipFile, about: dict[str, Any]) -> Scene:
    from PIL import Image

    picture = Image.open(io.BytesIO(part(archive, "picture.png", 4 * LARGEST_PICTURE)))
    if picture.width * picture.height > LARGEST_PICTURE:
        raise InputError("The picture in the project is larger than 64 megapixels; it cannot be opened.")
    stored = io.BytesIO(part(archive, "depth.npy", 4 * LARGEST_PICTURE + 1024))
    depth = np.load(stored, allow_pickle=False).astype(np.float32)
    pose, lens = np.array(about["world_from_camera"]), np.array(about["intrinsics"])
    view = View.of(np.array(picture.convert("RGB")), depth, lens, pose)
    unit = "metres" if about["unit"] == "metres" else "relative"
    return staged(Scene((view,), "still", unit, source=str(about["source"]), name=str(about["name"])))


def _accepted(kind: type[Settings], values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Those that are still known and allowed, and a sentence for each other one."""
    good: dict[str, Any] = {}
    notes = []
    for name, value in values.items():
        try:
            if name in _FILES:
                raise InputError(f"{name} in the project names a file of another computer, so it is left out.")
            kind.of({name: value})
            good[name] = value
        except InputError as error:
            notes.append(str(error))
    return good, tuple(notes)
