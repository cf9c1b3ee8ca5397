"""The cameras of a fit: poses that may be refined, and a colour correction for each frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from camera.path import CameraPath
from camera.rotation import orthonormal
from pipelines.reconstruct.gaussians.adam import adam

TURN_RATE = 1e-4
"""Learning rate in radians; for positions the same number in extents. Both decay to a hundredth at the end."""
COLOUR_RATE = 1e-3
PULL = 1e-2
"""Weight of the regularisation of colour corrections towards zero, against a common drift."""


class Cameras:
    """F cameras with lenses ``lenses`` (F,3,3); the first is fixed and anchors the world."""

    def __init__(
        self,
        path: CameraPath,
        *,
        device: torch.device,
        extent: float,
        refine: bool,
        appearance: bool,
        haste: float = 1.0,
    ) -> None:
        self._path, self._extent, self._turn_rate = path, extent, TURN_RATE * haste
        self._given = torch.tensor(path.camera_from_world, dtype=torch.float32, device=device)
        self.lenses = torch.tensor(path.intrinsics, dtype=torch.float32, device=device)
        count = len(path)
        self.twists = torch.zeros(count, 6, device=device, requires_grad=refine)
        self.colour = torch.zeros(count, 3, 4, device=device, requires_grad=appearance)
        self._adam = adam(
            [{"params": [self.twists], "lr": self._turn_rate}, {"params": [self.colour], "lr": COLOUR_RATE * haste}]
        )

    def camera_from_world(self, view: int) -> Tensor:
        """(4,4), refined by the exponential of a small twist."""
        if not self.twists.requires_grad or view == 0:
            return self._given[view]
        return torch.linalg.matrix_exp(self._twist(view)) @ self._given[view]

    def corrected(self, colour: Tensor, view: int) -> Tensor:
        """A picture (H,W,3) with the affine colour correction of its frame."""
        if not self.colour.requires_grad:
            return colour
        if colour.device.type == "cpu":
            from pipelines.reconstruct.gaussians.colour_correction import correct_colour

            return correct_colour(colour, self.colour[view])
        return correct_colour_reference(colour, self.colour[view])

    def step(self, share: float) -> None:
        """One optimiser step with the gradients of the last picture; ``share``: completed share of the fit."""
        if not (self.twists.requires_grad or self.colour.requires_grad):
            return
        self._adam.param_groups[0]["lr"] = self._turn_rate * 0.01**share
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        if self.colour.requires_grad:
            with torch.no_grad():
                self.colour -= PULL * self.colour.mean(dim=0)

    @torch.no_grad()
    def path(self) -> CameraPath:
        """The path with its refined poses, in the size used for the fit."""
        refined = torch.stack([self.camera_from_world(view) for view in range(len(self._given))]).double().cpu().numpy()
        poses = np.repeat(np.eye(4)[None], len(refined), axis=0)
        turns = orthonormal(refined[:, :3, :3]).swapaxes(1, 2)
        poses[:, :3, :3] = turns
        poses[:, :3, 3] = -(turns @ refined[:, :3, 3:])[..., 0]
        return self._path.with_poses(poses)

    def _twist(self, view: int) -> Tensor:
        (a, b, c), shift = self.twists[view, :3], self.twists[view, 3:] * self._extent
        zero = torch.zeros_like(a)
        rows = (zero, -c, b, shift[0], c, zero, -a, shift[1], -b, a, zero, shift[2], zero, zero, zero, zero)
        return torch.stack(rows).reshape(4, 4)


def correct_colour_reference(colour: Tensor, correction: Tensor) -> Tensor:
    """A picture (H,W,3) after the affine colour ``correction`` (3,4): a change of the channels' mix, and an offset."""
    return colour + colour @ correction[:, :3].T + correction[:, 3]
