"""Renders a scene along a path, with its holes filled: one frame for a slider position, or all frames.

`camera.render.painters` implements the renderers and kinds of scenes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.horizon import Horizon
from camera.path import CameraPath
from camera.render.exposure import Exposure, expose
from camera.render.painters import HiddenPart, Painter, RenderedFrame, Renderer, painter, with_hidden
from camera.view import Scene, View

Fill = Literal["holes", "background"]
Frame = TypeVar("Frame")
Inpainter = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]
"""Takes a picture (H,W,3) and holes (H,W), returns the picture with its holes filled: the interface for the user's own model."""


def render(
    scene: Scene,
    path: CameraPath,
    *,
    frame: int = 0,
    renderer: Renderer = "mesh",
    fill: Fill = "holes",
    hole_colour: tuple[int, int, int] = (0, 0, 0),
    exposure: Exposure | None = None,
) -> RenderedFrame:
    """Frame ``frame`` of ``path`` in ``scene``.

    Time grows with the number of pixels of scene and path; for scrubbing, pass both at half size.
    ``fill``: "holes" paints them in ``hole_colour``, "background" fills them from the farther side. ``exposure``: depth
    of field and motion blur; the time is multiplied by the number of pictures per frame.
    Raises `InputError` for a frame outside the path or an unknown renderer or fill.
    """
    if not 0 <= frame < len(path):
        raise InputError(f"The path has frames 0 to {len(path) - 1}, got {frame}.")
    return _drawing(scene, path, painter(scene, renderer), fill, hole_colour, exposure)(path, frame)


def render_all(
    scene: Scene,
    path: CameraPath,
    *,
    renderer: Renderer = "mesh",
    fill: Fill = "background",
    hole_colour: tuple[int, int, int] = (0, 0, 0),
    behind: Sequence[HiddenPart] = (),
    exposure: Exposure | None = None,
    threads: int | None = None,
) -> Iterator[RenderedFrame]:
    """All frames of ``path`` in order, as from `render`, rendered ahead by ``threads`` threads (default: all cores).

    ``behind``: a second layer, drawn in the holes before the remaining ones are filled.
    Closing the generator cancels: frames that have not begun are dropped; at most ``threads`` frames still finish.
    """
    if fill not in get_args(Fill):
        raise InputError(f"fill must be one of {', '.join(get_args(Fill))}; got {fill!r}.")
    paint = with_hidden(painter(scene, renderer), behind)
    draw = _drawing(scene, path, paint, fill, hole_colour, exposure)
    return in_order(lambda index: draw(path, index), len(path), threads or os.cpu_count() or 1)


def warm_up() -> None:
    """Compile, or load from disk, the kernels of the first preview; takes a second or two, so call it in a thread."""
    colour = np.zeros((8, 8, 3), np.uint8)
    scene = Scene((View.of(colour, np.ones((8, 8), np.float32), np.diag([8.0, 8.0, 1.0])),))
    for renderer in get_args(Renderer):
        for path in (scene.first.camera, scene.first.camera.cropped(-8, 0, 16, 8)):  # without and with holes
            render(scene, path, renderer=renderer, fill="background")


def in_order(frame: Callable[[int], Frame], count: int, threads: int) -> Generator[Frame, None, None]:
    """Yield ``frame(0)`` to ``frame(count - 1)`` in order, computed ahead by ``threads`` threads; closing it cancels as in `render_all`."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="frames")
    ahead: deque[Future[Frame]] = deque()
    try:
        for index in range(count):
            ahead.append(pool.submit(frame, index))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _drawing(
    scene: Scene,
    path: CameraPath,
    paint: Painter,
    fill: Fill,
    hole_colour: tuple[int, int, int],
    exposure: Exposure | None,
) -> Painter:
    """Wrap ``paint`` to fill its holes and, if ``exposure`` is given, to apply its lens and shutter."""
    horizon = Horizon.of(scene) if fill == "background" else None

    def sharp(path: CameraPath, frame: int) -> RenderedFrame:
        return _finish(paint(path, frame), path, frame, horizon, fill, hole_colour)

    return sharp if exposure is None or exposure.is_off else expose(sharp, path, exposure)


def _finish(
    image: RenderedFrame,
    path: CameraPath,
    frame: int,
    horizon: Horizon | None,
    fill: Fill,
    hole_colour: tuple[int, int, int],
) -> RenderedFrame:
    if fill == "background":
        return replace(image, colour=_fill_background(image, path, frame, horizon))
    if fill != "holes":
        raise InputError(f"fill must be one of {', '.join(get_args(Fill))}; got {fill!r}.")
    if any(hole_colour):
        image.colour[image.holes] = hole_colour
    return image


def _fill_background(image: RenderedFrame, path: CameraPath, frame: int, horizon: Horizon | None) -> NDArray[np.uint8]:
    from camera.render.inpaint import from_background, from_ground_and_sky

    holes = image.holes if image.completed is None else image.holes & ~image.completed
    if not holes.any():
        return image.colour
    if horizon is None or not image.far.any():
        return from_background(image.colour, image.depth, holes)
    up = (path.world_from_camera[frame, :3, :3].T @ horizon.up).astype(np.float32)
    return from_ground_and_sky(
        image.colour,
        image.depth,
        holes,
        image.far,
        up=up,
        intrinsics=path.intrinsics[frame],
        lowest=horizon.lowest,
    )
