"""Compares generated views with the ground truth, for data sets with more pictures than were given."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.inputs.posed_images import SceneWithTruth
from pipelines.media.image_metrics import psnr, ssim
from pipelines.method import Frames

SHOWN_GIVEN = 3
"""Number of given pictures shown beside the others, as in the original code's comparisons."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """``frames``: input pictures, ground truth and generated view side by side, one for each frame index in ``numbers``.

    ``psnr`` in decibels and ``ssim``, against the true pictures.
    """

    frames: Frames
    numbers: tuple[int, ...]
    psnr: tuple[float, ...]
    ssim: tuple[float, ...]

    @property
    def words(self) -> str:
        means = f"on average {np.mean(self.psnr):.2f} dB PSNR and {np.mean(self.ssim):.3f} SSIM"
        worst = self.numbers[int(np.argmin(self.psnr))] + 1
        return f"{len(self.numbers)} frames against the true pictures: {means}; frame {worst} is farthest ({min(self.psnr):.2f} dB)."


def compare_with_truth(frames: Frames, path: CameraPath, scene: Scene) -> Comparison:
    """Compare ``frames`` (F,H,W,3) along ``path`` with the ground-truth pictures from the same cameras.

    Raises `InputError` if there are no such pictures.
    """
    truth = scene.truth if isinstance(scene, SceneWithTruth) else None
    if truth is None:
        raise InputError("There are no true pictures: open posed pictures, and give fewer of them to the method.")
    pairs = [(i, place) for i in range(len(path)) if (place := _place(truth.path, path, i, scene)) is not None]
    if not pairs:
        raise InputError(
            "No frame was made from the camera of a true picture; draw the path from the path file of these pictures."
        )
    given = [_warp_to_lens(view.colour, view.intrinsics, path, 0) for view in scene.views[:SHOWN_GIVEN]]
    rows, decibels, likeness = [], [], []
    for number, place in pairs:
        true = _warp_to_lens(truth.pictures[place], truth.path.intrinsics[place], path, number)
        decibels.append(psnr(_tensor(frames[number]), _tensor(true)))
        likeness.append(float(ssim(_tensor(frames[number]), _tensor(true))))
        rows.append(np.concatenate([*given, true, frames[number]], axis=1))
    return Comparison(np.stack(rows), tuple(number for number, _ in pairs), tuple(decibels), tuple(likeness))


def _place(known: CameraPath, path: CameraPath, frame: int, scene: Scene) -> int | None:
    """The camera of ``known`` that equals frame ``frame`` of ``path`` (to 0.1 % of the depth, 0.1 degrees)."""
    pose = path.world_from_camera[frame]
    away = np.linalg.norm(known.centres - pose[:3, 3], axis=1) / scene.first.focus_depth
    trace = np.einsum("fij,ij->f", known.world_from_camera[:, :3, :3], pose[:3, :3])
    turned = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    there = np.flatnonzero((away < 1e-3) & (turned < np.radians(0.1)))
    return int(there[np.argmin(away[there])]) if len(there) else None


def _warp_to_lens(
    picture: NDArray[np.uint8], lens: NDArray[np.float64], path: CameraPath, frame: int
) -> NDArray[np.uint8]:
    """``picture`` (H,W,3) warped to the lens of ``path`` at ``frame``, from the same position; black outside the picture."""
    scale = path.intrinsics[frame, 1, 1] / lens[1, 1]
    if scale < 1:  # average first, since the warp below samples single pixels
        width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
        ratio = np.array([width / picture.shape[1], height / picture.shape[0]])
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        shrunk = lens.copy()
        shrunk[:2] *= ratio[:, None]
        shrunk[:2, 2] += ratio / 2 - 0.5
        lens = shrunk
    seen_from_picture = path.intrinsics[frame] @ np.linalg.inv(lens)
    size = (path.width, path.height)
    return np.asarray(cv2.warpPerspective(picture, seen_from_picture, size, flags=cv2.INTER_LINEAR), np.uint8)


def _tensor(picture: NDArray[np.uint8]) -> Tensor:
    """(3,H,W) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255
