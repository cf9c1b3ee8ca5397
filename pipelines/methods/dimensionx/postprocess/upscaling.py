"""Four times larger frames with Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833), in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from camera.errors import InputError
from pipelines.method import Frames
from pipelines.methods.dimensionx.method import checkpoint
from pipelines.weights.checkpoints import fill_randomly, load_strict
from pipelines.weights.hub import Weights

TIMES = 4
TILE, OVERLAP = 512, 32
_RESIDUAL, _SLOPE = 0.2, 0.2


class DenseBlock(nn.Module):
    """Five densely connected convolutions."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (
            nn.Conv2d(width + k * growth, growth, 3, 1, 1) for k in range(4)
        )
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,width,H,W) to the same shape."""
        features = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = torch.cat([features, F.leaky_relu(conv(features), _SLOPE)], dim=1)
        return x + _RESIDUAL * self.conv5(features)


class ResidualDenseBlocks(nn.Module):
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + _RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class Upscaler(nn.Module):
    """(B,3,H,W) in 0..1 to (B,3,4H,4W)."""

    def __init__(self, width: int = 64, growth: int = 32, blocks: int = 23) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, width, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualDenseBlocks(width, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (
            nn.Conv2d(width, width, 3, 1, 1) for _ in range(4)
        )
        self.conv_last = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.conv_first(picture)
        x = x + self.conv_body(self.body(x))
        for enlarge in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(enlarge(F.interpolate(x, scale_factor=2, mode="nearest")), _SLOPE)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), _SLOPE))


def load_upscaler(weights: Weights) -> Upscaler:
    """The released network; for tiny weights two blocks of random numbers, for random weights a full-size one."""

    def load() -> Upscaler:
        if weights.mode != "real":
            network = Upscaler(8, 4, 2) if weights.mode == "tiny" else Upscaler()
            return fill_randomly(network, seed=weights.seed, dtype=weights.dtype)
        released = checkpoint("upscaler")
        network = Upscaler()
        state = _state(weights.files(released)["RealESRGAN_x4.pth"])
        load_strict(network, state, source=released.repo, dtype=weights.dtype)
        return network

    return weights.shared(("Upscaler", checkpoint("upscaler").repo), load)


@torch.no_grad()
def upscale(network: Upscaler, frames: Frames) -> Iterator[Frames]:
    """(F,H,W,3) uint8, one frame (1,4H,4W,3) at a time."""
    weight = network.conv_first.weight
    for frame in frames:
        picture = torch.from_numpy(np.array(frame)).to(weight.device).permute(2, 0, 1)[None].to(weight.dtype) / 255
        large = in_tiles(network, picture, tile=TILE, overlap=OVERLAP, times=TIMES)
        yield (large.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def in_tiles(enlarge: Callable[[Tensor], Tensor], picture: Tensor, *, tile: int, overlap: int, times: int) -> Tensor:
    """(B,C,H,W) to (B,C,H*times,W*times), tile by tile, with blended overlaps."""
    height, width = picture.shape[-2:]
    total = torch.zeros(*picture.shape[:2], height * times, width * times, device=picture.device)
    weight = torch.zeros(1, 1, height * times, width * times, device=picture.device)
    for top in _starts(height, tile, overlap):
        for left in _starts(width, tile, overlap):
            made = enlarge(picture[..., top : top + tile, left : left + tile]).float()
            fade = _fade(made.shape[-2], overlap * times)[:, None] * _fade(made.shape[-1], overlap * times)
            fade = fade.to(picture.device)
            window = np.s_[
                ..., top * times : top * times + made.shape[-2], left * times : left * times + made.shape[-1]
            ]
            total[window] += made * fade
            weight[window] += fade
    return (total / weight).to(picture.dtype)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Start positions of tiles; the last tile is at least as long as the overlap."""
    return [max(0, min(length - overlap, start)) for start in range(0, length, tile - overlap)]


def _fade(length: int, ramp: int) -> Tensor:
    """(length,): rises in ``ramp`` equal steps from both ends."""
    rise = torch.arange(1, length + 1).clamp(max=ramp) / ramp
    return rise * rise.flip(0)


def _state(path: str) -> dict[str, Tensor]:
    """The weights: under ``params_ema`` in files saved by training, without prefix in exported files."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError("The upscaler's weights are damaged or not weights at all; download them again.") from error
    for name in ("params_ema", "params"):
        stored = stored.get(name, stored)
    return stored
