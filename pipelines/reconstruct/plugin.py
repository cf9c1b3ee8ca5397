"""The user's own models, named as ``package.module:function`` and imported from Python's module path. For the command line only.

A matcher (such as MASt3R) is a `pipelines.estimation.colmap.Matcher`. A `PoseEstimator` (such as VGGT) returns cameras and depth together.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.method import Frames


class PoseEstimator(Protocol):
    """Cameras and depth of frames (F,H,W,3) uint8 RGB, in one world of any scale.

    Returns ``world_from_camera`` (F,4,4), OpenCV axes; ``intrinsics`` (3,3) or (F,3,3) in pixels of the frames, centres at
    integers; ``depth`` (F,H,W) along z in the cameras' scale, NaN where unknown.
    """

    def __call__(self, frames: Frames, /) -> tuple[ArrayLike, ArrayLike, ArrayLike]: ...


def load_plugin(name: str) -> Callable[..., Any]:
    """The function called ``name``. Raises `InputError` if there is none."""
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        raise InputError(f"A model is named package.module:function, got {name!r}.")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"The model {name} cannot be imported: {error}; install it where this Python finds it."
        ) from error
    if not callable(found):
        raise InputError(f"{name} is not a function; name one whose input is frames.")
    return found


def run_plugin(model: PoseEstimator, frames: Frames, fps: float) -> tuple[CameraPath, NDArray[np.float32]]:
    """The path and the depth (F,H,W) from ``model``. Raises `InputError` for output of another form."""
    count, height, width = frames.shape[:3]
    answer = model(frames)
    if not isinstance(answer, tuple) or len(answer) != 3:
        raise InputError(
            "A model of cameras and depth returns world_from_camera, intrinsics and depth; this one does not."
        )
    poses, lenses, depth = (np.asarray(each) for each in answer)
    wanted = {"world_from_camera": (poses, (count, 4, 4)), "depth": (depth, (count, height, width))}
    for what, (array, shape) in wanted.items():
        if array.shape != shape:
            raise InputError(f"The model's {what} should have the shape {shape}, got {array.shape}.")
    if lenses.shape not in ((3, 3), (count, 3, 3)):
        raise InputError(f"The model's intrinsics should have the shape (3, 3) or {(count, 3, 3)}, got {lenses.shape}.")
    return CameraPath(poses, lenses, width, height, fps), depth.astype(np.float32)
