"""Converts one picture to a scene exactly as upstream's single-image script does, for comparison.

The app itself (`pipelines.inputs.picture.scene_from` and `Scene.fitted`) keeps the aspect ratio and estimates depth at the
picture's own size; upstream stretches every picture to 1280 x 720 first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.view import FAR, Scene, View

EstimateDepth = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float64] | None]]
"""RGB (H,W,3) to depth (H,W), NaN or infinite where unknown, and intrinsics (3,3) in pixels, or None if the model estimates none."""

MODEL_WIDTH, MODEL_HEIGHT = 1280, 720
SKY = 1000.0
"""Depth that upstream gives to pixels without depth, before the cache clamps it."""


class PreparedView(NamedTuple):
    """``image`` (H,W,3) float32 in [-1,1], ``depth`` and ``mask`` (H,W), ``intrinsics`` (3,3) in pixels."""

    image: NDArray[np.float32]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    intrinsics: NDArray[np.float64]


def prepare_picture(
    picture: NDArray[np.uint8], estimate: EstimateDepth, *, width: int = 1280, height: int = 704
) -> PreparedView:
    """A picture (h,w,3) stretched to 1280 x 720, and its depth, both resized to ``width`` x ``height``.

    Intrinsics are scaled without the half-pixel offset between picture corner and pixel centre, as upstream does. Raises
    `InputError` if the depth model estimates no lens.
    """
    stretched = cv2.resize(picture, (MODEL_WIDTH, MODEL_HEIGHT), interpolation=cv2.INTER_LINEAR)
    depth, lens = estimate(stretched.astype(np.uint8))
    if lens is None:
        raise InputError("Upstream's preparation needs a depth model that also estimates the lens; choose another one.")
    depth, mask = with_sky(depth)
    size = (width, height)
    image = cv2.resize(stretched.astype(np.float32) / 255, size, interpolation=cv2.INTER_LINEAR) * 2 - 1
    depth = cv2.resize(depth, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    mask = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    scale = np.diag([width / MODEL_WIDTH, height / MODEL_HEIGHT, 1])
    return PreparedView(image, depth, mask, scale @ lens)


def with_sky(depth: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Depth (H,W) in 0..`FAR`, set to `SKY` where it was not finite, and the mask of these pixels."""
    known = np.isfinite(depth)
    return np.where(known, np.clip(depth, 0, FAR), SKY).astype(np.float32), known


def upstream_still(
    picture: NDArray[np.uint8], estimate: EstimateDepth, *, width: int = 1280, height: int = 704
) -> Scene:
    """The still scene of `prepare_picture`; sky stays a far layer at `SKY` and counts as known, as in upstream's cache."""
    image, depth, _, lens = prepare_picture(picture, estimate, width=width, height=height)
    colour = np.round((image + 1) * 127.5).astype(np.uint8)
    return Scene((View.of(colour, depth, lens),), source="depth estimated from the stretched picture")
