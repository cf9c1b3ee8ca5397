"""The coarse renders that condition both networks: colour, depth, foreground and visibility along the path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.scene import Lighting, StagedScene, plain, stage_objects
from camera.path import CameraPath
from camera.render.scene import in_order, render_all
from camera.view import Scene, View
from pipelines.method import Frames
from pipelines.methods.i2v3d.method import BESIDE_CAMERA, CUT_OUT, NO_PICTURE, PAINTED, I2V3DSettings
from pipelines.methods.i2v3d.scene.renderer import Drawing

if TYPE_CHECKING:
    from camera.render.triangles import MeshFrame

MOST_THREADS = 4
"""Maximum number of threads that draw objects in parallel; each holds two frames in memory."""
FARTHEST_PERCENTILE = 98.0
"""Percentile of all depths of a path; farther points are as black as empty pixels."""


@dataclass(frozen=True, eq=False)
class CoarseRenders:
    """``colour`` (F,H,W,3) uint8, black where empty; ``depth`` (F,H,W) uint8, near is bright, one scale for all frames;
    ``foreground`` and ``visible`` (F,H,W) bool. ``normal`` (F,H,W,3) uint8: x right, y up, z towards the camera, -1..1 as
    0..255, black where empty; None unless requested. ``drawn``: the renderer of the objects, in one sentence."""

    colour: Frames
    depth: NDArray[np.uint8]
    foreground: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    normal: Frames | None = None
    drawn: str = ""
    far: float = field(kw_only=True)

    def at(self, frames: list[int] | slice) -> CoarseRenders:
        return CoarseRenders(
            self.colour[frames], self.depth[frames], self.foreground[frames], self.visible[frames], far=self.far
        )

    @property
    def depth_pictures(self) -> NDArray[np.float32]:
        """(F,H,W) in 0..1, each picture scaled to the full range: the depth input of both networks."""
        low = self.depth.min(axis=(1, 2), keepdims=True).astype(np.float32)
        high = self.depth.max(axis=(1, 2), keepdims=True).astype(np.float32)
        return (np.rint(255 * (self.depth - low) / np.maximum(high - low, 1)) / 255).astype(np.float32)


@dataclass(frozen=True, eq=False)
class CoarseFrame:
    """The view of one camera: ``colour`` (H,W,3) uint8; ``depth`` (H,W) float32 along z, ``far`` in the sky and in empty pixels;
    ``foreground``, ``visible`` (H,W) bool; ``normal`` (H,W,3) float32 in the camera's axes, zeros where unknown.
    ``drawn``: the renderer of the objects, in one sentence."""

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    normal: NDArray[np.float32]
    drawn: str = ""
    far: float = field(kw_only=True)


def foreground_of(view: View, settings: I2V3DSettings) -> NDArray[np.bool_]:
    """The foreground of the picture itself, (H,W) bool."""
    if settings.foreground in ("nothing", "objects"):
        return np.zeros_like(view.known)
    if settings.foreground == "everything":
        return view.known
    return foreground_mask(view, settings)


def foreground_mask(view: View, settings: I2V3DSettings) -> NDArray[np.bool_]:
    """(H,W) bool: pixels nearer than the foreground's depth limit."""
    return view.known & (view.depth <= settings.foreground_reach * view.focus_depth)


def render_path(
    scene: Scene, path: CameraPath, settings: I2V3DSettings, *, normals: bool = False
) -> Iterator[int | CoarseRenders]:
    """Yield the indices of finished frames, then the renders."""
    made: list[CoarseFrame] = []
    bumps: list[NDArray[np.uint8]] = []
    for number, frame in enumerate(render_frames(scene, path, settings, normals=normals), 1):
        if normals:
            bumps.append(normal_picture(frame))
            frame = replace(frame, normal=_NONE)
        made.append(frame)
        yield number
    colour, distance, foreground, visible = (
        np.stack([getattr(frame, name) for frame in made]) for name in ("colour", "depth", "foreground", "visible")
    )
    shown = np.stack(bumps) if normals else None
    yield CoarseRenders(
        colour, _brightness(distance, made[-1].far), foreground, visible, shown, made[-1].drawn, far=made[-1].far
    )


_NONE = np.zeros((0, 0, 3), np.float32)


def render_frames(
    scene: Scene, path: CameraPath, settings: I2V3DSettings, *, frames: range | None = None, normals: bool = False
) -> Iterator[CoarseFrame]:
    """Render background and objects; ``frames``: only these frames of the path. The background's normals cost time, so they
    are computed only with ``normals``."""
    chosen = frames if frames is not None else range(len(path))
    part = replace(path, world_from_camera=path.world_from_camera[chosen], intrinsics=path.intrinsics[chosen])
    objects = scene.objects if isinstance(scene, StagedScene) else ()
    stage = stage_objects(scene, objects)
    if settings.background == NO_PICTURE and not objects:
        raise InputError("There is nothing to render: add an object, or let the picture be the background.")
    light = stage.light(lighting(settings))
    behinds = _backgrounds(scene, part, settings)
    if normals:
        behinds = (replace(behind, normal=_normals_of(behind, lens)) for behind, lens in zip(behinds, part.intrinsics))
    if not objects:
        yield from behinds
        return
    with Drawing(settings.renderer, part) as drawing:

        def shown(number: int) -> MeshFrame:
            surfaces = stage.surfaces(chosen[number], len(path), path.fps)
            return drawing.draw(surfaces, part, number, light=light)

        with closing(in_order(shown, len(part), min(os.cpu_count() or 1, MOST_THREADS))) as fronts:
            for behind, front in zip(behinds, fronts, strict=True):
                yield _merge_nearest(front, behind, settings.foreground != "nothing", drawing.words)


