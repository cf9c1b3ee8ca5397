"""Objects in the path's figure: simplified to a few hundred triangles, in their colours, at their position in every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.scene import matrices
from camera.objects.surface import Surface

if TYPE_CHECKING:
    from camera.objects.model import Model
    from camera.objects.scene import SceneObject, StagedScene
    from camera.path import CameraPath

WAY_COLOUR = "#0ca678"
POINTS_PLAYED = 40_000
"""Number of vertices of all moving objects times number of frames: the data sent for playback, at 16 bytes each."""
TRIANGLES_SHOWN, FEWEST, MOST = 6000, 60, 800
"""Triangles of all static objects together; minimum and maximum of one object."""
POSES_A_SECOND, MOST_POSES = 12, 60
"""Number of poses per second of an animation, and their maximum."""
_BOX = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6],
                 [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32)  # fmt: skip


def traces(
    scene: StagedScene, path: CameraPath, display_from_world: NDArray[np.float64]
) -> tuple[list[dict], list[int], list[list[dict]]]:
    """The traces of the figure, the indices of the moving ones, and the moving traces' values in every frame (F).

    ``display_from_world`` (3,3). The path of a moving object is drawn as a line.
    """
    moving = [is_moving(item) for item in scene.objects]
    budget = _budget(len(path), sum(moving), len(moving) - sum(moving))
    result: list[dict] = []
    indices: list[int] = []
    steps: list[list[dict]] = [[] for _ in range(len(path))]
    for number, (item, moves) in enumerate(zip(scene.objects, moving), 1):
        shape = _shape_of(item.model, budget[moves])
        matrices = _matrices(scene, item, len(path) if moves else 1, display_from_world)
        points = [_transform(shape.pose(item.animation, f / path.fps * item.speed), m) for f, m in enumerate(matrices)]
        if moves:
            indices.append(len(result))
            for step, placed in zip(steps, points):
                step.append({"type": "mesh3d", **_columns(placed)})
        result.append(_mesh(f"{number}: {item.model.name}", points[0], shape))
        if moves:
            result += _way(matrices[:, :3, 3], points)
    return result, indices, steps


def is_moving(item: SceneObject) -> bool:
    return bool(item.animation and item.speed) or len({key.placement for key in item.keys}) > 1


def _budget(frames: int, moving: int, still: int) -> dict[bool, int]:
    """Number of triangles for one moving (True) or static object: about two per vertex. Below `FEWEST`, the object is drawn as a box."""
    played = 2 * POINTS_PLAYED // (frames * max(moving, 1))
    shown = TRIANGLES_SHOWN // max(still, 1)
    rounded = 2 ** int(np.log2(max(played, 1)))  # so that a different number of frames rarely needs another mesh
    return {True: min(rounded, MOST), False: int(np.clip(shown, FEWEST, MOST))}


class _Shape:
    """A model simplified for the figure: ``triangles`` (T,3), ``colours`` (T) as strings, and its vertices at any time."""

    def __init__(self, model: Model, most: int) -> None:
        self.model: Model | None = None
        surfaces: tuple[Surface, ...] = (_box(model),)
        try:
            if most >= FEWEST:
                self.model = model.thinned(most)
                surfaces = self.model.surfaces()
        except InputError:  # too many pieces to be simplified that far
            self.model = None
        starts = np.cumsum([0, *(len(part.vertices) for part in surfaces)])
        self.triangles = np.concatenate([part.triangles + start for part, start in zip(surfaces, starts)])
        colours = np.concatenate([_face_colours(part) for part in surfaces])
        self.colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colours.tolist()]
        self.still = np.concatenate([part.vertices for part in surfaces])
        self.poses: dict[tuple[str, int], NDArray[np.float32]] = {}

    def pose(self, animation: str, seconds: float) -> NDArray[np.float32]:
        """(V,3) in model axes."""
        if not animation or self.model is None:
            return self.still
        length = self.model.animations[animation]
        count = int(np.clip(np.ceil(length * POSES_A_SECOND), 1, MOST_POSES))
        number = int(seconds / max(length, 1e-9) % 1 * count)
        if (animation, number) not in self.poses:
            parts = self.model.surfaces(animation, number / count * length)
            self.poses[animation, number] = np.concatenate([part.vertices for part in parts])
        return self.poses[animation, number]


_shapes: WeakKeyDictionary[Model, dict[int, _Shape]] = WeakKeyDictionary()


def _shape_of(model: Model, most: int) -> _Shape:
    """Cached per model and number of triangles for as long as the model is in use."""
    known = _shapes.setdefault(model, {})
    if most not in known:
        known[most] = _Shape(model, most)
    return known[most]


def _box(model: Model) -> Surface:
    parts = model.surfaces()
    points = np.concatenate([part.vertices for part in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low
    mean = np.concatenate([_face_colours(part) for part in parts]).mean(axis=0)
    return Surface(corners.astype(np.float32), _BOX, np.repeat(np.rint(mean)[None].astype(np.uint8), 8, axis=0))


def _face_colours(part: Surface) -> NDArray[np.uint8]:
    """(T,3): the mean of each triangle's corner colours."""
    colours = part.colours
    if part.texture is not None and part.uv is not None:
        rows, columns = part.texture.shape[:2]
        u, v = (part.uv - np.floor(part.uv)).T
        colours = part.texture[
            np.minimum((v * rows).astype(int), rows - 1), np.minimum((u * columns).astype(int), columns - 1)
        ]
    return np.rint(colours[part.triangles].mean(axis=1)).astype(np.uint8)


def _matrices(scene: StagedScene, item: SceneObject, frames: int, display_from_world: NDArray) -> NDArray[np.float64]:
    """(F,4,4): display-from-model."""
    turn = np.eye(4)
    turn[:3, :3] = display_from_world
    shares = np.arange(frames) / max(frames - 1, 1)
    return turn @ scene.world_from_stage @ matrices([item.placement(float(share)) for share in shares])


def _transform(points: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return (points @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)


def _columns(points: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return {axis: np.ascontiguousarray(column) for axis, column in zip("xyz", points.T)}


def _mesh(name: str, points: NDArray[np.float32], shape: _Shape) -> dict[str, Any]:
    corners = {axis: np.ascontiguousarray(column, np.int32) for axis, column in zip("ijk", shape.triangles.T)}
    light = {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05, "fresnel": 0}
    return dict(
        type="mesh3d", **_columns(points), **corners, facecolor=shape.colours, flatshading=True, lighting=light,
        name=name, hoverinfo="name",
    )  # fmt: skip


def _way(feet: NDArray[np.float64], points: list[NDArray[np.float32]]) -> list[dict[str, Any]]:
    """A line along the object's positions, and two invisible points that extend the axes to its whole range."""
    ends = np.stack([np.min([p.min(axis=0) for p in points], axis=0), np.max([p.max(axis=0) for p in points], axis=0)])
    line = dict(
        type="scatter3d", **_columns(feet.astype(np.float32)), mode="lines", name="way", hoverinfo="skip",
        line={"color": WAY_COLOUR, "width": 3},
    )  # fmt: skip
    room = dict(
        type="scatter3d", **_columns(ends), mode="markers", name="room", hoverinfo="skip", marker={"size": 1, "opacity": 0}
    )  # fmt: skip
    return [line, room]
