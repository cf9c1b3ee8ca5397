"""GEN3C's 3D cache: pictures stored as coloured points and rendered, as the network's input, from the target path's cameras.

Three kinds, depending on the scene::

    cache = image_cache(view)            # "still": the picture; cache = cache.updated(view) adds a generated frame
    cache = key_view_cache(scene.views)  # "views": chooses the views that best cover a stretch of the path
    cache = clip_cache(scene)            # "clip": frame f of the clip for target frame f
    cache = cache_of(scene)              # chosen by the kind of scene

    shown = cache.render(path.sliced(slice(0, 121)))
    shown.images   # (F,N,3,H,W) float32 in [-1,1], -1 where unknown
    shown.masks    # (F,N,1,H,W) float32, 1 where known
    cache.cloud()  # PointCloud: ply_bytes(), glb_bytes()

N is the number of buffers. Caches are immutable values; `render` may be called from several threads.
`CacheOptions` has the point filter, foreground masking and the named upstream behaviours.

Two upstream failures are fixed without an option: a clip longer than one chunk can be rendered with foreground masking,
and a new frame that does not overlap the cache is added without depth alignment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from camera.cache3d.buffer import DEFAULTS, Buffer, CacheOptions, buffer, buffer_of, clamp_depth, to_signed
from camera.cache3d.buffer import UPSTREAM as UPSTREAM  # was defined here
from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.view import Scene, View

if TYPE_CHECKING:
    import torch

FARTHEST_NEW = 1e4
"""Depth to which added generated frames are clamped; the first pictures use `camera.cache3d.buffer.FARTHEST`."""


@dataclass(frozen=True, eq=False)
class CacheFrames:
    """Renders of a cache, the network's input: ``images`` (F,N,3,H,W) in [-1,1], ``masks`` (F,N,1,H,W), ``depths`` (F,N,H,W) or None."""

    images: NDArray[np.float32]
    masks: NDArray[np.float32]
    depths: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class ImageCache:
    """Cache of a still picture: the picture and generated frames as ``buffers``, newest first."""

    buffers: tuple[Buffer, ...]
    options: CacheOptions = DEFAULTS

    def render(
        self,
        path: CameraPath,
        *,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
        with_depth: bool = False,
    ) -> CacheFrames:
        """Render all buffers from every camera of ``path``.

        ``noise``: strength of the normal noise that GEN3C can add to the images, multiplied by a buffer's index in age (0 for
        the oldest); drawn from ``generator``, which is required with it.
        """
        items = [(source, frame) for frame in range(len(path)) for source in self.buffers]
        frames = _render_items(items, path, self.options, with_depth=with_depth)
        if noise == 0:
            return frames
        if generator is None:
            raise InputError("Noise on the cache needs a random generator; pass one with its seed.")
        return replace(frames, images=_add_noise(frames.images, noise, generator))

    def updated(
        self,
        view: View,
        *,
        align: Literal["rigid", "non_rigid"] | None = "non_rigid",
        most: int = 2,
    ) -> ImageCache:
        """The cache with a generated frame added, its depth aligned to the cache's depth from the same camera.

        At most ``most`` buffers are kept: the newest is replaced, the original picture stays.
        """
        return self.updated_with(
            to_signed(view.colour),
            np.where(view.known, view.depth, np.float32(np.nan)),
            camera=view.camera,
            align=align,
            most=most,
        )

    def updated_with(
        self,
        image: NDArray[np.float32],
        depth: NDArray[np.float32],
        *,
        camera: CameraPath,
        align: Literal["rigid", "non_rigid"] | None = "non_rigid",
        most: int = 2,
    ) -> ImageCache:
        """Like `updated`, for an ``image`` (H,W,3) in [-1,1] and ``depth`` (H,W) from the one-frame path ``camera``."""
        depth = clamp_depth(depth, FARTHEST_NEW)
        if align is not None:
            depth = self._align(depth, camera, align)
        added = buffer(
            image,
            depth,
            intrinsics=camera.intrinsics[0],
            world_from_camera=camera.world_from_camera[0],
            options=self.options,
            farthest=None,
        )
        if self.options.first_boundary_for_all:
            added = replace(added, boundary=self.buffers[-1].boundary)
        remaining = self.buffers if len(self.buffers) < most else self.buffers[1:]
        return replace(self, buffers=(added, *remaining))

    def _align(self, depth: NDArray, camera: CameraPath, method: Literal["rigid", "non_rigid"]) -> NDArray:
        from camera.cache3d.depth_alignment import align

        shown = self.render(camera, with_depth=True)
        assert shown.depths is not None
        known = shown.masks[0, 0, 0] > 0
        if not known.any():
            return depth
        lens, pose = camera.intrinsics[0], camera.camera_from_world[0]
        return align(depth, shown.depths[0, 0], known, intrinsics=lens, camera_from_world=pose, method=method)

    def cloud(self) -> PointCloud:
        return PointCloud.joined(source.cloud() for source in self.buffers)


