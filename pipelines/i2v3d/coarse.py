"""The coarse renders that steer both networks: colour, depth, foreground and what is visible at all, along the path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.render import rendered
from camera.view import FAR, Scene, View
from pipelines.i2v3d.method import I2V3DSettings
from pipelines.method import Frames

FARTHEST_PERCENTILE = 98.0
"""Of all depths of a path: what lies farther is as black as nothing at all."""


@dataclass(frozen=True, eq=False)
class CoarseRenders:
    """``colour`` (F,H,W,3) uint8, black where empty; ``depth`` (F,H,W) uint8, near is bright, the same scale throughout;
    ``foreground`` and ``visible`` (F,H,W) bool."""

    colour: Frames
    depth: NDArray[np.uint8]
    foreground: NDArray[np.bool_]
    visible: NDArray[np.bool_]

    def at(self, frames: list[int] | slice) -> CoarseRenders:
        return CoarseRenders(self.colour[frames], self.depth[frames], self.foreground[frames], self.visible[frames])

    @property
    def depth_pictures(self) -> NDArray[np.float32]:
        """(F,H,W) in 0..1, each picture stretched to the full range, as both networks were given it."""
        low = self.depth.min(axis=(1, 2), keepdims=True).astype(np.float32)
        high = self.depth.max(axis=(1, 2), keepdims=True).astype(np.float32)
        return (np.rint(255 * (self.depth - low) / np.maximum(high - low, 1)) / 255).astype(np.float32)


def foreground_of(view: View, settings: I2V3DSettings) -> NDArray[np.bool_]:
    """(H,W) bool in the picture itself."""
    if settings.foreground == "nothing":
        return np.zeros_like(view.known)
    if settings.foreground == "everything":
        return view.known
    return view.known & (view.depth <= settings.foreground_reach * view.focus_depth)


def render_path(scene: Scene, path: CameraPath, settings: I2V3DSettings) -> Iterator[int | CoarseRenders]:
    """Numbers of the frames done, then the renders. The foreground is drawn as a second picture on the same surface."""
    mask = foreground_of(scene.first, settings)
    painted = replace(scene.first, colour=np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2))
    colour, distance, foreground, visible = [], [], [], []
    drawn = zip(
        rendered(scene, path, fill="holes"),
        rendered(replace(scene, views=(painted,)), path, fill="holes"),
        strict=True,
    )
    for number, (picture, silhouette) in enumerate(drawn, 1):
        colour.append(picture.colour)
        distance.append(np.where(picture.far | picture.holes, np.float32(FAR), picture.depth))
        foreground.append((silhouette.colour[..., 0] > 127) & ~picture.holes)
        visible.append(~picture.holes)
        yield number
    depth = _brightness(np.stack(distance))
    yield CoarseRenders(np.stack(colour), depth, np.stack(foreground), np.stack(visible))


def _brightness(distance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(F,H,W): 255 at the camera, falling evenly to 0 at the farthest depth of the path."""
    known = distance[distance < FAR]
    farthest = np.percentile(known, FARTHEST_PERCENTILE) if known.size else 1.0
    return np.rint(255 * np.clip(1 - distance / max(float(farthest), 1e-6), 0, 1)).astype(np.uint8)
