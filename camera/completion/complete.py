"""The second layer of a scene for one camera move, completed at the few frames with the most disocclusion.

The frame with the most holes is completed first: depth (`camera.completion.surface`), smooth colour
(`camera.completion.membrane`) and detail (`camera.completion.texture`). The result is rendered into all other frames; then the
frame with the most remaining holes is completed. So all frames show the same filling, with its parallax, and nothing is
completed that the path does not reveal.
Imports numba: import this module on first use only.
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
from camera.render.painters import HiddenPart, RenderedFrame, painter, with_hidden
from camera.render.scene import Inpainter
from camera.view import Scene, View

MOST_PARTS = 3
SAMPLED = 9
"""Frames of the path that are checked for holes."""
LOOK_WIDTH = 320
MADE_WIDTH = 640
"""Maximum width of a part: parts are mostly smooth, and a quarter of the pixels takes a quarter of the time."""
ENOUGH = 0.003
"""Fraction of the picture; smaller holes are left to the per-frame filling."""
RIM = 2
"""Width in pixels of the visible rim that a part includes around its holes, so that no crack remains between them."""
HIDING_COUNTS, MIXED_COUNTS = np.float32(0.2), np.float32(0.6)
"""Weights, for the membrane, of foreground pixels in front of a hole and of mixed pixels at its edge; sometimes there are no others."""
DETAIL = np.float32(0.3)
"""Gain of the patches' detail over the smooth colour where the match is uncertain: there it is wrong as often as right."""


def complete_scene(scene: Scene, path: CameraPath, *, inpaint: Inpainter | None = None) -> tuple[HiddenPart, ...]:
    """The parts that ``path`` reveals but no picture of ``scene`` shows; empty if nothing is missing.

    ``inpaint``: a model for the colours, instead of patches; depth is extrapolated in the same way.
    """
    return tuple(parts(scene, path, inpaint=inpaint))


def parts(scene: Scene, path: CameraPath, *, inpaint: Inpainter | None = None) -> Iterator[HiddenPart]:
    """The parts of `complete_scene` one by one, at most `MOST_PARTS`."""
    scene = plain(scene)
    completed: tuple[HiddenPart, ...] = ()
    small, small_path = _shrink_both(scene, path, LOOK_WIDTH)
    scene, path = _shrink_both(scene, path, MADE_WIDTH)
    while len(completed) < MOST_PARTS:
        frame, share = _find_emptiest(small, small_path, completed)
        if share < ENOUGH:
            return
        part = complete_frame(scene, path, frame, completed, inpaint=inpaint)
        completed = (*completed, part)
        yield part


def complete_frame(
    scene: Scene, path: CameraPath, frame: int, before: tuple[HiddenPart, ...] = (), *, inpaint: Inpainter | None = None
) -> HiddenPart:
    """One part: the holes in ``frame`` that ``scene`` and the parts ``before`` leave."""
    rendered = with_hidden(painter(scene, "mesh"), before)(path, frame)
    holes = rendered.holes & ~(rendered.completed if rendered.completed is not None else np.zeros_like(rendered.holes))
    hiding, mixed = edges_from(scene, path, frame, rendered.holes)
    with np.errstate(divide="ignore"):
        inverse = np.where(holes | rendered.far, 0, 1 / np.maximum(rendered.depth, 1e-12)).astype(np.float32)
    sources = ~(holes | mixed | hiding)
    beyond = beyond_borders(scene, path, frame, inverse)
    below = _below_horizon(scene, path, frame)
    inverse = extend_surfaces(inverse, holes, sources, hiding, beyond=beyond, below=below)
    if inpaint is None:
        weights = np.where(hiding & ~_dilate(beyond, 7), HIDING_COUNTS, np.where(mixed, MIXED_COUNTS, np.float32(1)))
        colour = _by_patches(rendered.colour, holes, sources, inverse, weights)
    else:
        colour = _by_model(inpaint, rendered.colour, holes)
    depth = np.where(inverse > 0, 1 / np.maximum(inverse, 1 / scene.far), np.float32(scene.far)).astype(np.float32)
    view = View(colour, depth, path.intrinsics[frame], path.world_from_camera[frame], inverse > 0)
    return HiddenPart(view, holes | (_dilate(holes, 2 * RIM + 1) & ~hiding))


def _below_horizon(scene: Scene, path: CameraPath, frame: int) -> NDArray[np.bool_] | None:
    """(H,W): True where the scene has no sky; None for a scene without any sky."""
    horizon = Horizon.of(scene)
    return None if horizon is None else horizon.below(path, frame)


def _by_patches(
    colour: NDArray[np.uint8],
    holes: NDArray[np.bool_],
    sources: NDArray[np.bool_],
    inverse: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The picture with its holes filled by smooth colour and detail of the same surface."""
    light = stretch_membrane(colour.astype(np.float32), weights, inverse, holes)
    patches, certainty = synthesise_texture(colour, holes, sources, inverse, light)
    gain = DETAIL + (1 - DETAIL) * certainty[..., None]
    mixed = light + gain * (patches - light)
    return np.where(holes[..., None], np.clip(mixed + 0.5, 0, 255).astype(np.uint8), colour)


def _by_model(inpaint: Inpainter, colour: NDArray[np.uint8], holes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture with its holes from the model; the rest of the model's output is ignored."""
    painted = np.asarray(inpaint(colour.copy(), holes.copy()))
    if painted.shape != colour.shape or painted.dtype != np.uint8:
        raise InputError(
            f"The model for hidden parts must return an RGB picture of {colour.shape[1]} x {colour.shape[0]} in 8 bits; "
            f"it returned {painted.shape} of {painted.dtype}."
        )
    return np.where(holes[..., None], painted, colour)


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


def _find_emptiest(scene: Scene, path: CameraPath, parts: tuple[HiddenPart, ...]) -> tuple[int, float]:
    """The sampled frame with the largest fraction of remaining holes, and that fraction."""
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


def _shrink(part: HiddenPart, width: int) -> HiddenPart:
    height = max(1, round(part.view.height * width / part.view.width))
    drawn = cv2.resize(part.drawn.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return HiddenPart(part.view.resized(width, height), drawn.astype(bool))
