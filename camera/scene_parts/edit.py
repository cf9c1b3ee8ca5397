"""Removes, moves or duplicates a part of a scene. Changes pictures and depth, so that everything that uses the scene gets the edit.

The background behind the part comes from other pictures that show it, and is otherwise completed by `camera.completion`. A moved
part is rendered from the same camera at its new position, so that it shrinks with distance and is occluded by what is in front of it.
The background that it occludes there is kept in `camera.view.Scene.others`. Imports numba, so import it only on first use.
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
from camera.render.painters import HiddenPart, PartMotion, RenderedFrame, SelfRenderedScene, with_hidden
from camera.rotation import UP, about_axis
from camera.scene_parts.planes import find_planes
from camera.view import Scene, View

Change = Literal["remove", "move", "duplicate"]
DONE: dict[str, str] = {"remove": "removed", "move": "moved", "duplicate": "duplicated"}
MARGIN_PX = 2
"""Dilation of a part in pixels at 480 rows, because its edge is mixed with the background."""
BESIDE = 8
"""Number of other pictures that are searched for the background behind a part."""
KEPT_BEHIND = 4
"""Number of pictures of the background behind a part's new position that are kept."""


@dataclass(frozen=True)
class Shift:
    """Translation of a part, in units of its own distance from the camera (`distance_of`): ``right`` and ``ahead`` along the ground
    below it, ``up`` along its normal. With ``ahead`` 1 it is twice as far away. ``turn_degrees``: rotation about the vertical axis
    through its centre, counter-clockwise seen from above; only for scenes that contain all sides of a part, such as splats."""

    right: float = 0.0
    up: float = 0.0
    ahead: float = 0.0
    turn_degrees: float = 0.0

    def __post_init__(self) -> None:
        if not all(np.isfinite(value) and abs(value) <= 100 for value in (self.right, self.up, self.ahead)):
            raise InputError("A part can move right, up and ahead by at most 100 times its distance from the camera.")
        if not (np.isfinite(self.turn_degrees) and abs(self.turn_degrees) <= 360):
            raise InputError(f"A part turns by at most 360 degrees; got {self.turn_degrees}.")


STAY = Shift()


@dataclass(frozen=True, eq=False)
class EditedScene:
    """The ``scene`` after the edit. ``note``: a description of what was done and what was invented."""

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

    ``masks`` (F,H,W): the part in every view, see `camera.scene_parts.choose.spread`. ``reference``: the view that defines the ground
    and the part's distance. In a scene rendered from splats, the Gaussians of the part are changed.
    Raises `InputError` for masks of another shape, a part that is invisible before or after, and a rotation of a part of pictures.
    """
    if change not in get_args(Change):
        raise InputError(f"The change of a part must be one of {', '.join(get_args(Change))}; got {change!r}.")
    _check(scene, masks)
    if isinstance(scene, SelfRenderedScene):
        return _change_drawn(scene, masks, change, shift, reference)
    if shift.turn_degrees:
        raise InputError("A picture shows a part from one side, so it cannot be turned; only parts of splats can.")
    base = scene.views if change == "duplicate" else _without(scene, masks)
    words, views, others = "", base, scene.others
    if change != "remove":
        axes, words = ground_axes(scene.views[reference], masks[reference])
        turn = np.eye(4)
        shown_in = (
            reference if (masks[reference] & scene.views[reference].known).any() else _first_showing(scene, masks)
        )
        distance = distance_of(scene.views[shown_in], masks[shown_in])
        turn[:3, 3] = _translation(axes, shift) * distance
        views = tuple(_with_part(base[i], view, masks[i], turn) for i, view in enumerate(scene.views))
        if all(view is before for view, before in zip(views, base)):
            raise InputError(
                f"The part would not be visible at its new position; move it less far. It is {in_words(distance, scene.unit)} away."
            )
        others = (*others, *(base[i] for i in spread_indices(len(base), KEPT_BEHIND)))
    made = replace(scene, views=views, others=others, source=_edited(scene.source))
    return EditedScene(made, _note(masks, DONE[change], words))


def _change_drawn(
    scene: SelfRenderedScene, masks: NDArray[np.bool_], change: Change, shift: Shift, reference: int
) -> EditedScene:
    view = scene.sharp_view(reference)
    words, motion = "", PartMotion(np.eye(3), np.zeros(3))
    if change != "remove":
        axes, words = ground_axes(view, masks[reference])
        turn = about_axis(axes[:, 1], shift.turn_degrees)
        motion = PartMotion(turn, _translation(axes, shift) * distance_of(view, masks[reference]))
    made, note = scene.with_part_changed(masks, change, motion)
    return EditedScene(replace(made, source=_edited(scene.source)), f"{note}{words}")


def _translation(axes: NDArray[np.float64], shift: Shift) -> NDArray[np.float64]:
    """(3,): the translation in the world, in units of the part's distance; ``axes`` from `ground_axes`."""
    return axes @ [shift.right, shift.up, shift.ahead]


