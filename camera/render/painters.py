"""Painters: functions that draw one frame of a path, for each renderer and kind of scene.

Renderers:

* ``"mesh"``: joins neighbouring pixels to triangles, except across depth edges; the cleanest, for watching;
* ``"zbuffer"``: one square per pixel, the nearest wins; the fastest, for scrubbing;
* ``"splat"``: bilinear soft splat with GEN3C's formulas, the far layer at ten times the greatest known depth. The actual
  input of GEN3C's network comes from `camera.cache3d.cache`.

Scenes: a "still" is rendered from its one view. Of "views" all are rendered and the nearest surface wins (starting with the
camera closest to the target). For a "clip", view f is rendered at target frame f; a longer path holds the last view.
Every frame has its own intrinsics; the target size is the path's and may differ from the source's.

Sky and other pixels without depth form a far layer. They are drawn at the depth `View.far`, so that a landscape keeps its
sky, and marked in `RenderedFrame.far`. Black border rows and columns without depth are padding and not drawn. A hole is a
pixel where nothing was drawn. Objects of a `StagedScene` are drawn unlit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.horizon import padding_mask
from camera.objects.scene import StagedScene, plain
from camera.path import CameraPath, inverse
from camera.view import Scene, View

Renderer = Literal["mesh", "splat", "zbuffer"]

CUT_RATIO = 1.05
"""Neighbouring pixels whose depths differ by more than this ratio belong to two surfaces, unless `STRETCH` joins them."""
STRETCH = 20.0
"""Neighbours are still joined if a move by the focus depth separates them by at most this many pixels: a floor near the horizon."""
PLANE_RUN, PLANE_TOLERANCE = 6, 0.3
"""Neighbours are also joined if they continue a plane, on which inverse depth is linear: if it steps as on average in each of the two
runs of this many pixels before them, up to this relative difference."""
FAR_FACTOR = 10.0
SAME_SURFACE = 1.01
"""A further view of the same surface replaces the first only where it is nearer by this factor."""


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """One rendered frame.

    ``colour``: (H,W,3) uint8 RGB. ``holes``: (H,W) bool, True where nothing was drawn (also after filling).
    ``depth``: (H,W) float32 along z in scene units, 0 in holes. ``far``: (H,W) bool, True on sky and other pixels
    drawn without known depth. ``completed``: (H,W) bool, True in holes that show a second layer (`camera.completion`),
    where ``depth`` is the layer's; None if no second layer was requested.
    """

    colour: NDArray[np.uint8]
    holes: NDArray[np.bool_]
    depth: NDArray[np.float32]
    far: NDArray[np.bool_]
    completed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class PartMotion:
    """Rigid motion of a part of a scene: ``rotation`` (3,3) about its centroid, then ``translation`` (3,) in the world."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


class SelfRenderedScene(Scene):
    """A scene that renders itself, for example from splats, instead of from its views."""

    def paint(self, path: CameraPath, frame: int) -> RenderedFrame:
        """Frame ``frame`` of ``path``, holes black; must be thread-safe."""
        raise NotImplementedError

    def sharp_view(self, index: int) -> View:
        """View ``index`` with sharp depth edges, for selecting parts: each pixel has the depth of one surface, not a blend of several."""
        return self.views[index]

    def with_part_changed(self, masks: NDArray[np.bool_], change: str, motion: PartMotion) -> tuple[Scene, str]:
        """The scene with the part in ``masks`` (F,H,W) changed, and a description of the edit; see
        `camera.scene_parts.edit.change_part`. Raises `InputError` if this kind of scene cannot be edited."""
        raise InputError(f"Parts are chosen in pictures, and {self.name} is {self.source}; edit it where it was made.")


@dataclass(frozen=True, eq=False)
class HiddenPart:
    """A part of a second layer: background that becomes visible along a path but is in no picture of the scene.

    ``view``: colour and depth. ``drawn`` (H,W) bool: the pixels to draw, i.e. the completed ones and a rim of visible ones.
    """

    view: View
    drawn: NDArray[np.bool_]

    def cropped(self) -> HiddenPart:
        """The part cropped to the bounding box of ``drawn``."""
        rows, columns = np.nonzero(self.drawn.any(axis=1))[0], np.nonzero(self.drawn.any(axis=0))[0]
        if len(rows) == 0:
            return self
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        lens = self.view.intrinsics - [[0, 0, columns[0]], [0, 0, rows[0]], [0, 0, 0]]
        view = View(
            np.ascontiguousarray(self.view.colour[window]),
            np.ascontiguousarray(self.view.depth[window]),
            lens,
            self.view.world_from_camera,
            np.ascontiguousarray(self.view.known[window]),
        )
        return HiddenPart(view, np.ascontiguousarray(self.drawn[window]))


