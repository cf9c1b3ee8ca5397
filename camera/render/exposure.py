"""Depth of field and motion blur from a finite aperture and shutter time.

Both are computed as in a camera. Many pinhole pictures, taken from points of the lens and at moments of the exposure, are
averaged in linear light (gamma 2.2). The lens is sheared so that the focal plane stays fixed; a point at depth z then
becomes a disc of diameter

    f_px * aperture * |1 / z - 1 / focus|   pixels,

where the aperture is the focal length over the f-stop, for a sensor `FULL_FRAME_MM` wide. In a scene of unknown scale one unit
counts as a metre. Only the camera moves during an exposure; clips and objects do not.
``tabs/browser/drawing/exposure.js`` does the same in the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import FULL_FRAME_MM
from camera.editing.targets import depths_of
from camera.errors import InputError
from camera.path import CameraPath

Draw = Callable[[CameraPath, int], Any]
"""Renders a frame: path and frame number to a `camera.render.painters.RenderedFrame`."""
GAMMA = 2.2
NEAREST_SHARE = 0.05
"""Minimum focus distance as a fraction of ``distance``, also if the point in focus is behind the camera."""
FEWEST, MOST = 16, 64
"""Pinhole pictures per frame."""
SPACING_PX = 2.0
"""Spacing of the pinhole pictures in pixels: a wider blur uses more pictures, up to `MOST`."""
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_ONE = 1 << 24
_LINEAR = np.round(_ONE * (np.arange(256) / 255.0) ** GAMMA).astype(np.uint32)


@dataclass(frozen=True)
class Exposure:
    """Aperture, shutter and focus of the camera.

    ``f_stop``: 0 for a pinhole, which is sharp everywhere. ``shutter_degrees``: shutter angle, 360 for the whole frame time,
    centred on the frame; 0 for an instant. ``distance``: of the focal plane, in scene units. ``point``: world point (3,) that
    the focus follows instead. Raises `InputError` for values out of range."""

    distance: float
    f_stop: float = 0.0
    shutter_degrees: float = 0.0
    point: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        numbers = (self.distance, self.f_stop, self.shutter_degrees, *(self.point or ()))
        if not np.isfinite(numbers).all() or self.distance <= 0 or self.f_stop < 0:
            raise InputError("The focus distance must be above 0, and the f-stop a number such as 2.8, or 0 for none.")
        if not 0 <= self.shutter_degrees <= 360:
            raise InputError(f"The shutter angle must be 0 to 360 degrees, got {self.shutter_degrees:g}.")

    @property
    def is_off(self) -> bool:
        return self.f_stop == 0 and self.shutter_degrees == 0

    def focus_of(self, path: CameraPath) -> NDArray[np.float64]:
        """(F,): depth of the plane in focus, in scene units."""
        if self.point is None:
            return np.full(len(path), self.distance)
        return np.maximum(depths_of(path, self.point), NEAREST_SHARE * self.distance)

    def aperture_of(self, path: CameraPath) -> NDArray[np.float64]:
        """(F,): diameter of the aperture in scene units; 0 for a pinhole."""
        if self.f_stop == 0:
            return np.zeros(len(path))
        return path.intrinsics[:, 0, 0] / path.width * FULL_FRAME_MM / 1000 / self.f_stop

    def blur_px(self, path: CameraPath, depth: float) -> NDArray[np.float64]:
        """(F,): diameter of the circle of confusion of a point at ``depth``; infinity is the background."""
        apart = np.abs((0.0 if np.isinf(depth) else 1 / depth) - 1 / self.focus_of(path))
        return path.intrinsics[:, 0, 0] * self.aperture_of(path) * apart

    def travel_px(self, path: CameraPath) -> NDArray[np.float64]:
        """(F,): largest motion in the picture during the exposure, over the centre and corners of a plane at ``distance``."""
        when = np.arange(len(path)) + self.shutter_degrees / 360 * np.array([[-0.5], [0.5]])
        opened, closed = map(path.between, when)
        across, down = (path.width - 1) * np.array([0, 0, 1, 1, 0.5]), (path.height - 1) * np.array([0, 1, 0, 1, 0.5])
        pixels = np.stack([across, down, np.ones(5)])
        rays = np.linalg.solve(opened.intrinsics, np.broadcast_to(pixels, (len(path), 3, 5))) * self.distance
        world = opened.world_from_camera[:, :3, :3] @ rays + opened.centres[:, :, None]
        to_camera = closed.camera_from_world
        projected = closed.intrinsics @ (to_camera[:, :3, :3] @ world + to_camera[:, :3, 3:])
        moved = projected[:, :2] / np.maximum(projected[:, 2:], 1e-6) - pixels[:2]
        return np.minimum(np.linalg.norm(moved, axis=1).max(axis=1), path.width)

    def count(self, path: CameraPath) -> int:
        """The number of pictures averaged per frame: a power of two, the same for all frames of a path."""
        travel = self.travel_px(path).max() if self.shutter_degrees else 0.0
        area = np.pi / 4 * self.blur_px(path, np.inf).max() ** 2
        wanted = max(area / SPACING_PX**2, travel / SPACING_PX, 1.0)
        return int(np.clip(2 ** np.ceil(np.log2(wanted)), FEWEST, MOST))

    def words(self, path: CameraPath) -> str:
        """A sentence on the effect of the exposure along ``path``."""
        clauses = []
        if self.f_stop:
            focus, blur = self.focus_of(path), self.blur_px(path, np.inf)
            clauses.append(
                f"f/{self.f_stop:g}, in focus {_range(focus)} ahead, the far background blurred over {_range(blur)} px"
            )
        if self.shutter_degrees:
            clauses.append(f"shutter {self.shutter_degrees:g} degrees, {_range(self.travel_px(path))} px of travel")
        return f"{'; '.join(clauses)}. {self.count(path)} pictures make each frame." if clauses else ""


def _range(values: NDArray[np.float64]) -> str:
    low, high = f"{values.min():.2g}", f"{values.max():.2g}"
    return low if low == high else f"{low} to {high}"


def cameras_of(path: CameraPath, frame: int, exposure: Exposure, count: int) -> CameraPath:
    """The ``count`` pinhole cameras (a power of two) of frame ``frame``: a spiral over the lens, in bit-reversed order of time so
    that lens position and time are uncorrelated."""
    number = np.arange(count)
    moment = (_bits_reversed(number, count) + 0.5) / count - 0.5
    cameras = path.between(frame + exposure.shutter_degrees / 360 * moment)
    radius, angle = np.sqrt((number + 0.5) / count), number * GOLDEN_ANGLE
    on_lens = 0.5 * exposure.aperture_of(cameras)[:, None] * (radius * [np.cos(angle), np.sin(angle)]).T
    poses, lenses = cameras.world_from_camera.copy(), cameras.intrinsics.copy()
    poses[:, :3, 3] += np.einsum("nij,nj->ni", poses[:, :3, :2], on_lens)
    lenses[:, :2, 2] += np.einsum("nij,nj->ni", lenses[:, :2, :2], on_lens) / exposure.focus_of(cameras)[:, None]
    return replace(cameras, world_from_camera=poses, intrinsics=lenses)


def _bits_reversed(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    bits = count.bit_length() - 1
    return sum(((numbers >> bit & 1) << (bits - 1 - bit) for bit in range(bits)), np.zeros_like(numbers))


def expose(draw: Draw, path: CameraPath, exposure: Exposure) -> Draw:
    """Wrap ``draw`` to render with the lens and shutter of ``exposure``. Holes, depth and far layer come from the sharp picture."""
    count = exposure.count(path)

    def through(path: CameraPath, frame: int) -> Any:
        cameras = cameras_of(path, frame, exposure, count)
        poses, lenses = path.world_from_camera.copy(), path.intrinsics.copy()
        light = np.zeros((path.height, path.width, 3), np.uint32)
        for pose, lens in zip(cameras.world_from_camera, cameras.intrinsics):
            poses[frame], lenses[frame] = pose, lens
            rendered = draw(replace(path, world_from_camera=poses, intrinsics=lenses), frame)
            light += _LINEAR[rendered.colour]
        return replace(draw(path, frame), colour=_average_to_srgb(light, count))

    return through


def _average_to_srgb(light: NDArray[np.uint32], count: int) -> NDArray[np.uint8]:
    mean = light * np.float32(1 / (count * _ONE))
    return np.round(255 * np.minimum(mean, 1) ** np.float32(1 / GAMMA)).astype(np.uint8)
