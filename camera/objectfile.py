"""Objects with their models' own files, in and out of a zip, so that they can be kept and sent. Nothing is unpickled."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from camera.errors import InputError
from camera.meshfile import LARGEST_BYTES
from camera.model import Model, read_model
from camera.objects import MOST_OBJECTS, Key, Placement, SceneObject

_FACTS, _LARGEST_FACTS = "objects.json", 1 << 24


def pack_objects(objects: Sequence[SceneObject]) -> bytes:
    """A zip of its own."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        write_objects(archive, objects)
    return stream.getvalue()


def unpack_objects(data: bytes) -> tuple[SceneObject, ...]:
    """What `pack_objects` wrote; raises `InputError` for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return read_objects(archive)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise InputError("The objects are damaged or of another version; save them again.") from error


def write_objects(archive: zipfile.ZipFile, objects: Sequence[SceneObject]) -> None:
    """Adds ``objects.json`` and ``models/`` to a zip; a model that stands twice is written once."""
    models = list({id(item.model): item.model for item in objects}.values())
    for number, model in enumerate(models):
        archive.writestr(_place(number, model.name), model.data)
    values = [_values(item, models) for item in objects]
    archive.writestr(_FACTS, json.dumps({"models": [model.name for model in models], "objects": values}))


def read_objects(archive: zipfile.ZipFile) -> tuple[SceneObject, ...]:
    """What `write_objects` added; raises `InputError` for anything else."""
    try:
        about = json.loads(part(archive, _FACTS, _LARGEST_FACTS))
        names = [str(name) for name in about["models"]]
        if len(names) > MOST_OBJECTS or len(about["objects"]) > MOST_OBJECTS:
            raise InputError(f"A scene holds up to {MOST_OBJECTS} objects, got {len(about['objects'])}.")
        models = [
            read_model(part(archive, _place(number, name), LARGEST_BYTES), name) for number, name in enumerate(names)
        ]
        return tuple(_object(values, models) for values in about["objects"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("The objects are damaged or of another version; save them again.") from error


def part(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One file of a zip, unless it unpacks to more than ``most`` bytes, of which an `InputError` tells."""
    if archive.getinfo(name).file_size > most:
        raise InputError(f"{PurePath(name).name} unpacks to more than {most >> 20} MB; it cannot be opened.")
    return archive.read(name)


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
