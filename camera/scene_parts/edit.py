"""Removes, moves or duplicates a part of a scene. Updates pictures and depth, so that everything that uses the scene sees the edit.

What the part hid is taken from other pictures where they show it, and else invented by `camera.completion`. A part that is moved is
drawn from the same camera at its new place, so that it gets smaller as it goes away, and stands behind what is before it. What it
hides there is kept in `camera.view.Scene.others`, for moves that look behind it. Imports the compiler, so import it only on first use.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.completion.complete import complete_frame
from camera.errors import InputError
from camera.path import CameraPath, spread_indices
from camera.render.painters import HiddenPart, RenderedFrame, SelfRenderedScene, with_hidden
from camera.rotation import UP
from camera.scene_parts.planes import find_planes
from camera.view import Scene, View

Change = Literal["remove", "move", "duplicate"]
MARGIN_PX = 2
"""Around a part, at 480 rows: its edge mixes with what is behind."""
BESIDE = 8
"""Other pictures that are asked what a part hides."""
KEPT_BEHIND = 4
"""Pictures of what stands behind a part at its new place that are kept."""


@dataclass(frozen=True)
class Shift:
    """How far a part moves, in units of its own distance from the camera (`distance_of`): ``right`` and ``ahead`` along the ground
    it stands on, ``up`` away from it. With ``ahead`` 1 it is twice as far away."""

    right: float = 0.0
    up: float = 0.0
    ahead: float = 0.0

    def __post_init__(self) -> None:
        if not all(np.isfinite(value) and abs(value) <= 100 for value in (self.right, self.up, self.ahead)):
            raise InputError("A part can move right, up and ahead by at most 100 times its distance from the camera.")


STAY = Shift()


@dataclass(frozen=True, eq=False)
class EditedScene:
    """The ``scene`` after the edit; ``note``: a description of what was done and what was invented."""

    scene: Scene
    note: str


def change_part(
    scene: Scene,
    masks: NDArray[np.bool_],
    change: Change,
    shift: Shift = STAY,
    *,
    reference: int = 0,
) -> EditedScene:
    """The scene with a part removed, moved or duplicated.

    ``masks`` (F,H,W): the part in every view, see `camera.scene_parts.choose.spread`; ``reference``: the view whose ground, and
    whose distance of the part, count.
    Raises `InputError` for masks of another shape, a part that nothing shows before or after, and scenes that are drawn from splats.
    """
    if change not in get_args(Change):
        raise InputError(f"A part can be changed by {', '.join(get_args(Change))}; got {change!r}.")
    _check(scene, masks)
    base = scene.views if change == "duplicate" else _without(scene, masks)
    words, views, others = "", base, scene.others
    if change != "remove":
        axes, words = ground_axes(scene.views[reference], masks[reference])
        turn = np.eye(4)
        seen = reference if (masks[reference] & scene.views[reference].known).any() else _first_showing(scene, masks)
        distance = distance_of(scene.views[seen], masks[seen])
        turn[:3, 3] = axes @ [shift.right, shift.up, shift.ahead] * distance
        views = tuple(_with_part(base[i], view, masks[i], turn) for i, view in enumerate(scene.views))
        if all(view is before for view, before in zip(views, base)):
            raise InputError(
                f"The part would not be visible at its new place; move it less far. It is {in_words(distance, scene.unit)} away."
            )
        others = (*others, *(base[i] for i in spread_indices(len(base), KEPT_BEHIND)))
    made = {"remove": "removed", "move": "moved", "duplicate": "duplicated"}[change]
    source = scene.source if scene.source.endswith("edited by parts") else f"{scene.source}, edited by parts"
    return EditedScene(replace(scene, views=views, others=others, source=source), _note(masks, made, words))


def _check(scene: Scene, masks: NDArray[np.bool_]) -> None:
    if isinstance(scene, SelfRenderedScene):
        raise InputError(
            f"Parts are chosen in pictures, and {scene.name} is {scene.source}; edit it where it was made."
        )
    shape = (len(scene.views), scene.first.height, scene.first.width)
    if masks.shape != shape or masks.dtype != bool:
        raise InputError(
            f"Masks of a part must be true and false in the scene's shape {shape}, got {masks.shape} of {masks.dtype}."
        )
    if not any((mask & view.known).any() for mask, view in zip(masks, scene.views)):
        raise InputError("No picture shows the part with known depth; choose another one.")


def _first_showing(scene: Scene, masks: NDArray[np.bool_]) -> int:
    return next(i for i, (view, mask) in enumerate(zip(scene.views, masks)) if (mask & view.known).any())


def distance_of(view: View, mask: NDArray[np.bool_]) -> float:
    """How far away a part ``mask`` (H,W) is: its median depth, in the scene's unit. Raises `InputError` where none is known."""
    if not (mask & view.known).any():
        raise InputError("No depth of the part is known; choose another one.")
    return float(np.median(view.depth[mask & view.known]))


