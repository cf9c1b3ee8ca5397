"""A picture and its depth as a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.estimation.depth import DEFAULT_FOV_DEGREES, Depth
from pipelines.media.depth_map.raster import apply_orientation
from pipelines.media.image import Picture


def scene_from(picture: Picture, depth: Depth, *, fov_degrees: float | None = None, name: str = "picture") -> Scene:
    """A still scene; the field of view is the given one, else the depth model's, the file's, or 55 degrees."""
    import cv2

    height, width = picture.colour.shape[:2]
    values = _orient_as(depth.values, picture)
    if values.shape != (height, width):
        _check_same_shape(values.shape, (height, width))
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    fov = fov_degrees or depth.fov_degrees or picture.fov_degrees or DEFAULT_FOV_DEGREES
    view = View.of(picture.colour, values, pinhole(width, height, fov))
    return Scene((view,), "still", depth.unit, source=depth.source, name=name)


def guess_layout(colour: NDArray[np.uint8], *, horizon: float = 0.45, farthest: float = 12.0) -> Depth:
    """A guessed layout, not a measurement: a floor that recedes to a horizon (share of the height), with a backdrop at its end.

    For rehearsing a picture without a depth model; ``source`` labels it as a guess.
    """
    height, width = colour.shape[:2]
    below = (np.arange(height, dtype=np.float32) / height - horizon) / (1 - horizon)
    depth = 1 / np.maximum(below, 1 / farthest)
    values = np.repeat(depth[:, None], width, axis=1).astype(np.float32)
    return Depth(values, "relative", "a guessed layout (floor and backdrop), not measured depth")


def _orient_as(depth: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    """Depth (H,W) of the picture as stored, rotated as EXIF rotates the picture."""
    height, width = picture.colour.shape[:2]
    lies = picture.orientation >= 5 and abs(np.log(depth.shape[1] / depth.shape[0] * width / height)) < 0.02
    return apply_orientation(depth, picture.orientation) if lies and abs(width / height - 1) > 0.05 else depth


def _check_same_shape(depth: tuple[int, ...], picture: tuple[int, int]) -> None:
    if abs(depth[1] / depth[0] - picture[1] / picture[0]) > 0.02 * picture[1] / picture[0]:
        raise InputError(
            f"The depth map has the shape {depth[1]} x {depth[0]} and the picture {picture[1]} x {picture[0]}; "
            "use a depth map of the same picture."
        )
