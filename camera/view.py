"""`View` and `Scene`: pictures with depth from known cameras, the input of every preview and every method."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, Fit, resizing, scaled_size

FAR = 1e4
"""Depth assigned to sky and to pixels without depth, in scene units, if all known depth is nearer; see `View.far`."""
FAR_BEYOND = 10.0
"""Otherwise the far depth is this many times the farthest known depth."""
SKY_GAP = 1e3
"""Depth beyond `FAR` counts as sky if it exceeds all depth within `FAR` by this factor: renderers write such values for the sky."""
NO_DEPTH = 1e9
"""Values from here on are never a depth: Blender writes 1e10 for the sky, other renderers the largest float."""


@dataclass(frozen=True, eq=False)
class View:
    """One picture with depth.

    ``colour``: (H,W,3) uint8 RGB. ``depth``: (H,W) float32 along the camera's z axis, positive and finite, in scene
    units; `far` at pixels without depth. ``known``: (H,W) bool, False where depth was filled in (sky, invalid, padding).
    ``world_from_camera``: (4,4). ``intrinsics``: (3,3) in pixels.
    """

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: NDArray[np.float64]
    world_from_camera: NDArray[np.float64]
    known: NDArray[np.bool_]

    @staticmethod
    def of(colour: NDArray, depth: NDArray, intrinsics: NDArray, world_from_camera: NDArray | None = None) -> View:
        """A checked view. Depth that is NaN, infinite, not positive or sky (`is_depth`) is set to `far` and marked unknown."""
        colour = np.ascontiguousarray(colour)
        if colour.ndim != 3 or colour.shape[2] != 3 or colour.dtype != np.uint8:
            raise InputError(f"A view needs an RGB picture of shape (H,W,3), got {colour.shape} of {colour.dtype}.")
        depth = np.asarray(depth, dtype=np.float32)
        if depth.shape != colour.shape[:2]:
            raise InputError(
                f"Depth of {depth.shape[::-1]} pixels does not match a picture of {colour.shape[1::-1]}; give both in one size."
            )
        known = is_depth(depth)
        if not known.any():
            raise InputError("The depth map holds no positive finite value, so there is nothing to move through.")
        pose = np.eye(4) if world_from_camera is None else world_from_camera
        camera = CameraPath(np.asarray(pose)[None], intrinsics, colour.shape[1], colour.shape[0])
        filled = np.where(known, depth, np.float32(far_of(depth[known])))
        return View(colour, filled, camera.intrinsics[0], camera.world_from_camera[0], known)

    @property
    def width(self) -> int:
        return self.colour.shape[1]

    @property
    def height(self) -> int:
        return self.colour.shape[0]

    @property
    def camera(self) -> CameraPath:
        """This view's camera as a path of one frame."""
        return CameraPath(self.world_from_camera[None], self.intrinsics, self.width, self.height)

    @cached_property
    def far(self) -> float:
        """Depth assigned to the sky, in scene units: `FAR`, or `FAR_BEYOND` times the farthest known depth if that reaches `FAR`."""
        return far_of(self.depth[self.known])

    @cached_property
    def focus_depth(self) -> float:
        """Typical depth of the subject: the median of the known depth in the middle half of the picture, in scene units."""
        h, w = self.depth.shape
        middle = np.s_[h // 4 : max(h - h // 4, 1), w // 4 : max(w - w // 4, 1)]
        depth, known = self.depth[middle], self.known[middle]
        return float(np.median(depth[known] if known.any() else self.depth[self.known]))

    def resized(self, width: int, height: int) -> View:
        """Resizes colour by area averaging or bicubic interpolation, and depth by nearest neighbour, which never blends two surfaces."""
        import cv2

        if (width, height) == (self.width, self.height):
            return self
        shrinking = width * height < self.width * self.height
        colour = cv2.resize(
            self.colour, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
        )
        depth = cv2.resize(self.depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        known = cv2.resize(self.known.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(
            bool
        )
        lens = resizing(self.width, self.height, width, height) @ self.intrinsics
        return replace(self, colour=colour, depth=depth, known=known, intrinsics=lens)

    def at_most(self, side: float) -> View:
        """Resized to a longer side of at most ``side`` pixels (shorter side at least 2); unchanged if it is already that small."""
        scale = side / max(self.width, self.height)
        if scale >= 1:
            return self
        return self.resized(max(2, round(self.width * scale)), max(2, round(self.height * scale)))

    def fitted(self, width: int, height: int, fit: Fit = "crop") -> View:
        """Fitted to ``width`` x ``height`` exactly as in `CameraPath.fitted`; padding is black and unknown."""
        import cv2

        if fit == "stretch":
            return self.resized(width, height)
        inner_width, inner_height = scaled_size(self.width, self.height, width, height, fit)
        inner = self.resized(inner_width, inner_height)
        left, top = (inner_width - width) // 2, (inner_height - height) // 2
        lens = self.camera.fitted(width, height, fit).intrinsics[0]
        if fit == "crop":
            window = np.s_[top : top + height, left : left + width]
            colour = np.ascontiguousarray(inner.colour[window])
            depth = np.ascontiguousarray(inner.depth[window])
            known = np.ascontiguousarray(inner.known[window])
        else:
            border = (-top, height - inner_height + top, -left, width - inner_width + left)
            colour = cv2.copyMakeBorder(inner.colour, *border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
            depth = cv2.copyMakeBorder(inner.depth, *border, cv2.BORDER_CONSTANT, value=self.far)
            known = cv2.copyMakeBorder(inner.known.view(np.uint8), *border, cv2.BORDER_CONSTANT, value=0).astype(bool)
        return View(np.asarray(colour, np.uint8), np.asarray(depth, np.float32), lens, self.world_from_camera, known)


def is_depth(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H,W): True where a value is a depth, in any unit; False where it is not finite, not positive, or marks the sky.

    Values of `FAR` and more are sky if all other values are nearer by the factor `SKY_GAP`, or if they all equal `FAR`.
    """
    valid = np.isfinite(depth) & (depth > 0) & (depth < NO_DEPTH)
    beyond = valid & (depth >= FAR)
    within = valid & ~beyond
    if beyond.any() and within.any():
        nearest, farthest = float(depth[beyond].min()), float(depth[beyond].max())
        if farthest == FAR or nearest >= SKY_GAP * float(depth[within].max()):
            return within
    elif beyond.any() and float(depth[beyond].max()) == FAR:
        return within
    return valid


def far_of(known: NDArray[np.float32]) -> float:
    """The depth assigned to pixels without depth, given the ``known`` depths; see `View.far`."""
    farthest = float(known.max()) if known.size else 0.0
    return FAR if farthest < FAR else FAR_BEYOND * farthest


@dataclass(frozen=True, eq=False)
class Scene:
    """The scene that the camera moves through.

    ``kind``: "still" is one view; "clip" is one view per frame of a video; "views" are several views of one moment. All
    views share one world and one size.
    ``unit``: "metres" if depth is metric, else "relative" (up to one scale factor for the whole scene).
    ``source``: the origin of the depth, as text for the user. ``others``: views of any size in the same world, drawn
    only where ``views`` leave holes: a second capture, or the background behind a part that was moved.
    """

    views: tuple[View, ...]
    kind: Literal["still", "clip", "views"] = "still"
    unit: Literal["metres", "relative"] = "relative"
    fps: float = 24.0
    source: str = "given depth"
    name: str = "scene"
    others: tuple[View, ...] = ()

    def __post_init__(self) -> None:
        if not self.views:
            raise InputError("A scene needs at least one picture.")
        sizes = {(view.width, view.height) for view in self.views}
        if len(sizes) > 1:
            raise InputError(f"All pictures of a scene must have one size, got {sorted(sizes)}; resize them first.")

    @property
    def first(self) -> View:
        return self.views[0]

    def plain_fields(self) -> dict[str, Any]:
        """The fields that all kinds of scenes share, by name, to create another kind of scene from the same pictures."""
        return {field.name: getattr(self, field.name) for field in fields(Scene)}

    @property
    def far(self) -> float:
        """The largest `View.far` of all views."""
        return max(view.far for view in self.views)

    def fitted(self, width: int, height: int, fit: Fit = "crop") -> Scene:
        """The scene fitted to another frame. Equal requests share one cached, read-only scene while it is in use."""
        cache = _FITTED.setdefault(self, WeakValueDictionary())
        fitted = cache.get((width, height, fit))
        if fitted is None:
            scale = max(width / self.first.width, height / self.first.height)
            others = tuple(view.at_most(scale * max(view.width, view.height)) for view in self.others)
            fitted = replace(self, views=tuple(view.fitted(width, height, fit) for view in self.views), others=others)
            cache[width, height, fit] = fitted
        return fitted


_FITTED: WeakKeyDictionary[Scene, WeakValueDictionary[tuple[int, int, str], Scene]] = WeakKeyDictionary()
