"""Pictures of GEN3C's 3D cache as points, and the filters that remove points: reliable depth and the foreground mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.cloud import PointCloud
from camera.depth_edges import reliable_depth
from camera.errors import InputError
from camera.horizon import padding_mask
from camera.view import View

if TYPE_CHECKING:
    from camera.cache3d.occlusion import ForegroundMesh

FARTHEST = 100.0
"""Depth to which the first pictures of a cache are clamped, as in GEN3C; its sky is at this depth."""
BOUNDARY = 0.05
"""Threshold of the depth edges that the foreground mesh covers."""


@dataclass(frozen=True)
class CacheOptions:
    """How a cache stores and renders its points. The defaults fix upstream's errors; `UPSTREAM` reproduces them.

    ``filter_threshold``: points are dropped where the depth in a 5x5 window spans more than this fraction of its mean;
    1 keeps all. ``foreground_masking``: pixels behind a mesh over the depth edges are not shown.
    ``pairs_share_depth_range``: upstream renders two items of the (frame, buffer) list at a time and scales their depth
    weights together, so the picture of a frame depends on its neighbour in the list.
    ``first_boundary_for_all``: upstream masks added frames by the depth edges of the first picture.
    """

    filter_threshold: float = 0.05
    foreground_masking: bool = False
    pairs_share_depth_range: bool = False
    first_boundary_for_all: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.filter_threshold <= 1:
            raise InputError(
                f"The point filter's threshold must be above 0 and at most 1, got {self.filter_threshold}."
            )


DEFAULTS = CacheOptions()
UPSTREAM = CacheOptions(foreground_masking=True, pairs_share_depth_range=True, first_boundary_for_all=True)


@dataclass(frozen=True, eq=False)
class Buffer:
    """One picture as points.

    ``image`` (H,W,3) float32 in [-1,1]; ``points`` (H,W,3) float32 in the world; ``mask`` (H,W) float32, 1 where the
    pixel is shown; ``boundary`` (H,W) bool: depth edges, or None without foreground masking.
    """

    image: NDArray[np.float32]
    points: NDArray[np.float32]
    mask: NDArray[np.float32]
    boundary: NDArray[np.bool_] | None = None

    @cached_property
    def foreground(self) -> ForegroundMesh | None:
        from camera.cache3d.occlusion import foreground_mesh

        return None if self.boundary is None else foreground_mesh(self.points, self.boundary)

    def cloud(self) -> PointCloud:
        shown = self.mask > 0
        return PointCloud(self.points[shown], np.rint((self.image[shown] + 1) * 127.5).astype(np.uint8))


def buffer(
    image: NDArray[np.float32],
    depth: NDArray[np.float32],
    *,
    intrinsics: ArrayLike,
    world_from_camera: ArrayLike,
    options: CacheOptions,
    mask: NDArray | None = None,
    farthest: float | None = FARTHEST,
) -> Buffer:
    """A buffer from a picture (H,W,3) in [-1,1] and ``depth`` (H,W) along z, NaN where unknown. ``mask`` (H,W): pixels to use.

    Depth is clamped to [0, ``farthest``]; None does not clamp (an aligned depth may be negative; the point filter then
    treats its neighbourhood as GEN3C does).
    """
    from camera.unproject import unproject

    depth = np.asarray(depth, np.float32)
    if farthest is not None:
        depth = clamp_depth(depth, farthest)
    shown = np.ones(depth.shape, np.float32) if mask is None else np.asarray(mask, np.float32)
    if options.filter_threshold < 1:
        shown = shown * reliable_depth(depth, options.filter_threshold)
    boundary = ~reliable_depth(depth, BOUNDARY) if options.foreground_masking else None
    points = unproject(depth, intrinsics, world_from_camera)
    return Buffer(np.ascontiguousarray(image, np.float32), points, shown, boundary)


def to_signed(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H,W,3) uint8 to float32 in [-1,1]."""
    return colour.astype(np.float32) / np.float32(127.5) - np.float32(1)


def clamp_depth(depth: NDArray[np.float32], farthest: float) -> NDArray[np.float32]:
    """Depth clamped to [0, ``farthest``]; ``farthest`` where it is missing."""
    return np.clip(np.nan_to_num(depth, nan=farthest, posinf=farthest), 0, farthest)


def buffer_of(view: View, options: CacheOptions, *, farthest: float = FARTHEST) -> Buffer:
    """A view as a buffer; the sky is placed at the depth ``farthest``.

    Masked out are padding and pixels that have a depth but are marked unknown, i.e. excluded by the clip's own mask.
    """
    masked = ~view.known & (view.depth < view.far)

    return buffer(
        to_signed(view.colour),
        view.depth,
        intrinsics=view.intrinsics,
        world_from_camera=view.world_from_camera,
        options=options,
        mask=~(masked | padding_mask(view)),
        farthest=farthest,
    )