def _merge_nearest(objects: MeshFrame, behind: CoarseFrame, foreground: bool, drawn: str) -> CoarseFrame:
    """Draw ``objects`` over ``behind`` wherever they are nearer."""
    front = (objects.surface >= 0) & (objects.depth < behind.depth)
    return CoarseFrame(
        np.where(front[..., None], objects.colour, behind.colour),
        np.where(front, objects.depth, behind.depth),
        np.where(front, foreground, behind.foreground),
        behind.visible | front,
        np.where(front[..., None], objects.normal, behind.normal),
        drawn,
        far=behind.far,
    )


def lighting(settings: I2V3DSettings) -> Lighting:
    ambient = 1.0 if settings.light == PAINTED else settings.ambient
    return Lighting(ambient, settings.light_around, settings.light_above, settings.light == BESIDE_CAMERA)


def _backgrounds(scene: Scene, path: CameraPath, settings: I2V3DSettings) -> Iterator[CoarseFrame]:
    """Render the picture's own surface. Its foreground and the cut-out pixels are drawn into a second picture on the same mesh."""
    empty = np.zeros((path.height, path.width, 3), np.float32)
    if settings.background == NO_PICTURE:
        nothing = np.zeros((path.height, path.width), bool)
        far = np.full((path.height, path.width), scene.far, np.float32)
        for _ in range(len(path)):
            yield CoarseFrame(np.zeros(empty.shape, np.uint8), far, nothing, nothing, empty, far=scene.far)
        return
    view, cut = background_view(scene.first, settings)
    mask = foreground_of(scene.first, settings) & ~cut
    marks = np.stack([mask, cut, cut], axis=2).astype(np.uint8) * 255
    alone = plain(scene)
    background = replace(alone, views=(view,))
    marked = replace(alone, views=(replace(view, colour=marks),))
    pairs = zip(render_all(background, path, fill="holes"), render_all(marked, path, fill="holes"), strict=True)
    for picture, marking in pairs:
        distance = np.where(picture.far | picture.holes, np.float32(view.far), picture.depth)
        visible = ~picture.holes & (marking.colour[..., 1] <= 127)
        front = (marking.colour[..., 0] > 127) & visible
        yield CoarseFrame(picture.colour, distance, front, visible, empty, far=view.far)


def background_view(view: View, settings: I2V3DSettings) -> tuple[View, NDArray[np.bool_]]:
    """The picture as background, and (H,W) bool: pixels whose foreground was cut out and replaced by smooth extrapolation.

    Cut-out pixels count as not visible, so that the networks invent them over the extrapolated depth.
    """
    if settings.background != CUT_OUT:
        return view, np.zeros_like(view.known)
    cut = _dilate(foreground_mask(view, settings), max(view.width // 200, 1))
    if not (view.known & ~cut).any():
        raise InputError("Nothing is left after the foreground is cut out; lower the foreground reach.")
    seen = np.dstack([view.colour.astype(np.float32), 1 / view.depth])
    behind = _extrapolate(seen, cut)
    depth = 1 / np.maximum(behind[..., 3], np.float32(1 / view.far))
    return replace(view, colour=np.rint(behind[..., :3]).astype(np.uint8), depth=depth, known=view.known | cut), cut


def _extrapolate(values: NDArray, unknown: NDArray[np.bool_]) -> NDArray:
    """``values`` (H,W,C) with the ``unknown`` (H,W) pixels filled by smooth extrapolation, from a pyramid of half sizes."""
    import cv2

    height, width = unknown.shape
    if not unknown.any() or max(height, width) == 1:
        return values
    half = (max(width // 2, 1), max(height // 2, 1))
    weight = (~unknown).astype(np.float32)
    share = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * weight[..., None], half, interpolation=cv2.INTER_AREA)
    smaller = sums / np.maximum(share, 1e-9)[..., None]
    filled = cv2.resize(_extrapolate(smaller, share <= 0), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(unknown[..., None], filled, values)


def _dilate(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Add a margin, since the outlines of depth and colour differ by a few pixels."""
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


def _normals_of(frame: CoarseFrame, lens: NDArray) -> NDArray[np.float32]:
    """(H,W,3): normals of the surface through neighbouring pixels, towards the camera; zeros in the sky and in holes."""
    height, width = frame.depth.shape
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))], axis=-1)
    points = (grid @ np.linalg.inv(lens).T * frame.depth[..., None]).astype(np.float32)
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normal = np.cross(down, across)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    known = (frame.depth < frame.far)[..., None] & (length > 0)
    return np.where(known, normal / np.maximum(length, 1e-20), 0).astype(np.float32)


def normal_picture(frame: CoarseFrame) -> NDArray[np.uint8]:
    """(H,W,3): see `CoarseRenders`."""
    known = np.abs(frame.normal).sum(axis=2, keepdims=True) > 0
    upright = frame.normal * np.array([1, -1, -1], np.float32)
    return np.where(known, np.rint((upright + 1) * 127.5), 0).astype(np.uint8)


def _brightness(distance: NDArray[np.float32], far: float) -> NDArray[np.uint8]:
    """(F,H,W): 255 at the camera, decreasing linearly to 0 at the farthest depth of the path."""
    known = distance[distance < far]
    farthest = np.percentile(known, FARTHEST_PERCENTILE) if known.size else 1.0
    return np.rint(255 * np.clip(1 - distance / max(float(farthest), 1e-6), 0, 1)).astype(np.uint8)
