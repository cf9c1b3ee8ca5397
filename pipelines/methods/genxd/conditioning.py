"""Conditioning of the denoiser: clean latents of the given frames, rays of every frame, mode and motion.

Source: arXiv 2411.02319; ``genxd_pipeline.py`` of the original code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.path import CameraPath, inverse
from camera.rays import pluecker
from pipelines.methods.genxd.network.blocks import VIDEO

VAE_FACTOR = 8
"""Pixels per latent pixel, along each side."""


@dataclass(frozen=True, eq=False)
class Condition:
    """``clean`` (1,F,4,h,w): scaled latents of the given frames, zero elsewhere. ``given`` (1,F,1,h,w): 1 for given frames.

    ``rays`` (1,F,6,h,w). ``indicator``: 0 views, 1 video, 2 both. ``motion``: strength, about 0 to 10.
    """

    clean: Tensor
    given: Tensor
    rays: Tensor
    indicator: int
    motion: float

    @staticmethod
    def of(
        latents: Tensor, frames: tuple[int, ...], cameras: CameraPath, *, scale: float, indicator: int, motion: float
    ) -> Condition:
        """From latents (C,4,h,w) of the given ``frames``; rays are relative to the first of them, lengths are multiplied by ``scale``."""
        height, width = latents.shape[-2:]
        clean = latents.new_zeros(1, len(cameras), *latents.shape[1:])
        given = latents.new_zeros(1, len(cameras), 1, height, width)
        clean[0, list(frames)], given[0, list(frames)] = latents, 1
        if indicator == VIDEO:
            rays = latents.new_zeros(1, len(cameras), 6, height, width)
        else:
            rays = torch.from_numpy(latent_rays(cameras, frames[0], scale=scale))[None].to(latents)
        return Condition(clean, given, rays, indicator, motion)

    def inputs(self, noisy: Tensor, *, guided: bool) -> dict[str, Tensor]:
        """Arguments of the denoiser for scaled noisy latents (1,F,4,h,w), in one row or (guided) two: unconditional, conditional.

        The unconditional row has no clean latents, rays or motion, but keeps the mask of the given frames.
        """
        frames = noisy.shape[1]
        free = noisy * (1 - self.given)
        space = torch.zeros_like(noisy)
        with_condition = torch.cat([free + self.clean * self.given, space, self.rays, self.given], dim=2)
        without = torch.cat([free, space, torch.zeros_like(self.rays), self.given], dim=2)
        rows = 2 if guided else 1
        moving_camera = 0.0 if self.indicator == VIDEO else 1.0
        ids = noisy.new_zeros(rows, frames, 2)
        ids[-1, :, 1] = moving_camera
        motion = noisy.new_zeros(rows)
        motion[-1] = self.motion
        return {
            "sample": torch.cat([without, with_condition]) if guided else with_condition,
            "added_time_ids": ids,
            "indicator": torch.full((rows,), self.indicator, device=noisy.device),
            "motion_ids": motion,
        }

    def restored(self, latents: Tensor) -> Tensor:
        """``latents`` (1,F,4,h,w) with the given frames replaced by their clean latents."""
        return torch.where(self.given.bool(), self.clean, latents)


def latent_rays(cameras: CameraPath, origin: int, *, scale: float) -> NDArray[np.float32]:
    """(F,6,h,w) at the latents' size: unit direction, then origin x direction, relative to frame ``origin``."""
    relative = cameras.with_poses(inverse(cameras.world_from_camera[origin]) @ cameras.world_from_camera).scaled(scale)
    return pluecker(
        relative.resized(cameras.width // VAE_FACTOR, cameras.height // VAE_FACTOR), order="direction_moment"
    )
