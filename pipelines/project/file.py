"""A project's file: scene, move, shots and settings of every method in one zip, which can be reopened here or elsewhere.

`pipelines.project.parts` describes its contents. Nothing in it is run or unpickled, no name in it becomes a path, and sizes are
checked before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.editing import saved
from camera.errors import InputError, reading
from camera.objects.archive import read_objects, read_part
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.sequence.shots import MOST_SHOTS, Shot
from camera.view import Scene
from examples import load
from pipelines import method as record_of
from pipelines.inputs.npz import read_npz
from pipelines.media.video import complete
from pipelines.options import RunOptions
from pipelines.project.content import Content, MoveSource
from pipelines.project.look import Look
from pipelines.project.parts import (
    FORMAT,
    LARGEST_FILE,
    MOVING,
    SCENE,
    SHOTS,
    SPLATS,
    TAG,
    WORDS,
    ProjectFile,
    parts_of,
    words_of,
)
from pipelines.registry import NAMES
from pipelines.results.embedded_scene import check_facts, read_view, shapes_of
from pipelines.results.record import filter_values, plain_name

LARGEST_WORDS, LARGEST_SCENE = 1 << 26, 1 << 31
"""Maximum bytes of ``project.json``, and of the compressed ``scene.npz``."""
LARGEST_ARRAY, MOST_VIEWS, MOST_KEPT = 1 << 28, 2000, 20
"""Maximum bytes of one picture or depth map, number of pictures, and number of parts stored by methods."""
_KEPT = re.compile(r"[a-z0-9_]{1,40}/[a-z0-9_]{1,40}")


def save_project(file: str | Path, project: ProjectFile) -> Path:
    """Write the zip, which gets its final name only when complete. Raises `InputError` if a file named by a setting no longer exists."""
    with complete(file) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, text in words_of(project).items():
            archive.writestr(name, text, zipfile.ZIP_DEFLATED)
        for each in parts_of(project):
            with archive.open(each.name, "w", force_zip64=True) as stream:
                each.write(stream)
    return Path(file)


def is_project(file: str | Path) -> bool:
    """Whether a zip is a project of the whole app, as saved by `save_project`, rather than one of I2V3D's own."""
    with reading(_broken(file)), zipfile.ZipFile(file) as archive:
        about = json.loads(read_part(archive, WORDS, LARGEST_WORDS))
        return isinstance(about, dict) and TAG in about


def read_project(file: str | Path, *, folder: Path | None = None) -> ProjectFile:
    """Read a file of `save_project`; raises `InputError` for anything else. ``folder``: where files named by settings are written;
    without a folder they are left out, with a note."""
    name = Path(file).name
    with reading(_broken(file)), zipfile.ZipFile(file) as archive:
        about = _read_description(archive, name)
        example = str(about["example"])[:200]
        files, notes = _files(archive, about.get("files", {}), folder)
        scene = _scene(archive, about["scene"], name, example) if about["scene"] is not None else None
        if scene is not None and about.get("splats"):
            scene, more = _with_splats(archive, scene)
            notes += more
        return ProjectFile(
            scene,
            example,
            CameraPath(**about["own"]) if about["own"] is not None else None,
            bool(about["own_as_given"]), str(about["own_scale"])[:40],
            saved.read(about["track"]) if about["track"] is not None else None,
            dict(about["source"]), _by_method(about["moves"]), _by_method(about["settings"]), str(about["method"])[:80],
            _shots(archive, int(about.get("shots", 0)), name), files, _kept(archive, about.get("kept", [])), notes,
            look=dict(about.get("look", {})), moving=_moving(archive, about.get("moving"), name),
        )  # fmt: skip


def read_look(file: str | Path) -> Look:
    """The look of a project's rehearsals, without opening its scene; raises `InputError` as `read_project`."""
    with reading(_broken(file)), zipfile.ZipFile(file) as archive:
        return filter_values(Look, dict(_read_description(archive, Path(file).name).get("look", {})))[0]


