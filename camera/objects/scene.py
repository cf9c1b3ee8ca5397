"""Objects in a scene: models with a position, a motion and an animation, placed in front of a picture's camera.

Positions are relative to the picture: right, up and ahead, in units of the subject's distance, so that a number has the same
effect in a scene of any unit. "Up" is the world's; "ahead" is horizontal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.objects.model import Model
from camera.objects.surface import UNLIT, Light, Surface
from camera.path import pinhole
from camera.rotation import UP
from camera.view import Scene, View

Motion = Literal["even", "soft", "smooth"]
"""Motion between keys: at constant speed, easing in and out at every key, or along one smooth curve."""

MOST_OBJECTS = 50


@dataclass(frozen=True)
class Placement:
    """``right``, ``up``, ``ahead``: position of the centre of its base. ``turn`` about the vertical (positive brings its front to the
    viewer's right), then ``tilt`` (backwards) and ``roll`` (clockwise as seen), in degrees. ``size``: its longest side in
    distances to the subject."""

    right: float = 0.0
    up: float = -0.25
    ahead: float = 1.0
    turn: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    size: float = 0.5

    def __post_init__(self) -> None:
        values = np.array(self.values(), dtype=np.float64)
        if not np.isfinite(values).all() or (np.abs(values) > 1e6).any():
            raise InputError("The position of an object must be finite numbers below a million.")
        if self.size <= 0:
            raise InputError(f"The size of an object must be above 0, got {self.size}.")

    def values(self) -> tuple[float, ...]:
        return (self.right, self.up, self.ahead, self.turn, self.tilt, self.roll, self.size)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(4,4): from the model's axes to the stage's, x right, y up, z towards the viewer."""
        return matrices([self])[0]


def matrices(placements: Sequence[Placement]) -> NDArray[np.float64]:
    """(N,4,4): see `Placement.matrix`."""
    from scipy.spatial.transform import Rotation

    right, up, ahead, turn, tilt, roll, size = np.array([one.values() for one in placements], dtype=np.float64).T
    transforms = np.repeat(np.eye(4)[None], len(right), axis=0)
    rotations = Rotation.from_euler("YXZ", np.stack([turn, -tilt, -roll], axis=1), degrees=True)
    transforms[:, :3, :3] = rotations.as_matrix() * size[:, None, None]
    transforms[:, :3, 3] = np.stack([right, up, -ahead], axis=1)
    return transforms


@dataclass(frozen=True)
class Key:
    """``at``: 0 is the first frame, 1 the last."""

    at: float
    placement: Placement


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A model with its motion. ``keys``: at least one, in order of time; ``speed``: of the animation, 1 for the original speed."""

    model: Model
    keys: tuple[Key, ...] = (Key(0.0, Placement()),)
    motion: Motion = "even"
    animation: str = ""
    speed: float = 1.0

    def __post_init__(self) -> None:
        times = np.array([key.at for key in self.keys])
        if not len(times) or not ((times >= 0) & (times <= 1)).all() or (np.diff(times) <= 0).any():
            raise InputError("The keys of an object must be between 0 and 1 and ascending.")
        if self.motion not in get_args(Motion):
            raise InputError(
                f"The motion of an object must be one of {', '.join(get_args(Motion))}; got {self.motion!r}."
            )
        if not np.isfinite(self.speed) or abs(self.speed) > 100:
            raise InputError(f"The speed of an animation must be between -100 and 100, got {self.speed}.")
        if self.animation and self.animation not in self.model.animations:
            known = ", ".join(self.model.animations) or "none"
            raise InputError(f"{self.model.name} has no animation {self.animation!r}; it has {known}.")

    def placement(self, share: float) -> Placement:
        """Placement at a time between 0 (first frame) and 1 (last frame). Angles are interpolated as numbers (0 to 360 is a full turn), size geometrically."""
        keys = self.keys
        if len(keys) == 1 or share <= keys[0].at:
            return keys[0].placement
        if share >= keys[-1].at:
            return keys[-1].placement
        times = np.array([key.at for key in keys])
        values = np.array([key.placement.values() for key in keys])
        values[:, -1] = np.log(values[:, -1])
        now = self._interpolate(times, values, share)
        right, up, ahead, turn, tilt, roll, size = now.tolist()
        return Placement(right, up, ahead, turn, tilt, roll, float(np.exp(size)))

    def _interpolate(self, times: NDArray, values: NDArray, share: float) -> NDArray[np.float64]:
        if self.motion == "smooth":
            from scipy.interpolate import PchipInterpolator

            return PchipInterpolator(times, values)(share)
        after = int(np.searchsorted(times, share, side="right"))
        part = (share - times[after - 1]) / (times[after] - times[after - 1])
        part = part * part * (3 - 2 * part) if self.motion == "soft" else part
        return values[after - 1] * (1 - part) + values[after] * part

    @property
    def described(self) -> tuple:
        """Everything that defines this object, as plain values; the model is given by its file's hash."""
        keys = tuple(tuple(map(float, (key.at, *key.placement.values()))) for key in self.keys)
        return self.model.sha256, keys, self.motion, self.animation, float(self.speed)

    def surfaces(self, share: float, seconds: float) -> tuple[Surface, ...]:
        """Surfaces in the stage's axes at a time of the video."""
        matrix = self.placement(share).matrix
        return tuple(part.moved(matrix) for part in self.model.surfaces(self.animation, seconds * self.speed))


def new_object(model: Model, placement: Placement) -> SceneObject:
    """A new static object that plays its model's first animation, if it has one."""
    return SceneObject(model, (Key(0.0, placement),), animation=next(iter(model.animations), ""))


@dataclass(frozen=True)
class Lighting:
    """The user's light for objects: direction around the viewer's right and elevation, in degrees."""

    ambient: float = 1.0
    around_degrees: float = 40.0
    above_degrees: float = 45.0
    beside_camera: bool = False


@dataclass(frozen=True, eq=False)
class StagedScene(Scene):
    """A scene with objects. ``distance`` of the subject, in scene units, is the unit of their positions; it is kept when the picture
    is cropped or scaled."""

    objects: tuple[SceneObject, ...] = ()
    distance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.objects) > MOST_OBJECTS:
            raise InputError(f"A scene holds up to {MOST_OBJECTS} objects, got {len(self.objects)}.")
        if not (np.isfinite(self.distance) and self.distance > 0):
            raise InputError(f"The distance of the subject must be positive and finite, got {self.distance}.")

    @property
    def world_from_stage(self) -> NDArray[np.float64]:
        """(4,4): stage axes are x right, y up, z towards the viewer, with the picture's camera at the origin."""
        pose = self.first.world_from_camera
        up, ahead = np.array(UP), pose[:3, 2]
        level = ahead - (ahead @ up) * up
        if np.linalg.norm(level) < 0.1:  # looking straight up or down: use the camera's own axes
            axes = pose[:3, :3] @ np.diag([1.0, -1, -1])
        else:
            back = -level / np.linalg.norm(level)
            axes = np.stack([np.cross(up, back), up, back], axis=1)
        transform = np.eye(4)
        transform[:3, :3], transform[:3, 3] = axes * self.distance, pose[:3, 3]
        return transform

    def surfaces(self, frame: int, frames: int, fps: float) -> tuple[Surface, ...]:
        """Surfaces of all objects, in the world, at frame ``frame`` of ``frames``."""
        world, share = self.world_from_stage, frame / max(frames - 1, 1)
        parts = [part for item in self.objects for part in item.surfaces(share, frame / fps)]
        return tuple(part.moved(world) for part in parts)

    def light(self, lighting: Lighting) -> Light:
        """The light of ``lighting`` in the world."""
        if lighting.ambient >= 1:
            return UNLIT
        if lighting.beside_camera:
            return Light(lighting.ambient)
        around, above = np.radians([lighting.around_degrees, lighting.above_degrees])
        direction = [np.sin(around) * np.cos(above), np.sin(above), np.cos(around) * np.cos(above)]
        world = self.world_from_stage[:3, :3] @ direction / self.distance
        return Light(lighting.ambient, tuple(world.tolist()))

    def with_objects(self, objects: Sequence[SceneObject]) -> StagedScene:
        return replace(self, objects=tuple(objects))

    def spot(self, column: float, row: float) -> tuple[float, float, float]:
        """Right, up and ahead of the surface at a pixel; raises `InputError` if the pixel has no depth."""
        view = self.first
        x, y = int(np.clip(round(column), 0, view.width - 1)), int(np.clip(round(row), 0, view.height - 1))
        if not view.known[y, x]:
            raise InputError("There is no depth at that place of the picture; choose another.")
        local = np.linalg.inv(view.intrinsics) @ [x, y, 1.0] * view.depth[y, x]
        return self.place_of(view.world_from_camera @ [*local, 1.0])

    def standing_place(self) -> Placement:
        """A placement for a new object: horizontally centred, on the surface three quarters down the picture."""
        try:
            right, up, ahead = self.spot(self.first.width / 2, self.first.height * 0.75)
        except InputError:
            return Placement()
        return Placement(round(right, 3), round(up, 3), round(ahead, 3), size=max(round(0.4 * ahead, 3), 0.01))

    def place_of(self, point: ArrayLike) -> tuple[float, float, float]:
        """Right, up and ahead of a point (4,) of the world."""
        right, up, back, _ = np.linalg.inv(self.world_from_stage) @ np.asarray(point, dtype=np.float64)
        return float(right), float(up), float(-back)


