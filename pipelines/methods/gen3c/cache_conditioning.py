"""The 3D cache during one run: built from the scene, rendered for the network chunk by chunk, and extended with generated frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from camera.cache3d.buffer import CacheOptions
from camera.cache3d.cache import CacheFrames, ClipCache, ImageCache, KeyViewCache, cache_of, pool_buffers
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Frames
from pipelines.methods.gen3c.continuation import FIRST_SHOWN, FROM_PICTURE, FROM_VIEW
from pipelines.methods.gen3c.method import FOCUS, POOLED, UPSTREAM, Gen3cSettings
from pipelines.methods.gen3c.preprocess import with_sky

_FRAMES_AT_ONCE = 4
"""Number of frames for which all key views are drawn together: 20 views of 1280 x 704 then take 1.4 GB."""


class Conditioning:
    """``added``: the generated pictures in the cache, with aligned depth, in the scene's unit.

    The cache has its own unit (see the setting Scene scale): ``unit`` is its length in scene units.
    """

    def __init__(self, scene: Scene, settings: Gen3cSettings, added: list[View]) -> None:
        self.settings = settings
        self.unit = scene.first.focus_depth if settings.scene_scale == FOCUS else 1.0
        self.cache = cache_of(_scale_scene(scene, 1 / self.unit), cache_options(settings))
        self.added: list[View] = []
        for view in added:
            self.take(view)

    @property
    def grows(self) -> bool:
        return isinstance(self.cache, ImageCache)

    def add(
        self,
        picture: NDArray[np.uint8],
        estimate: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        camera: CameraPath,
    ) -> None:
        """Add a generated frame (H,W,3), from the one-frame path ``camera``, with its estimated depth aligned to the cache."""
        depth, _ = with_sky(estimate(picture))
        aligned = self._align(picture, depth, camera)
        self.take(View.of(picture, aligned, camera.intrinsics[0], camera.world_from_camera[0]))

    def _align(self, picture: NDArray[np.uint8], depth: NDArray[np.float32], camera: CameraPath) -> NDArray[np.float32]:
        """Align estimated depth (H,W) of any scale to the cache: depth in scene units, NaN where alignment finds none."""
        cache, camera = self._image_cache, camera.scaled(1 / self.unit)
        method = self.settings.alignment
        if method == "off":
            return depth * np.float32(self.unit)
        with torch.inference_mode(False), torch.enable_grad():
            trial = cache.updated_with(_image(picture), depth, camera=camera, align=cast(Any, method))
        points, turn = trial.buffers[0].points, camera.camera_from_world[0].astype(np.float32)
        depth = (points @ turn[2, :3] + turn[2, 3]) * np.float32(self.unit)
        depth[(points == 0).all(axis=-1)] = np.nan  # the cache stores points without depth at the origin
        return depth

    def take(self, view: View) -> None:
        """Add ``view``, in scene units, to the cache unchanged; it was just generated or comes from an earlier run."""
        depth, camera = view.depth / np.float32(self.unit), view.camera.scaled(1 / self.unit)
        self.cache = self._image_cache.updated_with(_image(view.colour), depth, camera=camera, align=None)
        self.added.append(view)

    @property
    def _image_cache(self) -> ImageCache:
        assert isinstance(self.cache, ImageCache)
        return self.cache

    def render(self, path: CameraPath, *, first: int) -> CacheFrames:
        """The network's input along ``path``, a part of the whole path that begins at frame ``first``."""
        part = path.scaled(1 / self.unit)
        if isinstance(self.cache, ClipCache):
            return self.cache.render(part, start=first)
        if isinstance(self.cache, KeyViewCache):
            return (
                _pool_views(self.cache, part) if self.settings.views == POOLED else _best(self.cache, part).render(part)
            )
        generator = torch.Generator().manual_seed(self.settings.seed + first)
        return self.cache.render(part, noise=self.settings.noise_strength, generator=generator)

    def videos(self, frames: CacheFrames) -> dict[str, Frames]:
        """Each buffer's renders (F,H,W,3) by name."""
        second = FROM_PICTURE if self.grows else FROM_VIEW
        return dict(zip((FIRST_SHOWN, second), map(_bytes, np.moveaxis(frames.images, 1, 0))))


def cache_options(settings: Gen3cSettings) -> CacheOptions:
    return CacheOptions(
        filter_threshold=settings.filter_threshold,
        foreground_masking=settings.foreground_masking,
        pairs_share_depth_range=settings.depth_weights == UPSTREAM,
        first_boundary_for_all=settings.edge_masks == UPSTREAM,
    )


def least_cover(frames: CacheFrames) -> tuple[int, float]:
    """The frame with the least coverage by all buffers of the cache, and the covered share."""
    covered = frames.masks.max(axis=1).mean(axis=(1, 2, 3))
    return int(covered.argmin()), float(covered.min())


def _best(cache: KeyViewCache, path: CameraPath) -> KeyViewCache:
    """The same cache with only the views that it would choose for ``path``; does not keep all renders in memory."""
    if cache.most is None or len(cache.buffers) <= cache.most:
        return cache
    every = replace(cache, most=None, full=None)
    cover = sum(every.render(part).masks.sum(axis=(0, 2, 3, 4)) for part in _parts(path))
    best = np.argsort(-np.asarray(cover), kind="stable")[: cache.most]
    return replace(cache, buffers=tuple(cache.buffers[index] for index in best))


def _pool_views(cache: KeyViewCache, path: CameraPath) -> CacheFrames:
    """Draw all views into one buffer; the nearest surface wins in every pixel."""
    every = replace(cache, most=None, full=None)
    parts = [pool_buffers(every.render(part, with_depth=True)) for part in _parts(path)]
    return CacheFrames(np.concatenate([p.images for p in parts]), np.concatenate([p.masks for p in parts]))


def _parts(path: CameraPath) -> list[CameraPath]:
    starts = range(0, len(path), _FRAMES_AT_ONCE)
    return [path.sliced(slice(start, start + _FRAMES_AT_ONCE)) for start in starts]


def _image(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return picture.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _bytes(images: NDArray[np.float32]) -> Frames:
    """(F,H,W,3) uint8 of images (F,3,H,W) in [-1,1]; noise outside that range is clipped."""
    scaled = np.clip(images * np.float32(127.5) + np.float32(128), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(scaled, 1, -1))


def _scale_scene(scene: Scene, factor: float) -> Scene:
    """The scene in another unit of length; pixels without depth stay at their far distance."""
    if factor == 1:
        return scene
    return replace(scene, views=tuple(_scale_view(view, np.float32(factor)) for view in scene.views))


def _scale_view(view: View, factor: np.float32) -> View:
    pose = view.world_from_camera.copy()
    pose[:3, 3] *= factor
    return replace(view, depth=np.where(view.depth < view.far, view.depth * factor, view.depth), world_from_camera=pose)