def _read_description(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    about = json.loads(read_part(archive, WORDS, LARGEST_WORDS))
    if not isinstance(about, dict) or TAG not in about:
        raise InputError(f"{name} is not a project of all tabs; open projects of I2V3D on its own tab.")
    if not isinstance(about[TAG], int) or about[TAG] > FORMAT:
        raise InputError(f"{name} was saved by a newer Reshoot; update to open it.")
    return about


def _broken(file: str | Path) -> str:
    return f"{Path(file).name} is not a complete project of Reshoot; use a zip that was saved here."


def _scene(archive: zipfile.ZipFile, facts: dict[str, Any], name: str, example: str) -> Scene:
    """The scene; if the pictures are not in the zip, they are those of the example."""
    count, beside = int(facts["views"]), int(facts.get("others", 0))
    if not 1 <= count <= MOST_VIEWS or not 0 <= beside <= MOST_VIEWS:
        raise InputError(f"{name} states {count} pictures of its scene and {beside} more; it cannot be opened.")
    if SCENE not in archive.namelist() and example:
        scene = load(example)
    else:
        stored = io.BytesIO(read_part(archive, SCENE, LARGEST_SCENE))
        arrays = read_npz(stored, shapes_of(count, beside), name=name, most_bytes=LARGEST_ARRAY)
        views = tuple(read_view(arrays, number) for number in range(count))
        others = tuple(read_view(arrays, number, "other") for number in range(beside))
        scene = Scene(views, **check_facts(facts), others=others)
    if "distance" not in facts:
        return scene
    return StagedScene(**scene.plain_fields(), objects=read_objects(archive), distance=float(facts["distance"]))


def _with_splats(archive: zipfile.ZipFile, scene: Scene) -> tuple[Scene, tuple[str, ...]]:
    """The scene rendered from its splats again; a note if they are not in the zip."""
    if SPLATS not in archive.namelist():
        return scene, ("The splats are not in the file; their first picture is open. Open the file of splats again.",)
    from pipelines.splats.formats import read
    from pipelines.splats.scene import SplatScene

    splats, _ = read(read_part(archive, SPLATS, LARGEST_FILE), SPLATS, up="y-down")
    return SplatScene(**scene.plain_fields(), splats=splats), ()


def _moving(archive: zipfile.ZipFile, shape: Any, name: str) -> NDArray[np.bool_] | None:
    if shape is None:
        return None
    frames, height, width = (int(side) for side in shape)
    count = frames * height * width
    if not (0 < frames <= MOST_VIEWS and height > 0 and width > 0 and count <= 8 * LARGEST_ARRAY):
        raise InputError(f"{name} states masks of {frames} x {height} x {width}; it cannot be opened.")
    bits = np.frombuffer(read_part(archive, MOVING, LARGEST_ARRAY), np.uint8)
    return np.unpackbits(bits, count=count).reshape(frames, height, width).astype(bool)


def _shots(archive: zipfile.ZipFile, count: int, name: str) -> tuple[Shot, ...]:
    if not count:
        return ()
    if count > MOST_SHOTS:
        raise InputError(f"{name} has {count} shots; a sequence here has up to {MOST_SHOTS}.")
    given = json.loads(read_part(archive, SHOTS, LARGEST_WORDS))[:MOST_SHOTS]
    return tuple(Shot(str(shot["name"])[:60], CameraPath(**shot["path"])) for shot in given)


def _files(
    archive: zipfile.ZipFile, named: Mapping[str, Mapping[str, str]], folder: Path | None
) -> tuple[dict[str, dict[str, Path]], tuple[str, ...]]:
    """Files named by settings, by method and setting, written to ``folder``; and notes on missing ones."""
    found: dict[str, dict[str, Path]] = {}
    notes: list[str] = []
    for method in named.keys() & set(NAMES):
        for setting in named[method].keys() & set(record_of(method).settings.files()):
            label = record_of(method).settings.controls()[setting].label
            if folder is None or f"files/{method}/{setting}" not in archive.namelist():
                notes.append(f"{label} of {record_of(method).title}: the file is not here; choose it again.")
            else:
                file = _unpacked(archive, f"files/{method}/{setting}", folder / method, str(named[method][setting]))
                found.setdefault(method, {})[setting] = file
    return found, tuple(notes)


def _unpacked(archive: zipfile.ZipFile, place: str, folder: Path, label: str) -> Path:
    """Write a file of the zip to ``folder``, with only plain letters in its name."""
    plain = PurePath(plain_name(label))
    target = folder / (plain.stem[:80] + plain.suffix[:20])
    if archive.getinfo(place).file_size > LARGEST_FILE:
        raise InputError(f"{target.name} in the project is larger than {LARGEST_FILE >> 30} GB; it cannot be opened.")
    folder.mkdir(parents=True, exist_ok=True)
    with complete(target) as whole, archive.open(place) as source, whole.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    return target


def _kept(archive: zipfile.ZipFile, names: Any) -> dict[str, bytes]:
    known = [name for name in map(str, names[:MOST_KEPT]) if _KEPT.fullmatch(name) and name.split("/")[0] in NAMES]
    there = set(archive.namelist())
    return {name: read_part(archive, f"kept/{name}", LARGEST_FILE) for name in known if f"kept/{name}" in there}


def _by_method(given: Any) -> dict[str, dict[str, Any]]:
    return {str(name): dict(values) for name, values in dict(given).items()}


def content_of(made: ProjectFile) -> tuple[Content, tuple[str, ...]]:
    """The content of a file, and a sentence for each value that is no longer known or allowed."""
    source, notes = filter_values(MoveSource, made.source)
    notes = (*made.notes, *notes)
    look, more = filter_values(Look, made.look)
    notes += more
    moves: dict[str, Any] = {}
    settings: dict[str, dict[str, Any]] = {}
    for name, values in made.moves.items():
        if name in NAMES:
            moves[name], more = filter_values(record_of(name).moves, values)
            notes += more
    for name, values in made.settings.items():
        if name in NAMES:
            kinds = (record_of(name).settings, RunOptions)
            chosen = [filter_values(kind, {k: v for k, v in values.items() if k in kind.controls()}) for kind in kinds]
            unknown_keys = sorted(set(values) - {key for kind in kinds for key in kind.controls()})
            files = made.files.get(name, {})
            settings[name] = {key: value for each, _ in chosen for key, value in each.values().items()}
            settings[name] |= {key: str(files.get(key, "")) for key in record_of(name).settings.files()}
            notes += (
                *(note for _, more in chosen for note in more),
                *(f"{key} is not known any more." for key in unknown_keys),
            )
    unknown = sorted({*made.moves, *made.settings} - set(NAMES))
    notes += tuple(f"The settings for {name} are left out: that method is not available here." for name in unknown)
    content = Content(
        scene=made.scene, example=made.example, own=made.own, own_as_given=made.own_as_given, own_scale=made.own_scale,
        track=made.track, shots=made.shots, source=source, moves=moves, settings=settings,
        kept=made.kept, look=look, moving=made.moving,
    )  # fmt: skip
    return content, notes
