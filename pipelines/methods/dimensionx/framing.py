"""Fits pictures of any shape to the network's frame: crop, stretch or pad."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from camera.path import Fit, scaled_size

Filter = Literal["bicubic", "lanczos"]
"""Filter for stretching: upstream's demo uses Pillow's bicubic, its script diffusers' Lanczos."""


def fit_to_frame(
    picture: NDArray[np.uint8], width: int, height: int, *, fit: Fit = "crop", stretch_by: Filter = "bicubic"
) -> Tensor:
    """(1,3,height,width) float32 in -1..1 from RGB (H,W,3) uint8.

    "crop" as in the code of the 360 degree orbit and of training (antialiased bicubic); "stretch" as in upstream's demo and
    script; "pad" adds black bars.
    """
    if fit == "stretch":
        resample = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}[stretch_by]
        stretched = np.asarray(Image.fromarray(picture).resize((width, height), resample))
        return _tensor(stretched)[None] * 2 - 1
    frames = _tensor(picture)[None]
    return (crop_frames(frames, width, height) if fit == "crop" else _pad(frames, width, height)) * 2 - 1


def crop_frames(frames: Tensor, width: int, height: int) -> Tensor:
    """(F,3,H,W) of any range to (F,3,height,width): scaled to cover the frame, then cropped to the centre."""
    old_height, old_width = frames.shape[-2:]
    if old_width / old_height > width / height:
        size = (height, int(old_width * height / old_height))
    else:
        size = (int(old_height * width / old_width), width)
    frames = _resize(frames, size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return frames[..., top : top + height, left : left + width]


def crop_frame_bytes(frames: Tensor, width: int, height: int) -> Tensor:
    """Like `crop_frames`, for (F,3,H,W) uint8; rounds to integers, as for the training data."""
    return crop_frames(frames.float(), width, height).clamp(0, 255).round().to(torch.uint8)


def _pad(frames: Tensor, width: int, height: int) -> Tensor:
    inner_width, inner_height = scaled_size(frames.shape[-1], frames.shape[-2], width, height, "pad")
    frames = _resize(frames, (inner_height, inner_width)).clamp(0, 1)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    return F.pad(frames, (left, width - inner_width - left, top, height - inner_height - top))


def _resize(frames: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(frames.shape[-2:]) == size:
        return frames
    return F.interpolate(frames, size=size, mode="bicubic", antialias=True, align_corners=False)


def _tensor(picture: NDArray[np.uint8]) -> Tensor:
    """(3,H,W) float32 in 0..1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