def in_words(distance: float, unit: str) -> str:
    """A length of a scene of that unit, as in "2.3 metres" or "0.8 units of the scene"."""
    return f"{distance:.3g} {'metres' if unit == 'metres' else 'units of the scene'}"


def _note(masks: NDArray[np.bool_], made: str, words: str) -> str:
    count = int(masks.any(axis=(1, 2)).sum())
    where = "" if len(masks) == 1 else f" in {count} of {len(masks)} pictures"
    invented = " is invented." if len(masks) == 1 else " is taken from other pictures, and else invented."
    kept = "" if made == "duplicated" else f" What it hid{invented}"
    return (
        f"A part of {masks.sum() / max(count, 1):,.0f} pixels was {made}{where}; the picture is repainted.{kept}{words}"
    )


def ground_axes(view: View, mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], str]:
    """(3,3), columns right, up and ahead in the world: from the ground plane that holds most of the pixels below the part, else
    level ones; and a sentence where no ground was found."""
    low = np.roll(mask, round(0.04 * view.height) + 1, axis=0) & ~mask
    grounds = [plane for plane in find_planes(view) if plane.is_ground]
    best = max(grounds, key=lambda plane: (plane.on & low).sum(), default=None)
    words = "" if best is not None else " No ground was found under it, so it moves along level axes."
    up = np.array(UP, np.float64) if best is None else best.normal
    across = view.world_from_camera[:3, 0] - (view.world_from_camera[:3, 0] @ up) * up
    right = across / max(np.linalg.norm(across), 1e-9)
    return np.stack([right, up, np.cross(up, right)], axis=1), words


@dataclass(frozen=True, eq=False)
class _Cut(SelfRenderedScene):
    """A scene of ``parts`` of its pictures alone."""

    drawn: tuple[NDArray[np.bool_], ...] = field(kw_only=True)

    def paint(self, path: CameraPath, frame: int) -> RenderedFrame:
        parts = [HiddenPart(view, drawn) for view, drawn in zip(self.views, self.drawn) if drawn.any()]
        image = with_hidden(_nothing, parts)(path, frame)
        unseen = image.holes if image.completed is None else image.holes & ~image.completed
        return replace(image, holes=unseen, completed=None)


def _nothing(path: CameraPath, frame: int) -> RenderedFrame:
    size = (path.height, path.width)
    return RenderedFrame(
        np.zeros((*size, 3), np.uint8), np.ones(size, bool), np.zeros(size, np.float32), np.zeros(size, bool)
    )


def _without(scene: Scene, masks: NDArray[np.bool_]) -> tuple[View, ...]:
    """The views without the part. Content invented for one view is shown to the next, so that all views agree."""
    size = 2 * max(round(MARGIN_PX * scene.first.height / 480), 1) + 1
    wide = [np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((size, size), np.uint8))).astype(bool) for mask in masks]
    found: tuple[HiddenPart, ...] = ()
    views = []
    for i, view in enumerate(scene.views):
        if not wide[i].any():
            views.append(view)
            continue
        near = [i, *(j for j in spread_indices(len(masks), BESIDE) if j != i)]
        cut = _Cut(tuple(scene.views[j] for j in near), "views", drawn=tuple(~wide[j] for j in near))
        part = complete_frame(cut, view.camera, 0, found)
        views.append(_put(view, part.view, wide[i]))
        found = (*found, HiddenPart(views[-1], wide[i]))
    return tuple(views)


def _put(view: View, over: View, where: NDArray[np.bool_]) -> View:
    colour = np.where(where[..., None], over.colour, view.colour)
    known = np.where(where, over.known, view.known)
    depth = np.where(known, np.where(where, over.depth, view.depth), np.float32(np.nan))
    return View.of(colour, depth, view.intrinsics, view.world_from_camera)


def _with_part(base: View, view: View, mask: NDArray[np.bool_], turn: NDArray[np.float64]) -> View:
    """``base`` with the part ``mask`` of ``view`` in front of it, moved by ``turn`` (4,4) in the world, as seen by the same camera."""
    drawn = mask & view.known
    if not drawn.any():
        return base
    moved = replace(view, world_from_camera=turn @ view.world_from_camera)
    image = with_hidden(_nothing, [HiddenPart(moved, drawn)])(base.camera, 0)
    shown = image.completed if image.completed is not None else np.zeros_like(drawn)
    front = shown & ((image.depth < base.depth) | ~base.known)
    if not front.any():
        return base
    over = View(
        image.colour,
        np.where(front, image.depth, base.depth),
        base.intrinsics,
        base.world_from_camera,
        base.known | front,
    )
    return _put(base, over, front)
