"""The parts of a project's file: its text, and parts named by their content, so that unchanged parts are not sent again.

``project.json`` contains camera and settings, ``objects.json`` the objects' positions, ``scene.npz`` pictures with depth, lens and
pose, ``models/`` the objects' models, ``splats.ply`` the splats of a scene of splats, ``moving.bits`` masks of moving parts of a
clip, ``shots.json`` the shots, ``files/`` the files named by settings (a LoRA, the user's own keyframes), ``kept/`` data that a
method stores beside them (painted keyframes).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camera.editing import saved
from camera.editing.keys import KeyedMove
from camera.errors import InputError
from camera.objects.archive import models_of, objects_written
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.render.painters import SelfRenderedScene
from camera.sequence.shots import Shot
from camera.view import Scene, View
from pipelines.results.arrays import scene_arrays, scene_facts

TAG, FORMAT = "reshoot_studio", 2
"""Format 1 had only the scene and its models as parts."""
WORDS, OBJECTS, SCENE, SHOTS, MOVING, SPLATS = (
    "project.json", "objects.json", "scene.npz", "shots.json", "moving.bits", "splats.ply",
)  # fmt: skip
LARGEST_FILE = 1 << 31
"""Maximum bytes of one file named by a setting, or of a method's data."""


@dataclass(frozen=True, eq=False)
class ProjectFile:
    """``scene`` as it was opened, ``example`` its name if it is one; ``own``: a path file, with its options; ``track``: the keys of
    the move; ``shots``: the list with cuts. ``source``: source of the move; ``moves`` and ``settings``: plain values of the
    controls, by method. ``files``: files named by settings, by method and setting; ``kept``: data stored by methods, as in
    `pipelines.project.content.Content`. ``method``: the selected one; ``notes`` on what was left out; ``moving`` (F,h,w): masks of
    moving parts of a clip; ``look``: values of `pipelines.project.look.Look`."""

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
    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    kept: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    look: Mapping[str, Any] = field(default_factory=dict)
    moving: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Part:
    """``name``: its path in the zip; ``id``: identical for identical content; ``size``: uncompressed bytes; ``write``: function that
    writes it to a stream."""

    name: str
    id: str
    size: int
    write: Callable[[IO[bytes]], object]


def words_of(project: ProjectFile) -> dict[str, str]:
    """The text of a project as JSON, by path in the zip."""
    scene = project.scene
    about = {
        TAG: FORMAT,
        "scene": scene_facts(scene) if scene is not None else None,
        "splats": isinstance(scene, SelfRenderedScene),
        "example": project.example,
        "own": project.own.values() if project.own else None,
        "own_as_given": project.own_as_given,
        "own_scale": project.own_scale,
        "track": saved.write(project.track) if project.track else None,
        "source": dict(project.source),
        "moves": {name: dict(values) for name, values in project.moves.items()},
        "settings": {name: dict(values) for name, values in project.settings.items()},
        "method": project.method,
        "shots": len(project.shots),
        "files": {name: {key: file.name for key, file in files.items()} for name, files in project.files.items()},
        "kept": list(project.kept),
        "look": dict(project.look),
        "moving": None if project.moving is None else list(project.moving.shape),
    }
    words = {WORDS: json.dumps(about, allow_nan=False)}
    if isinstance(scene, StagedScene):
        words[OBJECTS] = objects_written(scene.objects)
    return words


def parts_of(project: ProjectFile) -> Iterator[Part]:
    """All parts except the text. Raises `InputError` for a file that no longer exists or is too large."""
    if project.scene is not None:
        yield scene_part(project.scene)
    if isinstance(project.scene, SelfRenderedScene) and (splats := getattr(project.scene, "splats", None)) is not None:
        yield _splats_part(splats)
    if isinstance(project.scene, StagedScene):
        for name, model in models_of(project.scene.objects):
            yield _of_bytes(name, model.data, _content_id(model, model.data))
    if project.moving is not None:
        packed = np.packbits(project.moving).tobytes()
        yield _of_bytes(MOVING, packed, _hash(packed))
    if project.shots:
        text = f"[{', '.join(map(_shot_text, project.shots))}]".encode()
        yield _of_bytes(SHOTS, text, _hash(text))
    for method, files in project.files.items():
        for setting, file in files.items():
            yield _of_file(f"files/{method}/{setting}", file)
    for name, data in project.kept.items():
        yield _of_bytes(f"kept/{name}", data, _hash(data))


def _splats_part(splats: Any) -> Part:
    """The splats of a scene, as the ``.ply`` of 3DGS."""
    from pipelines.splats.files import ply_bytes

    arrays = (splats.means, splats.sh, splats.log_scales, splats.quaternions, splats.logit_opacities)
    size = sum(array.nbytes for array in arrays)
    return Part(
        SPLATS,
        _content_id(splats, *map(np.ascontiguousarray, arrays)),
        size,
        lambda stream: stream.write(ply_bytes(splats)),
    )


def scene_part(scene: Scene) -> Part:
    """The pictures of a scene, without its objects."""
    plain = Scene(**scene.plain_fields())
    views = (*scene.views, *scene.others)
    size = sum(view.colour.nbytes + view.depth.nbytes + view.known.nbytes for view in views)
    return Part(SCENE, _hash("".join(map(_view_id, views)).encode()), size, partial(_write_scene, plain))


def _write_scene(scene: Scene, stream: IO[bytes]) -> None:
    """Like `numpy.savez_compressed`, four times as fast: more effort hardly makes pictures smaller."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in scene_arrays(scene).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _of_bytes(name: str, data: bytes, content: str) -> Part:
    return Part(name, content, len(data), lambda stream: stream.write(data))


def _of_file(name: str, file: Path) -> Part:
    if not file.is_file():
        raise InputError(f"The file {file.name} does not exist any more; choose it again, or empty that field.")
    facts = file.stat()
    if facts.st_size > LARGEST_FILE:
        raise InputError(f"{file.name} is larger than {LARGEST_FILE >> 30} GB; empty that field to save.")

    def write(stream: IO[bytes]) -> None:
        with file.open("rb") as source:
            shutil.copyfileobj(source, stream)

    return Part(name, _hash(f"{file} {facts.st_size} {facts.st_mtime_ns}".encode()), facts.st_size, write)


_names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Names of views and models, which are immutable."""


def _content_id(owner: Any, *content: Any) -> str:
    if owner not in _names:
        _names[owner] = _hash(*content)
    return _names[owner]


def _view_id(view: View) -> str:
    arrays = (view.colour, view.depth, view.known, view.intrinsics, view.world_from_camera)
    return _names[view] if view in _names else _content_id(view, *map(np.ascontiguousarray, arrays))


_shot_texts: WeakKeyDictionary[Shot, str] = WeakKeyDictionary()


def _shot_text(shot: Shot) -> str:
    if shot not in _shot_texts:
        _shot_texts[shot] = json.dumps({"name": shot.name, "path": shot.path.values()}, allow_nan=False)
    return _shot_texts[shot]


def _hash(*content: Any) -> str:
    digest = hashlib.sha256()
    for each in content:
        digest.update(each)
    return digest.hexdigest()[:24]
