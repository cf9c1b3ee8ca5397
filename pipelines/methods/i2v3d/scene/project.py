"""A project: picture, depth, objects with their files and motions, camera, settings, keyframes and LoRA in one zip.

``project.json`` contains camera and settings, ``picture.png`` and ``depth.npy`` the scene, ``objects.json`` and ``models/``
the objects, ``files/`` the files named by settings (LoRA, the user's own keyframes), ``painted.zip`` the current keyframes.
Nothing in it is run or unpickled; sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np

from camera.editing import saved
from camera.editing.keys import KeyedMove
from camera.errors import InputError, reading
from camera.objects.archive import read_objects, read_part, write_objects
from camera.objects.scene import StagedScene, empty_stage, stage_objects
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.media.image import png
from pipelines.media.video import complete
from pipelines.methods.i2v3d.keyframes.files import PAINTED, PaintedKeyframes, read_kept, unpack_painted
from pipelines.methods.i2v3d.method import NO_PICTURE, VIDEO, I2V3DMoves, I2V3DSettings
from pipelines.methods.i2v3d.subject.settings import SubjectSettings
from pipelines.results.record import plain_name
from pipelines.settings import Settings

__all__ = ["VIDEO", "Project", "new_project", "pack", "read_project", "save_project"]
FORMAT, TAG = 1, "reshoot_project"
LARGEST_PICTURE = 64_000_000
"""Maximum number of pixels."""
LARGEST_WORDS = 1 << 26
"""Maximum size of ``project.json``, in bytes."""
LARGEST_FILE = 1 << 31
"""Maximum size of a LoRA, or of all keyframes, in bytes."""
MOST_KEYS = 1000
_PAINTED = "painted.zip"
_KINDS = {"lora_file": ".safetensors", "keyframes_file": ".zip"}
"""Settings that are file paths on this computer, and the file types."""


@dataclass(frozen=True, eq=False)
class Project:
    """``settings``: paths in them are on this computer; the zip contains these files. ``moves``: the camera controls;
    ``controls``: other descriptions of the path, as on the page; ``track``: the camera's keys; ``keys``: keys of older files,
    paths of one frame. ``subject``: settings of the last subject training; ``painted``: the current keyframes. ``notes``: what
    was left out."""

    scene: StagedScene
    path: CameraPath | None = None
    settings: I2V3DSettings = field(default_factory=I2V3DSettings)
    moves: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    controls: dict[str, Any] = field(default_factory=dict)
    keys: tuple[CameraPath, ...] = ()
    subject: SubjectSettings | None = None
    painted: PaintedKeyframes | None = None
    track: KeyedMove | None = None


def new_project() -> Project:
    """An empty stage, for objects alone."""
    return Project(empty_stage(), settings=I2V3DSettings(background=NO_PICTURE))


def save_project(file: str | Path, project: Project) -> Path:
    """Write the zip with the files that its settings name; it gets its final name only when complete. Raises `InputError`."""
    with complete(file) as whole, whole.open("wb") as stream:
        _write(stream, project, carried=_find_files(project.settings))
    return Path(file)


def pack(project: Project) -> bytes:
    """The zip as bytes, without the files named by its settings."""
    stream = io.BytesIO()
    _write(stream, project, carried={})
    return stream.getvalue()


def with_kept(settings: I2V3DSettings, kept: Mapping[str, bytes], folder: Path) -> I2V3DSettings:
    """Settings of a video between the keyframes that a shared project contains, which are written to ``folder``; unchanged
    settings if the project contains none, or if no video is requested."""
    if settings.make != VIDEO or PAINTED not in kept:
        return settings
    return read_kept(kept[PAINTED]).settings(settings, folder / "painted.zip")


def _find_files(settings: I2V3DSettings) -> dict[str, Path]:
    """Existing files by setting."""
    found = {name: Path(getattr(settings, name)) for name in _KINDS if getattr(settings, name)}
    for name, file in found.items():
        label = settings.controls()[name].label
        if not file.is_file():
            raise InputError(
                f"{label}: the file {file.name} does not exist any more; choose it again, or empty that field."
            )
        if file.stat().st_size > LARGEST_FILE:
            raise InputError(f"{label}: {file.name} is larger than {LARGEST_FILE >> 30} GB; empty that field to save.")
    return found


def _write(stream: BinaryIO, project: Project, *, carried: dict[str, Path]) -> None:
    scene, view = project.scene, project.scene.first
    values = project.settings.values()
    about = {
        TAG: FORMAT,
        "scene": {
            "name": scene.name, "unit": scene.unit, "source": scene.source, "distance": scene.distance,
            "intrinsics": view.intrinsics.tolist(), "world_from_camera": view.world_from_camera.tolist(),
        },
        "path": project.path.values() if project.path else None,
        "moves": project.moves,
        "controls": project.controls,
        "keys": [key.values() for key in project.keys],
        "track": saved.write(project.track) if project.track else None,
        "subject": project.subject.values() if project.subject else None,
        "painted": {str(at): words for at, words in project.painted.prompts.items()} if project.painted else None,
        "settings": {name: value for name, value in values.items() if name not in _KINDS},
        "files": {name: file.name for name, file in carried.items()},
        "left_out": [name for name in _KINDS if values[name] and name not in carried],
    }  # fmt: skip
    depth = io.BytesIO()
    np.save(depth, np.where(view.known, view.depth, 0).astype(np.float32), allow_pickle=False)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", json.dumps(about, allow_nan=False))
        archive.writestr("picture.png", png(view.colour), zipfile.ZIP_STORED)
        archive.writestr("depth.npy", depth.getvalue())
        write_objects(archive, scene.objects)
        for name, file in carried.items():
            archive.write(file, _place(name), zipfile.ZIP_STORED)
        if project.painted:
            archive.writestr(_PAINTED, project.painted.packed(), zipfile.ZIP_STORED)


def _place(name: str) -> str:
    return f"files/{name}{_KINDS[name]}"


def read_project(file: str | Path | io.BytesIO, name: str = "", *, folder: Path | None = None) -> Project:
    """Read a file of `save_project` or `pack`. ``folder``: where its files are written; without a folder they are left out,
    with a note. Raises `InputError` for anything else."""
    name = name or (Path(file).name if isinstance(file, (str, Path)) else "The project")
    with reading(f"{name} is not a complete project of Reshoot; use a zip that was saved here."):
        with zipfile.ZipFile(file) as archive:
            about = json.loads(read_part(archive, "project.json", LARGEST_WORDS))
            if not isinstance(about, dict) or about.get(TAG, FORMAT + 1) > FORMAT:
                raise InputError(f"{name} was saved by a newer Reshoot, or is not a project; update to open it.")
            scene = _scene(archive, about["scene"])
            objects = read_objects(archive)
            project = _parse_description(about)
            if about.get("painted") is not None:
                prompts = {int(at): str(words) for at, words in about["painted"].items()}
                project = replace(project, painted=unpack_painted(read_part(archive, _PAINTED, LARGEST_FILE), prompts))
            stored = {known: str(about.get("files", {}).get(known, "")) for known in _KINDS}
            if folder is not None:
                project = _extract_files(
                    archive, project, {key: label for key, label in stored.items() if label}, folder
                )
        scene = StagedScene(
            scene.views, "still", scene.unit, name=scene.name, source=scene.source, objects=objects,
            distance=float(about["scene"]["distance"]),
        )  # fmt: skip
        lacking = [known for known in _KINDS if known in about["left_out"] or (stored[known] and folder is None)]
        for known in lacking:
            label = I2V3DSettings.controls()[known].label
            project = replace(
                project, notes=(*project.notes, f"{label}: this project does not contain the file; choose it again.")
            )
        return replace(project, scene=scene)


def _parse_description(about: dict[str, Any]) -> Project:
    """Parse ``project.json``; the scene is an empty stage here."""
    values, notes = _filter_values(I2V3DSettings, about["settings"])
    moves, more = _filter_values(I2V3DMoves, about["moves"])
    keys, subject, controls = about.get("keys", []), about.get("subject"), about.get("controls", {})
    if not isinstance(controls, dict) or len(keys) > MOST_KEYS:
        raise ValueError("no controls")
    how = None
    if subject is not None:
        good, others = _filter_values(SubjectSettings, subject)
        how, more = SubjectSettings(**good), more + others
    path = CameraPath(**about["path"]) if about["path"] else None
    track = saved.read(about["track"]) if about.get("track") else None
    return Project(
        empty_stage(8, 8), path, I2V3DSettings(**values), moves, notes + more, controls,
        tuple(CameraPath(**key) for key in keys), how, track=track,
    )  # fmt: skip


def _extract_files(archive: zipfile.ZipFile, project: Project, stored: dict[str, str], folder: Path) -> Project:
    """Write the LoRA and the keyframes to ``folder``, and set the settings to these paths."""
    for name, label in stored.items():
        target = folder / (PurePath(plain_name(label, name)).stem[:80] + _KINDS[name])
        if archive.getinfo(_place(name)).file_size > LARGEST_FILE:
            raise InputError(f"{label} in the project is larger than {LARGEST_FILE >> 30} GB; it cannot be opened.")
        folder.mkdir(parents=True, exist_ok=True)
        with complete(target) as whole, archive.open(_place(name)) as source, whole.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        project = replace(project, settings=replace(project.settings, **{name: str(target)}))
    return project


def _scene(archive: zipfile.ZipFile, about: dict[str, Any]) -> Scene:
    from PIL import Image

    picture = Image.open(io.BytesIO(read_part(archive, "picture.png", 4 * LARGEST_PICTURE)), formats=["PNG"])
    if picture.width * picture.height > LARGEST_PICTURE:
        raise InputError("The picture in the project is larger than 64 megapixels; it cannot be opened.")
    stored = io.BytesIO(read_part(archive, "depth.npy", 4 * LARGEST_PICTURE + 1024))
    depth = np.load(stored, allow_pickle=False).astype(np.float32)
    pose, lens = np.array(about["world_from_camera"]), np.array(about["intrinsics"])
    view = View.of(np.array(picture.convert("RGB")), depth, lens, pose)
    unit = "metres" if about["unit"] == "metres" else "relative"
    return stage_objects(Scene((view,), "still", unit, source=str(about["source"]), name=str(about["name"])))


def _filter_values(kind: type[Settings], values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The known and allowed values, and a sentence for each other value."""
    good: dict[str, Any] = {}
    notes = []
    for name, value in values.items():
        try:
            if name in _KINDS:
                raise InputError(f"{name} in the project names a file of another computer, so it is left out.")
            kind.of({name: value})
            good[name] = value
        except InputError as error:
            notes.append(str(error))
    return good, tuple(notes)
