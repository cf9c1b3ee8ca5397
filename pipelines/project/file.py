"""A project's file: scene, move and settings of every method in one zip, to be opened again here or elsewhere.

``project.json`` holds camera and settings, ``scene.npz`` the pictures with depth, lens and pose, ``objects.json`` and ``models/``
the objects. Nothing in it is run or unpickled, no name in it becomes a path, and sizes are checked before anything is unpacked.
Files that settings name (a LoRA, own keyframes) are not in it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from camera.editing import saved
from camera.editing.keys import KeyedMove
from camera.errors import InputError, reading
from camera.objects.archive import part, read_objects, write_objects
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.sequence.shots import MOST_SHOTS, Shot
from camera.view import Scene
from pipelines import method as record_of
from pipelines.inputs.npz import read_npz
from pipelines.media.video import complete
from pipelines.options import RunOptions
from pipelines.project.content import Content, MoveSource
from pipelines.registry import NAMES
from pipelines.results.arrays import scene_arrays, scene_facts
from pipelines.results.embedded_scene import SHAPES, checked_facts, view_of
from pipelines.results.record import accepted

TAG, FORMAT = "reshoot_studio", 1
LARGEST_WORDS, LARGEST_SCENE = 1 << 26, 1 << 31
"""Bytes of ``project.json``, and of ``scene.npz`` as it lies in the zip."""
LARGEST_ARRAY, MOST_VIEWS = 1 << 28, 2000
"""Bytes of one picture or depth, and pictures of a scene."""


@dataclass(frozen=True, eq=False)
class ProjectFile:
    """``scene`` as it was given, ``example`` its name where it is one; ``own``: a path file, with how it is taken;
    ``track``: the keys of the move; ``shots``: the list with cuts. ``source`` says where the move comes from, ``moves`` and ``settings`` what the controls
    say, by method; values are plain. ``method``: the one that was selected."""

    scene: Scene | None = None
    example: str = ""
    own: CameraPath | None = None
    own_as_given: bool = False
    own_scale: str = "keep"
    track: KeyedMove | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    moves: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method: str = ""
    shots: tuple[Shot, ...] = ()


def save_project(file: str | Path, project: ProjectFile) -> Path:
    """Writes the zip, which takes its name when it is whole."""
    scene = project.scene
    about = {
        TAG: FORMAT,
        "scene": scene_facts(scene) if scene is not None else None,
        "example": project.example,
        "own": project.own.values() if project.own else None,
        "own_as_given": project.own_as_given,
        "own_scale": project.own_scale,
        "track": saved.write(project.track) if project.track else None,
        "source": dict(project.source),
        "moves": {name: dict(values) for name, values in project.moves.items()},
        "settings": {name: dict(values) for name, values in project.settings.items()},
        "method": project.method,
        "shots": [{"name": shot.name, "path": shot.path.values()} for shot in project.shots],
    }
    with complete(file) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", json.dumps(about, allow_nan=False))
        if scene is not None:
            plain = Scene(scene.views, scene.kind, scene.unit, scene.fps, scene.source, scene.name)
            stream = io.BytesIO()
            np.savez_compressed(stream, **scene_arrays(plain))
            archive.writestr("scene.npz", stream.getvalue(), zipfile.ZIP_STORED)
        if isinstance(scene, StagedScene):
            write_objects(archive, scene.objects)
    return Path(file)


def is_project(file: str | Path) -> bool:
    """Whether a zip is a project of all tabs, as `save_project` writes it, and not one of I2V3D's own."""
    with reading(_broken(file)), zipfile.ZipFile(file) as archive:
        about = json.loads(part(archive, "project.json", LARGEST_WORDS))
        return isinstance(about, dict) and TAG in about