def _edited(source: str) -> str:
    return source if source.endswith("edited by parts") else f"{source}, edited by parts"


def _check(scene: Scene, masks: NDArray[np.bool_]) -> None:
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
    """Distance of a part ``mask`` (H,W): its median depth, in the scene's unit. Raises `InputError` if no depth is known."""
    if not (mask & view.known).any():
        raise InputError("No depth of the part is known; choose another one.")
    return float(np.median(view.depth[mask & view.known]))


def in_words(distance: float, unit: str) -> str:
    """A length in a scene's unit, such as "2.3 metres" or "0.8 units of the scene"."""
    return f"{distance:.3g} {'metres' if unit == 'metres' else 'units of the scene'}"


def _note(masks: NDArray[np.bool_], verb: str, words: str) -> str:
    count = int(masks.any(axis=(1, 2)).sum())
    where = "" if len(masks) == 1 else f" in {count} of {len(masks)} pictures"
    invented = " is invented." if len(masks) == 1 else " is taken from other pictures, and else invented."
    background = "" if verb == "duplicated" else f" What it hid{invented}"
    return f"A part of {masks.sum() / max(count, 1):,.0f} pixels was {verb}{where}; the picture is repainted.{background}{words}"


def ground_axes(view: View, mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], str]:
    """(3,3): columns right, up and ahead in the world, from the ground plane that contains most of the pixels below the part, else
    horizontal; and a sentence if no ground was found."""
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
    """A scene of the pixels ``drawn`` of its pictures only."""

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
    """The views without the part. Content invented for one view is reused in the next, so that all views agree."""
    size = 2 * max(round(MARGIN_PX * scene.first.height / 480), 1) + 1
    wide = [np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((size, size), np.uint8))).astype(bool) for mask in masks]
    completed: tuple[HiddenPart, ...] = ()
    views = []
    for i, view in enumerate(scene.views):
        if not wide[i].any():
            views.append(view)
            continue
        near = [i, *(j for j in spread_indices(len(masks), BESIDE) if j != i)]
        cut = _Cut(tuple(scene.views[j] for j in near), "views", drawn=tuple(~wide[j] for j in near))
        part = complete_frame(cut, view.camera, 0, completed)
        views.append(_put(view, part.view, wide[i]))
        completed = (*completed, HiddenPart(views[-1], wide[i]))
    return tuple(views)


def _put(view: View, over: View, where: NDArray[np.bool_]) -> View:
    colour = np.where(where[..., None], over.colour, view.colour)
    known = np.where(where, over.known, view.known)
    depth = np.where(known, np.where(where, over.depth, view.depth), np.float32(np.nan))
    return View.of(colour, depth, view.intrinsics, view.world_from_camera)


def _with_part(base: View, view: View, mask: NDArray[np.bool_], turn: NDArray[np.float64]) -> View:
    """``base`` with the part ``mask`` of ``view`` in front of it, moved by ``turn`` (4,4) in the world, from the same camera."""
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
