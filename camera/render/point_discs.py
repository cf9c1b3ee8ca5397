"""Renders a point cloud: one disc per point, sized by the gap to its neighbours, with the nearest surface visible.

Takes tens of milliseconds per frame on one core.
Imports numba, so import this module only on first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.kernel import kernel
from camera.path import CameraPath

NEIGHBOURS = 3
_SHARE = np.float32(0.8)
"""Radius of a disc as a fraction of the gap, large enough that a thinned cloud has no holes."""
LARGEST_PX = 12.0
"""Maximum radius of a disc; points very close to the camera leave gaps."""
NEAR = 1e-4
_OUTLIER = 6.0
"""Maximum radius relative to the median, so that an isolated point does not become a large disc."""
_SAME_SURFACE = np.float32(0.97)
"""Points whose inverse depths are at least in this ratio belong to one surface."""


@dataclass(frozen=True, eq=False)
class Dots:
    """A cloud prepared for rendering: ``radii`` (N,) float32 of its discs in scene units."""

    cloud: PointCloud
    radii: NDArray[np.float32]

    @staticmethod
    def of(cloud: PointCloud) -> Dots:
        from scipy.spatial import KDTree

        if len(cloud) <= NEIGHBOURS:
            return Dots(cloud, np.zeros(len(cloud), np.float32))
        gaps = np.asarray(KDTree(cloud.points).query(cloud.points, NEIGHBOURS + 1)[0])[:, -1]
        return Dots(cloud, _SHARE * np.minimum(gaps, _OUTLIER * np.median(gaps)).astype(np.float32))

    def draw(self, path: CameraPath, frame: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Colour (H,W,3) and holes (H,W), True where no point is, from camera ``frame`` of ``path``."""
        pose, lens = path.camera_from_world[frame], path.intrinsics[frame]
        local = self.cloud.points @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(np.float32)
        ahead = local[:, 2] > NEAR
        pixels = local[ahead] @ lens.T.astype(np.float32)
        places = (pixels[:, :2] / pixels[:, 2:]).astype(np.float32)
        inverse = (1 / local[ahead, 2]).astype(np.float32)
        radii = np.clip(self.radii[ahead] * inverse * np.float32(lens[0, 0]), 0.5, LARGEST_PX).astype(np.float32)
        nearest = np.zeros((path.height, path.width), np.float32)
        colour = np.zeros((path.height, path.width, 3), np.uint8)
        _draw(places, radii, inverse, np.ascontiguousarray(self.cloud.colours[ahead]), nearest, colour)
        return colour, nearest == 0


@kernel
def _draw(places, radii, inverse, colours, nearest, colour):
    """First pass: the nearest surface at each pixel. Second pass: the colour of the point on it whose centre is closest."""
    height, width = nearest.shape
    apart = np.full((height, width), np.inf, np.float32)
    for colouring in range(2):
        for n in range(len(places)):
            u, v, r = places[n, 0], places[n, 1], radii[n]
            if not (u > -r and v > -r and u < width + r and v < height + r):
                continue
            left, right = max(np.int64(np.ceil(u - r)), 0), min(np.int64(np.floor(u + r)), width - 1)
            top, bottom = max(np.int64(np.ceil(v - r)), 0), min(np.int64(np.floor(v + r)), height - 1)
            for y in range(top, bottom + 1):
                for x in range(left, right + 1):
                    square = (x - u) * (x - u) + (y - v) * (y - v)
                    if square > r * r + np.float32(0.25):
                        continue
                    if not colouring:
                        nearest[y, x] = max(nearest[y, x], inverse[n])
                    elif square < apart[y, x] and inverse[n] > nearest[y, x] * _SAME_SURFACE:
                        apart[y, x] = square
                        colour[y, x, 0], colour[y, x, 1], colour[y, x, 2] = colours[n, 0], colours[n, 1], colours[n, 2]