def read_project(file: str | Path) -> ProjectFile:
    """What `save_project` wrote; raises `InputError` for anything else."""
    name = Path(file).name
    with (
        reading(_broken(file)),
        zipfile.ZipFile(file) as archive,
    ):
        about = json.loads(part(archive, "project.json", LARGEST_WORDS))
        if not isinstance(about, dict) or TAG not in about:
            raise InputError(f"{name} is no project of all tabs; one of I2V3D's is opened on its own tab.")
        if not isinstance(about[TAG], int) or about[TAG] > FORMAT:
            raise InputError(f"{name} was saved by a newer Reshoot; update to open it.")
        return ProjectFile(
            _scene(archive, about["scene"], name) if about["scene"] is not None else None,
            str(about["example"])[:200],
            CameraPath(**about["own"]) if about["own"] is not None else None,
            bool(about["own_as_given"]), str(about["own_scale"])[:40],
            saved.read(about["track"]) if about["track"] is not None else None,
            dict(about["source"]), _by_method(about["moves"]), _by_method(about["settings"]), str(about["method"])[:80],
            _shots(about.get("shots", []), name),
        )  # fmt: skip


def _broken(file: str | Path) -> str:
    return f"{Path(file).name} is not a whole project of Reshoot; give the zip that was saved here."


def _scene(archive: zipfile.ZipFile, facts: dict[str, Any], name: str) -> Scene:
    count = int(facts["views"])
    if not 1 <= count <= MOST_VIEWS:
        raise InputError(f"{name} says that its scene has {count} pictures; it cannot be opened.")
    stored = io.BytesIO(part(archive, "scene.npz", LARGEST_SCENE))
    shapes = {f"view{number}.{key}": shape for number in range(count) for key, shape in SHAPES.items()}
    arrays = read_npz(stored, shapes, name=name, most_bytes=LARGEST_ARRAY)
    scene = Scene(tuple(view_of(arrays, number) for number in range(count)), **checked_facts(facts))
    if "distance" not in facts:
        return scene
    values = (scene.views, scene.kind, scene.unit, scene.fps, scene.source, scene.name)
    return StagedScene(*values, objects=read_objects(archive), distance=float(facts["distance"]))


def _shots(given: Any, name: str) -> tuple[Shot, ...]:
    if len(given) > MOST_SHOTS:
        raise InputError(f"{name} has {len(given)} shots; a sequence here has up to {MOST_SHOTS}.")
    return tuple(Shot(str(shot["name"])[:60], CameraPath(**shot["path"])) for shot in given)


def _by_method(given: Any) -> dict[str, dict[str, Any]]:
    return {str(name): dict(values) for name, values in dict(given).items()}


def content_of(made: ProjectFile) -> tuple[Content, tuple[str, ...]]:
    """The content of a file, and a sentence for each value that is not known or allowed any more."""
    source, notes = accepted(MoveSource, made.source)
    moves: dict[str, Any] = {}
    settings: dict[str, dict[str, Any]] = {}
    for name, values in made.moves.items():
        if name in NAMES:
            moves[name], more = accepted(record_of(name).moves, values)
            notes += more
    for name, values in made.settings.items():
        if name in NAMES:
            kinds = (record_of(name).settings, RunOptions)
            chosen = [accepted(kind, {k: v for k, v in values.items() if k in kind.controls()}) for kind in kinds]
            strange = sorted(set(values) - {key for kind in kinds for key in kind.controls()})
            settings[name] = {key: values[key] for each, _ in chosen for values in [each.values()] for key in values}
            notes += (
                *(note for _, more in chosen for note in more),
                *(f"{key} is not known any more." for key in strange),
            )
    unknown = sorted({*made.moves, *made.settings} - set(NAMES))
    notes += tuple(f"What was set for {name} is left out: that method is not here." for name in unknown)
    content = Content(
        scene=made.scene, example=made.example, own=made.own, own_as_given=made.own_as_given, own_scale=made.own_scale,
        track=made.track, shots=made.shots, source=source, moves=moves, settings=settings,
    )  # fmt: skip
    return content, notes
