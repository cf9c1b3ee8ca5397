"""Reads and writes objects with their model files as a zip. Nothing is unpickled."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Any

from camera.errors import InputError, reading
from camera.formats.content import kind_of, read_member
from camera.objects.bundle import BESIDE
from camera.objects.model import Model, read_model, read_models
from camera.objects.obj_ply import LARGEST_BYTES
from camera.objects.scene import MOST_OBJECTS, Key, Placement, SceneObject, new_object

_FACTS, _LARGEST_FACTS = "objects.json", 1 << 24


def pack_objects(objects: Sequence[SceneObject]) -> bytes:
    """Pack objects into a zip of their own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        write_objects(archive, objects)
    return stream.getvalue()


def unpack_objects(data: bytes) -> tuple[SceneObject, ...]:
    """Read what `pack_objects` wrote; raises `InputError` for anything else."""
    with (
        reading("The objects are damaged or of another version; save them again."),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        return read_objects(archive)


def write_objects(archive: zipfile.ZipFile, objects: Sequence[SceneObject]) -> None:
    """Add ``objects.json`` and ``models/`` to a zip; a model used twice is written once."""
    for name, model in models_of(objects):
        archive.writestr(name, model.data)
    archive.writestr(_FACTS, objects_written(objects))


def models_of(objects: Sequence[SceneObject]) -> list[tuple[str, Model]]:
    """The models used in a scene, each once, with their paths in the zip."""
    return [(_place(number, model.name), model) for number, model in enumerate(_each_once(objects))]


def objects_written(objects: Sequence[SceneObject]) -> str:
    """The content of ``objects.json``: placement and motion of the models of `models_of`."""
    models = _each_once(objects)
    values = [_values(item, models) for item in objects]
    return json.dumps({"models": [model.name for model in models], "objects": values})


def _each_once(objects: Sequence[SceneObject]) -> list[Model]:
    return list({id(item.model): item.model for item in objects}.values())


def read_objects(archive: zipfile.ZipFile) -> tuple[SceneObject, ...]:
    """Read what `write_objects` added; raises `InputError` for anything else."""
    with reading("The objects are damaged or of another version; save them again."):
        about = json.loads(read_part(archive, _FACTS, _LARGEST_FACTS))
        names = [str(name) for name in about["models"]]
        if len(names) > MOST_OBJECTS or len(about["objects"]) > MOST_OBJECTS:
            raise InputError(f"A scene holds up to {MOST_OBJECTS} objects, got {len(about['objects'])}.")
        models = [
            read_model(read_part(archive, _place(number, name), LARGEST_BYTES), name)
            for number, name in enumerate(names)
        ]
        return tuple(_object(values, models) for values in about["objects"])


def read_part(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Read one file of a zip; raises `InputError` if it unpacks to more than ``most`` bytes."""
    if archive.getinfo(name).file_size > most:
        raise InputError(f"{PurePath(name).name} unpacks to more than {most >> 20} MB; it cannot be opened.")
    return read_member(archive, name)


def _place(number: int, name: str) -> str:
    return f"models/{number:02d}-{PurePath(name).name}"


def _values(item: SceneObject, models: list[Model]) -> dict[str, Any]:
    return {
        "model": next(number for number, model in enumerate(models) if model is item.model),
        "keys": [[key.at, *key.placement.values()] for key in item.keys],
        "motion": item.motion, "animation": item.animation, "speed": item.speed,
    }  # fmt: skip


def _object(values: dict[str, Any], models: list[Model]) -> SceneObject:
    keys = tuple(Key(float(at), Placement(*map(float, place))) for at, *place in values["keys"])
    model = models[int(values["model"])]
    return SceneObject(model, keys, values["motion"], str(values["animation"]), float(values["speed"]))


# --- written by hand -------------------------------------------------------------------------------------------------

_FIELDS = ("file", "keys", "motion", "animation", "speed")


def objects_of_file(file: Path, default: Placement) -> tuple[SceneObject, ...]:
    """Objects from a model file, a zip with ``objects.json`` (such as a project), or a JSON list. Raises `InputError`.

    An entry of the list names a model's ``file`` beside it and may have ``animation``, ``motion``, ``speed`` and ``keys``, each with
    ``at`` (0..1) and fields of a `Placement`. Fields missing in a key keep their value of the previous key, and in the first key
    that of ``default``, the default placement of a model.
    """
    if not file.is_file():
        raise InputError(f"There is no file {file} with objects.")
    if kind_of(file) == ".zip" and (found := _objects_of_zip(file)):
        return found
    if kind_of(file) != ".json":
        return (new_object(_model(file), default),)
    try:
        entries = json.loads(file.read_text("utf-8"))
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_OBJECTS:
            raise InputError(f"{file.name} should be a list of 1 to {MOST_OBJECTS} objects.")
        models: dict[str, Model] = {}
        for entry in entries:
            if entry["file"] not in models:
                models[entry["file"]] = _beside(file, str(entry["file"]))
        return tuple(_parse_object(entry, models[entry["file"]], default) for entry in entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f'{file.name} is not a list of objects; each needs a "file", and keys as in [{{"at": 0, "right": 0.2}}].'
        ) from error


def _objects_of_zip(file: Path) -> tuple[SceneObject, ...]:
    """Objects of a project's zip; empty for the zip of a model."""
    with reading(f"{file.name} is a damaged zip; pack it again."), zipfile.ZipFile(file) as archive:
        return read_objects(archive) if _FACTS in archive.namelist() else ()


def _model(file: Path) -> Model:
    """Read a model with the material, pictures and parts in the same folder."""
    files = {file.name: _content(file)}
    if file.suffix.lower() in (".obj", ".ply", ".gltf"):
        beside = [other for other in sorted(file.parent.iterdir()) if other.suffix.lower() in BESIDE]
        words = b"".join((files[file.name], *(_content(other) for other in beside if other.suffix.lower() == ".mtl")))
        files |= {other.name: _content(other) for other in beside if other.name.encode() in words}
    return read_models(files)


def _content(file: Path) -> bytes:
    if file.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{file.name} is larger than {LARGEST_BYTES >> 20} MB; reduce the mesh or its textures.")
    return file.read_bytes()


def _beside(file: Path, name: str) -> Model:
    place = PurePath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts:
        raise InputError(f"{file.name} names the model {name}; put it beside that file and give its name alone.")
    if not (found := file.parent / place).is_file():
        raise InputError(f"{file.name} names the model {name}, which is not beside it.")
    return _model(found)


def _parse_object(entry: dict[str, Any], model: Model, default: Placement) -> SceneObject:
    if unknown := sorted(set(entry) - set(_FIELDS)):
        raise InputError(f"An object has {', '.join(_FIELDS)}; there is no {unknown[0]!r}.")
    keys: list[Key] = []
    for key in entry.get("keys") or [{"at": 0}]:
        place = {name: float(value) for name, value in key.items() if name != "at"}
        if unknown := sorted(set(place) - {declared.name for declared in fields(Placement)}):
            known = ", ".join(declared.name for declared in fields(Placement))
            raise InputError(f"A key of an object has at, {known}; there is no {unknown[0]!r}.")
        keys.append(Key(float(key.get("at", 0)), replace(keys[-1].placement if keys else default, **place)))
    plain = new_object(model, default)
    animation = str(entry.get("animation", plain.animation))
    return SceneObject(model, tuple(keys), entry.get("motion", "even"), animation, float(entry.get("speed", 1)))