Hidden = HiddenPart
"""The old name, for one more version."""


Painter = Callable[[CameraPath, int], RenderedFrame]


def with_hidden(paint: Painter, behind: Sequence[HiddenPart]) -> Painter:
    """Extend ``paint`` to draw the second layer ``behind`` as a mesh in its holes."""
    if not behind:
        return paint
    sources = tuple(
        _Source(part.view, np.where(part.drawn, part.view.depth, np.float32(0)))
        for part in (each.cropped() for each in behind)
    )

    def paint_both(path: CameraPath, frame: int) -> RenderedFrame:
        front = paint(path, frame)
        return replace(front, completed=_paint_in_holes(front, sources, path, frame))

    return paint_both


def _paint_in_holes(
    front: RenderedFrame, sources: tuple[_Source, ...], path: CameraPath, frame: int
) -> NDArray[np.bool_]:
    """Draw ``sources`` as a mesh in the holes of ``front``, in place. Returns (H,W): True where drawn; ``front.holes`` is unchanged."""
    from camera.render import framebuffer

    if not front.holes.any():
        return np.zeros_like(front.holes)
    drawn = _draw_mesh(sources, path, frame)
    return framebuffer.show_in_holes(drawn, front.colour, front.depth, front.far, front.holes)


def painter(scene: Scene, renderer: Renderer) -> Painter:
    """A painter for a scene: a function of path and frame number. Work that does not depend on them is done here, once."""
    if renderer not in get_args(Renderer):
        raise InputError(f"The renderer must be one of {', '.join(get_args(Renderer))}; got {renderer!r}.")
    if isinstance(scene, StagedScene) and scene.objects:
        return _paint_objects(scene, painter(plain(scene), renderer))
    if isinstance(scene, SelfRenderedScene):
        return scene.paint
    return _with_others(_paint_views(scene, renderer), scene.others)


def _paint_views(scene: Scene, renderer: Renderer) -> Painter:
    paint = {"mesh": _paint_mesh, "zbuffer": _paint_squares, "splat": _paint_soft}[renderer]
    if scene.kind == "clip":
        last = len(scene.views) - 1
        return lambda path, frame: paint((_Source.of(scene.views[min(frame, last)]),), path, frame)
    sources = tuple(map(_Source.of, scene.views))
    return lambda path, frame: paint(_nearest_first(sources, path, frame), path, frame)


def _with_others(paint: Painter, others: Sequence[View]) -> Painter:
    """Extend ``paint`` to draw ``others`` as a mesh in its holes; the pixels they cover are no longer holes."""
    if not others:
        return paint
    sources = tuple(map(_Source.of, others))

    def paint_both(path: CameraPath, frame: int) -> RenderedFrame:
        front = paint(path, frame)
        if not front.holes.any():
            return front
        filled = _paint_in_holes(front, _nearest_first(sources, path, frame), path, frame)
        return replace(front, holes=front.holes & ~filled)

    return paint_both


def _paint_objects(scene: StagedScene, behind: Painter) -> Painter:
    """Draw the scene's objects at each frame, unlit, depth-tested against what ``behind`` paints."""
    from camera.render.triangles import draw

    def paint(path: CameraPath, frame: int) -> RenderedFrame:
        image, shown = behind(path, frame), draw(scene.surfaces(frame, len(path), path.fps), path, frame)
        front = (shown.surface >= 0) & (image.holes | (shown.depth < image.depth))
        colour = np.where(front[..., None], shown.colour, image.colour)
        depth = np.where(front, shown.depth, image.depth)
        return RenderedFrame(colour, image.holes & ~front, depth, image.far & ~front)

    return paint