@dataclass(frozen=True, eq=False)
class KeyViewCache:
    """Cache of several views of one moment; each stretch of the path uses the ``most`` views that cover it best.

    ``most``: None uses all of them. ``full``: if a chosen view covers at least this fraction of a frame, only the first such
    view is shown there; None switches this off.
    """

    buffers: tuple[Buffer, ...]
    options: CacheOptions = DEFAULTS
    most: int | None = 2
    full: float | None = 0.9

    def render(self, path: CameraPath, *, with_depth: bool = False) -> CacheFrames:
        """The chosen views, best first, from every camera of ``path``; the choice is made once for the whole path."""
        items = [(source, frame) for frame in range(len(path)) for source in self.buffers]
        frames = _render_items(items, path, self.options, with_depth=with_depth)
        if self.most is not None:
            best = np.argsort(-frames.masks.sum(axis=(0, 2, 3, 4)), kind="stable")[: self.most]
            depths = None if frames.depths is None else frames.depths[:, best]
            frames = CacheFrames(frames.images[:, best], frames.masks[:, best], depths)
        if self.full is not None:
            _keep_first_full(frames, self.full)
        return frames

    def cloud(self) -> PointCloud:
        return PointCloud.joined(source.cloud() for source in self.buffers)


@dataclass(frozen=True, eq=False)
class ClipCache:
    """One buffer for every frame of a moving scene."""

    buffers: Sequence[Buffer]
    options: CacheOptions = DEFAULTS

    def render(self, path: CameraPath, *, start: int = 0, with_depth: bool = False) -> CacheFrames:
        """Frame ``start + f`` of the clip rendered from camera f of ``path``; N is 1."""
        if start < 0 or start + len(path) > len(self.buffers):
            raise InputError(
                f"The clip has {len(self.buffers)} frames; frames {start} to {start + len(path) - 1} were requested."
            )
        items = _Items(self.buffers, start, len(path))
        return _render_items(items, path, self.options, with_depth=with_depth)

    def cloud(self, frame: int = 0) -> PointCloud:
        return self.buffers[frame].cloud()


Cache = ImageCache | KeyViewCache | ClipCache


def image_cache(view: View, options: CacheOptions = DEFAULTS) -> ImageCache:
    return ImageCache((buffer_of(view, options),), options)


def key_view_cache(views: Iterable[View], options: CacheOptions = DEFAULTS, *, most: int | None = 2) -> KeyViewCache:
    return KeyViewCache(tuple(buffer_of(view, options) for view in views), options, most)


def clip_cache(scene: Scene, options: CacheOptions = DEFAULTS) -> ClipCache:
    """A cache whose points are computed when a frame is rendered, because a whole clip's would take gigabytes."""
    return ClipCache(_ViewBuffers(scene.views, options), options)


def cache_of(scene: Scene, options: CacheOptions = DEFAULTS) -> Cache:
    """The cache for the scene's kind."""
    if scene.kind == "clip":
        return clip_cache(scene, options)
    return key_view_cache(scene.views, options) if scene.kind == "views" else image_cache(scene.first, options)


def pool_buffers(frames: CacheFrames) -> CacheFrames:
    """Merge all buffers into one (F,1,...), keeping the nearest surface at every pixel. Needs frames rendered ``with_depth``."""
    if frames.depths is None:
        raise InputError("Pooling needs the depth of every buffer; render the cache with depth.")
    known = frames.masks[:, :, 0] > 0
    depths = np.where(known, frames.depths, np.float32(np.inf))
    nearest = depths.argmin(axis=1)[:, None]
    images = np.take_along_axis(frames.images, nearest[:, :, None], axis=1)
    masks = np.take_along_axis(frames.masks, nearest[:, :, None], axis=1)
    return CacheFrames(images, masks, np.take_along_axis(frames.depths, nearest, axis=1))