def stage_objects(scene: Scene, objects: Sequence[SceneObject] = ()) -> StagedScene:
    """The scene with these objects instead of any others; a staged scene keeps its distance."""
    if isinstance(scene, StagedScene):
        return scene.with_objects(objects)
    facts = {name: getattr(scene, name) for name in ("views", "kind", "unit", "fps", "source", "name", "others")}
    return StagedScene(**facts, objects=tuple(objects), distance=subject_distance(scene.first))


def subject_distance(view: View) -> float:
    return view.focus_depth if view.known.any() else 1.0


def plain(scene: Scene) -> Scene:
    """The scene without objects."""
    if not isinstance(scene, StagedScene):
        return scene
    return Scene(**scene.plain_fields())


def empty_stage(width: int = 1024, height: int = 576) -> StagedScene:
    """A grey floor in front of a grey wall, for scenes that consist only of objects; the subject is at distance 3."""
    floor, wall = 0.9, 6.0
    lens = pinhole(width, height, 50.0)
    below = np.maximum((np.arange(height) - lens[1, 2]) / lens[1, 1], 1e-6)
    depth = np.repeat(np.minimum(floor / below, wall)[:, None], width, axis=1).astype(np.float32)
    shade = np.where(depth < wall, 150 - 8 * depth, 96)
    colour = np.repeat(np.rint(shade).astype(np.uint8)[..., None], 3, axis=2)
    view = View.of(colour, depth, lens)
    return StagedScene((view,), source="an empty stage", name="Empty stage", distance=3.0)
