"""A mesh file of any kind: its surfaces at a given time, on the ground and scaled to size one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects import file_notes, gltf, obj_ply
from camera.objects.bundle import join_model_files
from camera.objects.surface import Surface

_SEE_THROUGH = "Its transparent parts are drawn opaque."


@dataclass(frozen=True, eq=False)
class Model:
    """Created by `read_model`. ``data``: the file itself. ``animations``: names and lengths in seconds.

    ``still``: surfaces with ``origin`` (3,) subtracted. ``model_from_file`` (4,4): from the file's axes to the model's own: x right, y up,
    z towards the viewer, the centre of its base at the origin and its longest side 1. ``notes``: sentences about what was changed or is missing.
    """

    name: str
    data: bytes
    still: tuple[Surface, ...]
    model_from_file: NDArray[np.float64]
    animations: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    moving: gltf.Gltf | None = None
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    def surfaces(self, animation: str = "", seconds: float = 0.0) -> tuple[Surface, ...]:
        """Surfaces in the model's own axes. An animation loops; an empty name means no animation."""
        if not animation:
            return tuple(part.moved(self._model_from_stored) for part in self.still)
        if self.moving is None or animation not in self.animations:
            known = ", ".join(self.animations) or "none"
            raise InputError(f"{self.name} has no animation {animation!r}; it has {known}.")
        length = self.animations[animation]
        moment = seconds % length if length > 0 else 0.0
        return tuple(part.moved(self._model_from_stored) for part in self.moving.surfaces(animation, moment))

    @property
    def _model_from_stored(self) -> NDArray[np.float64]:
        """`model_from_file` for positions without `origin`."""
        return self.model_from_file @ _shift(self.origin)

    @property
    def triangles(self) -> int:
        return sum(len(part.triangles) for part in self.still)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.data).hexdigest()

    def thinned(self, most: int) -> Model:
        """A model with at most about ``most`` triangles, for display only, since it keeps the file's data."""
        if self.triangles <= most:
            return self
        if self.moving is not None:
            moving = self.moving.thinned(most)
            return replace(self, still=moving.surfaces(), moving=moving)
        return replace(self, still=_share_of(self.still, most))


def read_models(files: Mapping[str, bytes]) -> Model:
    """The one model among ``files`` (contents by name, loose or in a zip), with its material and pictures.

    Raises `InputError`.
    """
    return read_model(*join_model_files(files))


def read_model(data: bytes, name: str, *, most: int = obj_ply.MOST_TRIANGLES) -> Model:
    """Read a GLB, OBJ or PLY file; simplifies a model with more than ``most`` triangles and adds a note. Raises `InputError`."""
    name = PurePath(name.replace("\\", "/")).name
    if PurePath(name).suffix.lower() != ".glb":
        shapes = obj_ply.read(data, name)
        whole, origin = shapes.surfaces, shapes.origin
        still = _share_of(whole, most)
        notes = _thinning_note(sum(len(part.triangles) for part in whole), still)
        notes += (
            _lacking(data, name) + ((_SEE_THROUGH,) if shapes.cut_out else ()) + file_notes.note_obj_ply(data, name)
        )
        return Model(name, data, still, _ground_transform(still, name) @ _shift(-origin), notes=notes, origin=origin)
    whole_file = gltf.read(data, name, most=2 * obj_ply.MOST_READ)
    moving = whole_file.thinned(most)
    still, animations = moving.surfaces(), moving.animations
    notes = _thinning_note(whole_file.triangles, still)
    if moving.has_skin and not animations:
        notes += (f"{name} has a skeleton but no animation, so it stands as it was saved.",)
    if moving.has_cut_out:
        notes += (_SEE_THROUGH,)
    notes += file_notes.note_gltf(whole_file)
    model_from_file = _ground_transform(still, name) @ _shift(-moving.origin)
    return Model(name, data, still, model_from_file, animations, notes, moving if animations else None, moving.origin)


def _share_of(surfaces: tuple[Surface, ...], most: int) -> tuple[Surface, ...]:
    """All surfaces simplified by the same factor, to ``most`` triangles in all."""
    count = sum(len(part.triangles) for part in surfaces)
    if count <= most:
        return surfaces
    return tuple(part.thinned(max(int(len(part.triangles) * most / count), 4)) for part in surfaces)


def _lacking(data: bytes, name: str) -> tuple[str, ...]:
    """A note if an OBJ names a material file that was not uploaded."""
    if PurePath(name).suffix.lower() != ".obj" or b"mtllib" not in data[: 1 << 16]:
        return ()
    return (
        "Its colours are in a separate file; to include them, give the OBJ with its MTL and pictures, or all in a zip.",
    )


def _thinning_note(count: int, still: tuple[Surface, ...]) -> tuple[str, ...]:
    now = sum(len(part.triangles) for part in still)
    return (f"Its {count:,} triangles were thinned to {now:,}.",) if now < count else ()


def _shift(by: NDArray[np.float64]) -> NDArray[np.float64]:
    transform = np.eye(4)
    transform[:3, 3] = by
    return transform


def _ground_transform(surfaces: tuple[Surface, ...], name: str) -> NDArray[np.float64]:
    points = np.concatenate([part.vertices[np.unique(part.triangles)] for part in surfaces])
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    extent = float((high - low).max())
    if not 1e-12 < extent < 1e12:
        raise InputError(f"{name} has no extent that could be shown; export it at a usual size.")
    transform = np.diag([1 / extent, 1 / extent, 1 / extent, 1.0])
    transform[:3, 3] = -np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]) / extent
    return transform