class _ViewBuffers(Sequence[Buffer]):
    """Buffers of the views of a clip, created on access."""

    def __init__(self, views: tuple[View, ...], options: CacheOptions) -> None:
        self.views, self.options = views, options

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index):
        return buffer_of(self.views[index], self.options)


class _Items(Sequence[tuple[Buffer, int]]):
    """(buffer, target frame) of a stretch of a clip."""

    def __init__(self, buffers: Sequence[Buffer], start: int, frames: int) -> None:
        self.buffers, self.start, self.frames = buffers, start, frames

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index):
        return self.buffers[self.start + index], index


def _render_items(
    items: Sequence[tuple[Buffer, int]], path: CameraPath, options: CacheOptions, *, with_depth: bool
) -> CacheFrames:
    """Render every (buffer, frame); items are ordered by frame, then buffer."""
    shape = (len(items), path.height, path.width)
    images = np.empty((len(items), 3, *shape[1:]), np.float32)
    masks = np.empty((len(items), 1, *shape[1:]), np.float32)
    depths = np.empty(shape, np.float32) if with_depth else None
    poses = inverse(path.world_from_camera)
    together = 2 if options.pairs_share_depth_range else 1

    def draw(first: int) -> None:
        from camera.render.forward_splat import greatest_depth

        group = [items[i] for i in range(first, min(first + together, len(items)))]
        depth_range = max(greatest_depth(source.points, poses[frame]) for source, frame in group)
        for offset, (source, frame) in enumerate(group):
            lens = path.intrinsics[frame]
            image, known, depth = _render_buffer(source, poses[frame], lens, shape[1:], depth_range, with_depth)
            images[first + offset], masks[first + offset, 0] = np.moveaxis(image, -1, 0), known
            if depths is not None:
                depths[first + offset] = depth

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="cache") as pool:
        list(pool.map(draw, range(0, len(items), together)))
    layout = (len(path), len(items) // len(path))
    return CacheFrames(
        images.reshape(*layout, *images.shape[1:]),
        masks.reshape(*layout, *masks.shape[1:]),
        None if depths is None else depths.reshape(*layout, *depths.shape[1:]),
    )


def _render_buffer(
    source: Buffer, pose: NDArray, lens: NDArray, size: tuple[int, int], depth_range: float, with_depth: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None]:
    """Image (H,W,3), known (H,W) and depth (H,W) of one buffer from one camera."""
    from camera.cache3d.occlusion import hidden_mask
    from camera.render.forward_splat import splat

    drawn = splat(
        source.image,
        source.points,
        camera_from_world=pose,
        intrinsics=lens,
        size=size,
        strength=source.mask,
        depth_range=depth_range,
        with_depth=with_depth or source.boundary is not None,
    )
    if source.foreground is not None and drawn.depth is not None:
        behind = hidden_mask(drawn.depth, source.foreground, pose, lens)
        drawn.image[behind], drawn.known[behind], drawn.depth[behind] = -1, False, 0
    return drawn.image, drawn.known, drawn.depth


def _keep_first_full(frames: CacheFrames, full: float) -> None:
    coverage = frames.masks.mean(axis=(2, 3, 4))
    for frame, covered in enumerate(coverage >= full):
        if covered.any():
            blank = np.arange(len(covered)) != int(np.argmax(covered))
            frames.images[frame, blank], frames.masks[frame, blank] = -1, 0
            if frames.depths is not None:
                frames.depths[frame, blank] = 0


def _add_noise(images: NDArray[np.float32], strength: float, generator: torch.Generator) -> NDArray[np.float32]:
    import torch

    noise = torch.randn((1, *images.shape), generator=generator, device=generator.device)[0].cpu().numpy()
    age = np.arange(images.shape[1] - 1, -1, -1, dtype=np.float32)
    return (images + noise * np.float32(strength) * age[:, None, None, None]).astype(np.float32, copy=False)
