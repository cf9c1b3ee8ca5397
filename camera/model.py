"""A mesh file that somebody gave, whatever its kind: its surfaces at a moment, standing on the ground at size one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from camera import gltf, meshfile
from camera.errors import InputError
from camera.surface import Surface


@dataclass(frozen=True, eq=False)
class Model:
    """Made by `read_model`. ``data``: the file itself. ``animations``: names and lengths in seconds.

    ``standing`` (4,4): from the file's axes to the model's own: x right, y up, z towards the viewer, the middle of its
    feet at the origin and its longest side 1. ``notes``: sentences about what was changed or is missing.
    """

    name: str
    data: bytes
    still: tuple[Surface, ...]
    standing: NDArray[np.float64]
    animations: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    moving: gltf.Gltf | None = None

    def surfaces(self, animation: str = "", seconds: float = 0.0) -> tuple[Surface, ...]:
        """In the model's own axes; an animation starts again when it has ended, an empty name stands still."""
        if not animation:
            return tuple(part.moved(self.standing) for part in self.still)
        if self.moving is None or animation not in self.animations:
            known = ", ".join(self.animations) or "none"
            raise InputError(f"{self.name} has no animation {animation!r}; it has {known}.")
        length = self.animations[animation]
        moment = seconds % length if length > 0 else 0.0
        return tuple(part.moved(self.standing) for part in self.moving.surfaces(animation, moment))

    @property
    def triangles(self) -> int:
        return sum(len(part.triangles) for part in self.still)


def read_model(data: bytes, name: str, *, most: int = meshfile.MOST_TRIANGLES) -> Model:
    """A GLB, OBJ or PLY file; more than ``most`` triangles are thinned with a note. Raises `InputError`."""
    name = PurePath(name.replace("\\", "/")).name
    if PurePath(name).suffix.lower() != ".glb":
        whole = meshfile.read(data, name)
        count = sum(len(part.triangles) for part in whole)
        still = tuple(part.thinned(max(int(len(part.triangles) * most / count), 4)) for part in whole)
        return Model(name, data, still, _standing(still, name), notes=_thinned(count, still))
    whole_file = gltf.read(data, name, most=2 * meshfile.MOST_READ)
    moving = whole_file.thinned(most)
    still, animations = moving.surfaces(), moving.animations
    notes = _thinned(whole_file.triangles, still)
    if moving.has_skin and not animations:
        notes += (f"{name} has a skeleton but no animation, so it stands as it was saved.",)
    return Model(name, data, still, _standing(still, name), animations, notes, moving if animations else None)


def _thinned(count: int, still: tuple[Surface, ...]) -> tuple[str, ...]:
    now = sum(len(part.triangles) for part in still)
    return (f"Its {count:,} triangles were thinned to {now:,}.",) if now < count else ()


def _standing(surfaces: tuple[Surface, ...], name: str) -> NDArray[np.float64]:
    points = np.concatenate([part.vertices[np.unique(part.triangles)] for part in surfaces])
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    extent = float((high - low).max())
    if not 1e-12 < extent < 1e12:
        raise InputError(f"{name} has no extent that could be shown; export it at a usual size.")
    made = np.diag([1 / extent, 1 / extent, 1 / extent, 1.0])
    made[:3, 3] = -np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2]) / extent
    return made
