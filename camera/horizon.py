"""Pixels of a picture without depth: padding around it, and its sky, whose lower edge is the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.view import Scene, View


def padding_mask(view: View) -> NDArray[np.bool_]:
    """(H,W): True on border rows and columns that are entirely black and without depth."""
    empty = np.zeros(view.known.shape, dtype=bool)
    for axis, lines in ((0, empty), (1, empty.T)):
        shown = np.asarray(view.known.any(axis=1 - axis))
        colour = np.moveaxis(view.colour, axis, 0)
        first, last = 0, len(shown)
        while first < last and not shown[first] and not colour[first].any():
            first += 1
        while last > first and not shown[last - 1] and not colour[last - 1].any():
            last -= 1
        lines[:first] = lines[last:] = True
    return empty


@dataclass(frozen=True)
class Horizon:
    """The lower limit of a scene's sky. ``up``: (3,) unit vector in the world. ``lowest``: sine of the sky's lowest elevation."""

    up: NDArray[np.float64]
    lowest: float

    @staticmethod
    def of(scene: Scene) -> Horizon | None:
        """The horizon of ``scene``; None if it has no sky. Up is the mean up direction of its cameras."""
        views = scene.views[:: max(1, len(scene.views) // 8)]
        up = -np.mean([view.world_from_camera[:3, 1] for view in views], axis=0)
        length = float(np.linalg.norm(up))
        if length < 0.1:  # the cameras have no common up direction
            return None
        sines = [_sky_sines(view, up / length) for view in views]
        lowest = [np.percentile(of_view, 1) for of_view in sines if len(of_view)]
        return Horizon(up / length, float(min(lowest))) if lowest else None

    def below(self, path: CameraPath, frame: int) -> NDArray[np.bool_]:
        """(H,W): True where the pixel's ray points below the scene's sky."""
        y, x = np.mgrid[: path.height, : path.width].astype(np.float32)
        turn = path.world_from_camera[frame, :3, :3].T @ self.up @ np.linalg.inv(path.intrinsics[frame])
        inverse = np.linalg.inv(path.intrinsics[frame])
        a, b = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2], inverse[1, 1] * y + inverse[1, 2]
        return (turn[0] * x + turn[1] * y + turn[2]) < self.lowest * np.sqrt(a * a + b * b + 1)


def _sky_sines(view: View, up: NDArray[np.float64], stride: int = 4) -> NDArray[np.float64]:
    """(N,): sines of the elevation of sky pixels (no depth, not padding), at every ``stride``-th row and column."""
    y, x = np.nonzero(~(view.known | padding_mask(view))[::stride, ::stride])
    rays = np.stack([x * stride, y * stride, np.ones(len(x))], axis=1) @ np.linalg.inv(view.intrinsics).T
    return rays @ (view.world_from_camera[:3, :3].T @ up) / np.linalg.norm(rays, axis=1)
