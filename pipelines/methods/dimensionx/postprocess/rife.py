"""RIFE's network for the frame between two frames (Huang et al. 2022, arXiv 2011.06294), in its HDv3 form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 32
"""Sides must be divisible by this number."""
WIDTH, SCALES = 90, (4, 2, 1)


class FlowBlock(nn.Module):
    """Refines the flow between two frames and their blending mask at a fraction of the frames' size."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(_conv(inputs, width // 2, 2), _conv(width // 2, width, 2))
        self.convblock0, self.convblock1, self.convblock2, self.convblock3 = (
            nn.Sequential(_conv(width, width, 1), _conv(width, width, 1)) for _ in range(4)
        )
        self.conv1 = _enlarging(width, 4)
        self.conv2 = _enlarging(width, 1)

    def forward(self, pictures: Tensor, flow: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Pictures with mask (B,C,H,W) and flow (B,4,H,W) in pixels to corrections (B,4,H,W) and (B,1,H,W)."""
        features = self.conv0(torch.cat([_scale(pictures, 1 / scale), _scale(flow, 1 / scale) / scale], dim=1))
        for block in (self.convblock0, self.convblock1, self.convblock2, self.convblock3):
            features = features + block(features)
        return _scale(self.conv1(features), scale) * scale, _scale(self.conv2(features), scale)


class FlowNet(nn.Module):
    """Three blocks from coarse to fine; each gets the frames in both orders, so the result is symmetric."""

    def __init__(self) -> None:
        super().__init__()
        self.block0, self.block1, self.block2 = (FlowBlock(7 + 4, WIDTH) for _ in range(3))
        self.block_tea = FlowBlock(10 + 4, WIDTH)  # the training's teacher: in the released file, but not used here

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The frame halfway between two (B,3,H,W) in 0..1; sides divisible by `MULTIPLE`."""
        flow, mask = torch.zeros_like(first[:, :1]).expand(-1, 4, -1, -1), torch.zeros_like(first[:, :1])
        a, b = first, second
        for block, scale in zip((self.block0, self.block1, self.block2), SCALES):
            forth, forth_mask = block(torch.cat([a, b, mask], dim=1), flow, scale)
            back, back_mask = block(torch.cat([b, a, -mask], dim=1), _swap_order(flow), scale)
            flow = flow + (forth + _swap_order(back)) / 2
            mask = mask + (forth_mask - back_mask) / 2
            a, b = warp(first, flow[:, :2]), warp(second, flow[:, 2:])
        share = torch.sigmoid(mask)
        return a * share + b * (1 - share)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """(B,C,H,W) sampled at each pixel plus ``flow`` (B,2,H,W) in pixels, bilinear, border repeated."""
    height, width = picture.shape[-2:]
    across = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    down = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    grid = torch.stack([2 * across / max(width - 1, 1) - 1, 2 * down / max(height - 1, 1) - 1], dim=-1)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _swap_order(flow: Tensor) -> Tensor:
    """The flow with the two frames exchanged."""
    return torch.cat([flow[:, 2:], flow[:, :2]], dim=1)


def _scale(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


def _enlarging(width: int, outputs: int) -> nn.Sequential:
    half = width // 2
    return nn.Sequential(
        nn.ConvTranspose2d(width, half, 4, 2, 1), nn.PReLU(half), nn.ConvTranspose2d(half, outputs, 4, 2, 1)
    )
