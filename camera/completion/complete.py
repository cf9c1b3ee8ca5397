"""The second layer of a scene for one move: completed at the few frames that see most of what is hidden.

The frame with the most holes is completed first: depth (`camera.completion.surface`), smooth light
(`camera.completion.membrane`) and detail (`camera.completion.texture`); what it found is drawn into all other frames, and the frame that then has the most holes left is
next. So every frame shows the same filling, with its parallax, and nothing is made that the move will not see.
Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.completion.edges import beyond_borders, edges_from
from camera.completion.membrane import stretch_membrane
from camera.completion.surface import extend_surfaces
from camera.completion.texture import synthesise_texture
from camera.errors import InputError
from camera.horizon import Horizon
from camera.objects.scene import plain
from camera.path import CameraPath, spread_indices
from camera.render.painters import Hidden, RenderedFrame, painter, with_hidden
from camera.render.scene import Inpainter
from camera.view import Scene, View

MOST_PARTS = 3
SAMPLED = 9
"""Frames of the move that are looked at to choose those to complete."""
LOOK_WIDTH = 320
MADE_WIDTH = 640
"""Parts are made at this width at most: they are mostly smooth, and a quarter of the pixels takes a quarter of the time."""
ENOUGH = 0.003
"""Holes that take less of a picture than this are left to the filling of single frames."""
RIM = 2
"""Pixels of what is seen that a completed part takes along around it, so that no crack stays between them."""
HIDING_COUNTS, MIXED_COUNTS = np.float32(0.2), np.float32(0.6)
"""How much the colour of what stands before a hole, and of what mixes with it, counts for the hole's light: it may be all there is."""
DETAIL = np.float32(0.3)
"""Share of the patches' detail over the smooth light, where it is not sure: it is wrong as often as right there."""


def complete_scene(scene: Scene, path: CameraPath, *, inpaint: Inpainter | None = None) -> tuple[Hidden, ...]:
    """What ``path`` will see of ``scene`` that its pictures do not show; empty where nothing is missing.

    ``inpaint``: colours by a model instead of by patches; depth is continued in the same way.
    """
    return tuple(parts(scene, path, inpaint=inpaint))


def parts(scene: Scene, path: CameraPath, *, inpaint: Inpainter | None = None) -> Iterator[Hidden]:
    """The parts of `complete_scene` one by one, at most `MOST_PARTS`."""
    scene = plain(scene)
    found: tuple[Hidden, ...] = ()
    small, small_path = _shrink_both(scene, path, LOOK_WIDTH)
    scene, path = _shrink_both(scene, path, MADE_WIDTH)
    while len(found) < MOST_PARTS:
        frame, share = _find_emptiest(small, small_path, found)
        if share < ENOUGH:
            return
        part = complete_frame(scene, path, frame, found, inpaint=inpaint)
        found = (*found, part)
        yield part


def complete_frame(
    scene: Scene, path: CameraPath, frame: int, before: tuple[Hidden, ...] = (), *, inpaint: Inpainter | None = None
) -> Hidden:
    """One part: the holes of ``frame`` that ``scene`` and the parts ``before`` leave."""
    seen = with_hidden(painter(scene, "mesh"), before)(path, frame)
    holes = seen.holes & ~(seen.completed if seen.completed is not None else np.zeros_like(seen.holes))
    hiding, mixed = edges_from(scene, path, frame, seen.holes)
    with np.errstate(divide="ignore"):
        inverse = np.where(holes | seen.far, 0, 1 / np.maximum(seen.depth, 1e-12)).astype(np.float32)
    sources = ~(holes | mixed | hiding)
    beyond = beyond_borders(scene, path, frame, inverse)
    below = _below_horizon(scene, path, frame)
    inverse = extend_surfaces(inverse, holes, sources, hiding, beyond=beyond, below=below)
    if inpaint is None:
        weights = np.where(hiding & ~_dilate(beyond, 7), HIDING_COUNTS, np.where(mixed, MIXED_COUNTS, np.float32(1)))
        colour = _by_patches(seen.colour, holes, sources, inverse, weights)
    else:
        colour = _by_model(inpaint, seen.colour, holes)
    depth = np.where(inverse > 0, 1 / np.maximum(inverse, 1 / scene.far), np.float32(scene.far)).astype(np.float32)
    view = View(colour, depth, path.intrinsics[frame], path.world_from_camera[frame], inverse > 0)
    return Hidden(view, holes | (_dilate(holes, 2 * RIM + 1) & ~hiding))


def _below_horizon(scene: Scene, path: CameraPath, frame: int) -> NDArray[np.bool_] | None:
    """(H,W): pixels in which there is no sky; None where the scene has none at all."""
    horizon = Horizon.of(scene)
    return None if horizon is None else horizon.below(path, frame)


def _by_patches(
    colour: NDArray[np.uint8],
    holes: NDArray[np.bool_],
    sources: NDArray[np.bool_],
    inverse: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The picture with its holes in smooth light and, over it, detail of the same surface."""
    light = stretch_membrane(colour.astype(np.float32), weights, inverse, holes)
    patches, sure = synthesise_texture(colour, holes, sources, inverse, light)
    gain = DETAIL + (1 - DETAIL) * sure[..., None]
    mixed = light + gain * (patches - light)
    return np.where(holes[..., None], np.clip(mixed + 0.5, 0, 255).astype(np.uint8), colour)


def _by_model(inpaint: Inpainter, colour: NDArray[np.uint8], holes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture with its holes as the model paints them; nothing else of what it returns is used."""
    made = np.asarray(inpaint(colour.copy(), holes.copy()))
    if made.shape != colour.shape or made.dtype != np.uint8:
        raise InputError(
            f"The model for hidden parts must return an RGB picture of {colour.shape[1]} x {colour.shape[0]} in 8 bits; "
            f"it returned {made.shape} of {made.dtype}."
        )
    return np.where(holes[..., None], made, colour)


def _dilate(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((size, size), np.uint8))).astype(bool)


def _shrink_both(scene: Scene, path: CameraPath, most: int) -> tuple[Scene, CameraPath]:
    """Scene and path, each at most ``most`` pixels wide."""
    if max(path.width, scene.first.width) <= most:
        return scene, path
    scale = min(1.0, most / path.width)
    width, height = max(1, round(path.width * scale)), max(1, round(path.height * scale))
    factor = min(1.0, most / scene.first.width)
    own = max(1, round(scene.first.width * factor)), max(1, round(scene.first.height * factor))
    return scene.fitted(*own, "stretch"), path.resized(width, height)


def _find_emptiest(scene: Scene, path: CameraPath, parts: tuple[Hidden, ...]) -> tuple[int, float]:
    """The sampled frame with the greatest share of holes left, and that share."""
    paint = with_hidden(painter(scene, "mesh"), [_shrink(part, scene.first.width) for part in parts])
    best, most = 0, -1.0
    for frame in spread_indices(len(path), SAMPLED)[::-1]:
        share = _hole_share(paint(path, int(frame)))
        if share > most:
            best, most = int(frame), share
    return best, most


def _hole_share(image: RenderedFrame) -> float:
    left = image.holes if image.completed is None else image.holes & ~image.completed
    return float(left.mean())


def _shrink(part: Hidden, width: int) -> Hidden:
    height = max(1, round(part.view.height * width / part.view.width))
    drawn = cv2.resize(part.drawn.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return Hidden(part.view.resized(width, height), drawn.astype(bool))
