"""A file of splats as a scene: its first picture with depth, and every frame of a path, are rendered from the splats.

Methods that need a picture get the rendered one with its depth; rehearsals, viewfinder and other users of
`camera.render.scene` draw the splats. Splats have no picture and no camera of their own, so a viewpoint is chosen, and a note
describes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.painters import PartMotion, RenderedFrame, SelfRenderedScene
from camera.rotation import look_at
from camera.view import Scene, View
from pipelines.splats.formats import read
from pipelines.splats.formats.axes import Up
from pipelines.splats.splats import Splats

WIDTH, HEIGHT, FOV_DEGREES = 1280, 720, 60.0
COVERED = 0.5
"""Minimum alpha of a pixel that counts as covered by splats."""
FILLED, CLOSE = 0.6, 0.05
"""A camera at the origin is used if splats cover at least this share of its picture, and at most a twentieth of the visible
depths is below this share of the median depth: then it is not inside any of them."""
BACK, ABOVE_DEGREES = 2.2, 10.0
"""Otherwise, the camera's distance from the scene's centre in multiples of its size, and its downward angle."""
_SMALL = 160


@dataclass(frozen=True, eq=False)
class SplatScene(SelfRenderedScene):
    """A still scene whose frames are rendered from ``splats``; its one view is their render from the first camera."""

    splats: Splats = field(kw_only=True)

    def paint(self, path: CameraPath, frame: int) -> RenderedFrame:
        return paint_frame(self._ready, path, frame)

    def sharp_view(self, index: int) -> View:
        return self._sharp[0]

    def with_part_changed(self, masks: NDArray[np.bool_], change: str, motion: PartMotion) -> tuple[Scene, str]:
        """Remove, move or duplicate the Gaussians of the part, and render the scene's picture again."""
        from pipelines.splats import parts

        chosen = parts.choose_gaussians(self._ready, *self._sharp, masks[0])
        part = parts.moved(self.splats.chosen(chosen), motion.rotation, motion.translation)
        if change == "move":
            splats, new = parts.put_in_place(self.splats, chosen, part), chosen
        elif change == "duplicate":
            splats, new = self.splats.joined(part), np.arange(len(self.splats) + len(part)) >= len(self.splats)
        else:
            splats, new = self.splats.chosen(~chosen), np.zeros(0, bool)
        if not len(splats):
            raise InputError("Nothing would remain of the scene; choose a smaller part.")
        ready, camera = prepare(splats), self.first.camera
        if new.any() and not parts.is_shown(ready, camera, new):
            raise InputError("The part would not be visible at its new position; move it less far.")
        seen = paint_frame(ready, camera, 0)
        if seen.holes.all():
            raise InputError("The picture would show nothing without that part; choose a smaller one.")
        view = View.of(seen.colour, seen.depth, self.first.intrinsics, self.first.world_from_camera)
        note = parts.describe(chosen, change, seen.holes[masks[0]].mean())
        return replace(self, views=(view,), splats=splats), note

    @cached_property
    def _sharp(self) -> tuple[View, NDArray[np.bool_]]:
        from pipelines.splats.parts import sharpen

        return sharpen(self._ready, self.first)

    @cached_property
    def _ready(self) -> Any:
        return prepare(self.splats)


def open_splats(
    file: str | Path,
    *,
    up: Up = "auto",
    camera: CameraPath | None = None,
    fov_degrees: float = FOV_DEGREES,
) -> tuple[SplatScene, str]:
    """The scene from a file of splats (see `pipelines.splats.formats`), and a sentence on how it was read.

    ``up``: the up axis of the file. ``camera``: the camera of the first picture, a path's first frame; by default the origin,
    looking along z, if it shows the scene, otherwise a position in front of everything. ``fov_degrees``: horizontal, if no
    camera is given. Raises `InputError`.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"There is no file of splats {file}.")
    splats, words = read(file.read_bytes(), file.name, up=up)
    scene, where = scene_of_splats(splats, name=file.stem, camera=camera, fov_degrees=fov_degrees)
    return scene, f"{len(splats):,} Gaussians. {words} {where}"


def scene_of_splats(
    splats: Splats, *, name: str = "splats", camera: CameraPath | None = None, fov_degrees: float = FOV_DEGREES
) -> tuple[SplatScene, str]:
    """Like `open_splats`, for splats that are already loaded, in the world's axes."""
    ready = prepare(splats)
    where = "Seen from the given camera."
    if camera is None:
        camera, where = _initial_camera(splats, ready, fov_degrees)
    frame = paint_frame(ready, camera.sliced(slice(0, 1)), 0)
    if frame.holes.all():
        raise InputError(
            f"{name} shows nothing from its first camera; choose a camera that looks at it, or another up axis."
        )
    view = View.of(frame.colour, frame.depth, camera.intrinsics[0], camera.world_from_camera[0])
    return SplatScene((view,), source="drawn from splats", name=name, splats=splats), where


def prepare(splats: Splats) -> Any:
    """Prepare drawing: a `Drawing` for this machine, and the Gaussians on its device."""
    from pipelines.splats.drawing import drawing_on
    from pipelines.splats.rasterizer import Gaussians

    drawing = drawing_on()
    return drawing, Gaussians.of(splats, drawing.device)


def paint_frame(ready: Any, path: CameraPath, frame: int) -> RenderedFrame:
    """Frame ``frame`` of ``path`` with `prepare`d splats; depth is the mean along each ray, weighted like the colours."""
    import torch

    drawing, gaussians = ready
    pose, lens = (
        torch.tensor(each[frame], dtype=torch.float32, device=drawing.device)
        for each in (path.camera_from_world, path.intrinsics)
    )
    with torch.no_grad():
        drawn = drawing.draw(gaussians, pose, lens, path.width, path.height)
        holes = drawn.alpha < COVERED
        colour = (drawn.colour / drawn.alpha.clamp(min=COVERED)[..., None]).clamp(0, 1)
        colour = torch.where(holes[..., None], 0, (colour * 255).round()).byte()
        depth = torch.where(holes, 0, drawn.depth)
    colour, holes, depth = (each.cpu().numpy() for each in (colour, holes, depth))
    return RenderedFrame(colour, holes, depth.astype(np.float32), np.zeros_like(holes))


def _initial_camera(splats: Splats, ready: Any, fov_degrees: float) -> tuple[CameraPath, str]:
    """An initial camera, and a description of its position."""
    lens = pinhole(WIDTH, HEIGHT, fov_degrees)
    origin = CameraPath(np.eye(4)[None], lens, WIDTH, HEIGHT)
    frame = paint_frame(ready, origin.resized(_SMALL, _SMALL * HEIGHT // WIDTH), 0)
    depth = frame.depth[~frame.holes]
    if (~frame.holes).mean() >= FILLED and np.quantile(depth, 0.05) > CLOSE * np.median(depth):
        return origin, "Seen from the origin, looking along z."
    middle, size = _extent(splats)
    down = np.radians(ABOVE_DEGREES)
    eye = middle - BACK * size * np.array([0, np.sin(down), np.cos(down)])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = look_at(eye, middle), eye
    return origin.with_poses(
        pose[None]
    ), "The origin does not show the scene, so the first view is from in front of it; set a camera for another view."


def _extent(splats: Splats) -> tuple[NDArray[np.float64], float]:
    """The centre (3,) of the more opaque half, and the radius that contains four fifths of them."""
    means = splats.means[splats.logit_opacities >= np.median(splats.logit_opacities)].astype(np.float64)
    middle = np.median(means, axis=0)
    return middle, max(float(np.quantile(np.linalg.norm(means - middle, axis=1), 0.8)), 1e-6)
