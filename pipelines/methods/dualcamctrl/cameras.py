"""Camera conditioning of DualCamCtrl: relative poses in training units, a lens rule, Plücker rays.

Intrinsics of the training cameras are fractions of width and height; the three rules below convert them to pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rays import pluecker

LENS_RULES: tuple[str, ...] = ("training", "demo script", "demo app")

_DEMO_ASPECT = 640 / 360
"""The demo script treats every picture as 640x360."""


def lens_in_pixels(
    fractions: ArrayLike, *, width: int, height: int, source_aspect: float, rule: str = "training"
) -> NDArray[np.float64]:
    """(...,4) fx, fy, cx, cy in pixels of ``width`` x ``height``, centres at half-integers (the middle is W/2, H/2).

    ``fractions``: (...,4) fx, cx as fractions of the source's width, fy, cy of its height; ``source_aspect``: its width/height.

    * "training" (dataset class): one focal length is scaled as if the picture were cropped to the new aspect ratio, which
      gives square pixels although the picture is stretched.
    * "demo script": the same with height and width exchanged; at 640x360 to 480x320 fx becomes 2.25 times too long.
    * "demo app": focal lengths of 1 pixel and a centre at half a pixel, whatever the lens.
    """
    lens = np.array(fractions, dtype=np.float64)
    aspect = width / height
    if rule == "demo app":
        lens[...] = (1, 1, 0.5, 0.5)
        return lens
    if rule not in LENS_RULES:
        raise InputError(f"Unknown lens rule {rule!r}; choose one of {', '.join(LENS_RULES)}.")
    correct = aspect if rule == "training" else 1 / aspect
    if source_aspect > aspect:
        lens[..., 0] *= source_aspect / correct
    else:
        lens[..., 1] *= correct / source_aspect
    return lens * [width, height, width, height]


def network_path(
    path: CameraPath, *, unit: float = 1.0, rule: str = "training", source_aspect: float | None = None
) -> CameraPath:
    """The cameras as the network's input: the first pose is the identity, lengths are divided by ``unit``, the lens follows ``rule``.

    ``source_aspect``: width over height of the source picture. None computes it from the path's own lens, assuming square
    pixels before any stretch.
    """
    lens = path.intrinsics
    focal = lens[:, [0, 1], [0, 1]] / [path.width, path.height]
    centre = (lens[:, :2, 2] + 0.5) / [path.width, path.height]
    aspect = float(focal[0, 1] / focal[0, 0]) if source_aspect is None else source_aspect
    aspect = _DEMO_ASPECT if rule == "demo script" else aspect
    pixels = lens_in_pixels(
        np.concatenate([focal, centre], axis=1), width=path.width, height=path.height, source_aspect=aspect, rule=rule
    )
    matrices = np.repeat(np.eye(3)[None], len(path), axis=0)
    matrices[:, [0, 1], [0, 1]] = pixels[:, :2]
    matrices[:, :2, 2] = pixels[:, 2:] - 0.5
    return replace(path.relative_to_first().scaled(1 / unit), intrinsics=matrices)


def travel(path: CameraPath) -> float:
    """Largest distance from the first camera, in the path's unit."""
    return float(np.linalg.norm(path.centres - path.centres[0], axis=1).max())


def turn_degrees(path: CameraPath) -> float:
    """Largest angle to the first camera, 0 to 180 degrees."""
    rotations = path.relative_to_first().world_from_camera[:, :3, :3]
    cosine = (np.trace(rotations, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max())


def pack_rays(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """(6,F,H,W) rays to (24,(F+3)/4,H,W): the first frame four times, then frames in groups of four; channel = 4c + k."""
    channels, frames, height, width = coordinates.shape
    if frames % 4 != 1:
        raise InputError(f"DualCamCtrl packs 4k+1 frames of rays, got {frames}.")
    grouped = np.empty((channels, 4, (frames + 3) // 4, height, width), dtype=np.float32)
    for place in range(frames + 3):
        grouped[:, place % 4, place // 4] = coordinates[:, max(place - 3, 0)]
    return grouped.reshape(channels * 4, -1, height, width)


def rays(path: CameraPath) -> NDArray[np.float32]:
    """Plücker rays (6,F,H,W) in the order of training: moment, then unit direction."""
    return pluecker(path, order="moment_direction").swapaxes(0, 1)