@dataclass(frozen=True, eq=False)
class _Source:
    """A view prepared for rendering: ``depth`` is 0 at pixels that must not be drawn."""

    view: View
    depth: NDArray[np.float32]

    @staticmethod
    def of(view: View) -> _Source:
        padding = padding_mask(view)
        return _Source(view, np.where(padding, np.float32(0), view.depth) if padding.any() else view.depth)

    @property
    def focus_depth(self) -> float:
        """The view's focus depth, or its far depth if a crop left only sky."""
        return self.view.focus_depth if self.view.known.any() else self.view.far

    @cached_property
    def slack(self) -> float:
        """Largest difference of inverse depths within one surface, whatever the ratio."""
        return STRETCH / (self.view.intrinsics[0, 0] * self.focus_depth)

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """(H,W,3) in [-1,1]."""
        return self.view.colour.astype(np.float32) / np.float32(127.5) - np.float32(1)

    @cached_property
    def packed(self) -> NDArray[np.uint32]:
        """(H,W): colour and layer in the format of `camera.render.framebuffer`."""
        from camera.render.framebuffer import pack_pixels

        return pack_pixels(self.view.colour, self.view.depth, self.view.far)

    @cached_property
    def strength(self) -> NDArray[np.float32]:
        """(H,W): 1 where the pixel is drawn, else 0."""
        return (self.depth > 0).astype(np.float32)

    @cached_property
    def far_depth(self) -> float:
        """Depth of the far layer in the soft splat: behind all known depth, but near enough to keep the depth weights sharp."""
        known = self.view.known
        far = self.view.far
        return min(far, FAR_FACTOR * float(self.view.depth[known].max())) if known.any() else far

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """(H,W,3) in the world."""
        from camera.unproject import unproject

        depth = np.minimum(self.view.depth, np.float32(self.far_depth))
        return unproject(depth, self.view.intrinsics, self.view.world_from_camera)

    def target_from_source(self, path: CameraPath, frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """turn (3,3) and shift (3,): a pixel (x,y) of depth d projects to the homogeneous pixel ``d * turn @ (x,y,1) + shift``."""
        target_from_camera = inverse(path.world_from_camera[frame]) @ self.view.world_from_camera
        lens = path.intrinsics[frame]
        turn = lens @ target_from_camera[:3, :3] @ np.linalg.inv(self.view.intrinsics)
        return turn.astype(np.float32), (lens @ target_from_camera[:3, 3]).astype(np.float32)


def _nearest_first(sources: tuple[_Source, ...], path: CameraPath, frame: int) -> tuple[_Source, ...]:
    """Sources sorted by the distance and angle between their camera and the target camera."""
    if len(sources) == 1:
        return sources
    target = path.world_from_camera[frame]

    def distance(source: _Source) -> float:
        pose = source.view.world_from_camera
        steps = np.linalg.norm(pose[:3, 3] - target[:3, 3]) / source.focus_depth
        return float(steps + np.linalg.norm(pose[:3, 2] - target[:3, 2]))

    return tuple(sorted(sources, key=distance))


def _draw_mesh(sources: tuple[_Source, ...], path: CameraPath, frame: int) -> NDArray[np.uint64]:
    """The framebuffer (H,W) of all ``sources`` as meshes; the first is preferred where several show the same surface."""
    from camera.render import depth_mesh, framebuffer

    drawn = framebuffer.empty_framebuffer(path.height, path.width)
    for order, source in enumerate(sources):
        turn, shift = source.target_from_source(path, frame)
        depth_mesh.draw(
            drawn,
            colour=source.view.colour,
            depth=source.depth,
            turn=turn,
            shift=shift,
            cut_ratio=CUT_RATIO,
            slack=source.slack,
            far=source.view.far,
            plane_run=PLANE_RUN,
            plane_tolerance=PLANE_TOLERANCE,
            advantage=SAME_SURFACE if order else 1.0,
        )
    return drawn


def _show(drawn: NDArray[np.uint64]) -> RenderedFrame:
    """The picture in a framebuffer, with hairline cracks closed."""
    from camera.render import framebuffer

    colour, depth, layer = framebuffer.unpack_pixels(drawn)
    framebuffer.close_cracks(drawn, colour, depth, layer)
    return RenderedFrame(colour, layer == 0, depth, layer == 2)


def _paint_mesh(sources: tuple[_Source, ...], path: CameraPath, frame: int) -> RenderedFrame:
    return _show(_draw_mesh(sources, path, frame))


def _paint_squares(sources: tuple[_Source, ...], path: CameraPath, frame: int) -> RenderedFrame:
    from camera.render import framebuffer, zbuffer

    drawn = framebuffer.empty_framebuffer(path.height, path.width)
    for source in sources:
        turn, shift = source.target_from_source(path, frame)
        magnification = path.intrinsics[frame, 0, 0] / source.view.intrinsics[0, 0]
        zbuffer.draw(
            drawn,
            source.packed,
            depth=source.depth,
            turn=turn,
            shift=shift,
            magnification=magnification,
        )
    return _show(drawn)


def _paint_soft(sources: tuple[_Source, ...], path: CameraPath, frame: int) -> RenderedFrame:
    from camera.render.forward_splat import put_over, splat

    size = (path.height, path.width)
    colour = np.zeros((*size, 3), np.uint8)
    depth = np.zeros(size, np.float32)
    layer = np.zeros(size, np.uint8)
    pose = path.camera_from_world[frame]
    for source in sources:
        drawn = splat(
            source.image,
            source.points,
            camera_from_world=pose,
            intrinsics=path.intrinsics[frame],
            size=size,
            strength=source.strength,
            with_depth=True,
        )
        put_over(drawn, colour, depth, layer, far_from=source.far_depth / 3, advantage=SAME_SURFACE)
    return RenderedFrame(colour, layer == 0, depth, layer == 2)
