"""LPIPS (Zhang et al. 2018): the perceptual distance between two pictures; 0 for identical pictures.

The network is AlexNet (Krizhevsky 2014, one tower) or VGG-16 (Simonyan and Zisserman 2015) up to its last rectified layer, in
the layout of torchvision's weights; torchvision itself is not needed. Five layers are compared: features are normalised to
unit length per pixel, squared differences weighted by channel, averaged over the picture and summed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from camera.errors import InputError
from pipelines.weights.checkpoints import read_state

ENDINGS = (".pth", ".pt", ".bin", ".safetensors")
SHIFT, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Mean and standard deviation of photographs in -1..1 per channel, as used by the authors."""
SMALLEST = 31
"""Minimum side in pixels for AlexNet's five layers."""
_BACKBONE = re.compile(r"(?:net\.slice\d\.|features\.)(\d+)\.(weight|bias)")
_HEAD = re.compile(r"lin(\d)\.model\.1\.weight")


@dataclass(frozen=True)
class Stack:
    """A network's layers by their index in the weights: ``convolutions`` (index, stride, padding), ``pools`` (index, side), and
    the indices of the convolutions whose rectified outputs are compared."""

    convolutions: tuple[tuple[int, int, int], ...]
    pools: tuple[tuple[int, int], ...]
    compared: tuple[int, ...]


ALEXNET = Stack(((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)), ((2, 3), (5, 3)), (0, 3, 6, 8, 10))
VGG16 = Stack(
    tuple((number, 1, 1) for number in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
    ((4, 2), (9, 2), (16, 2), (23, 2)),
    (2, 7, 14, 21, 28),
)
STACKS = {11: ("AlexNet", ALEXNET), 3: ("VGG-16", VGG16)}
"""Networks by the side of the first layer's filters."""


@dataclass(frozen=True, eq=False)
class Lpips:
    """``network``: its name. ``layers``: weight and bias by index. ``heads``: five rows of channel weights (C,)."""

    network: str
    stack: Stack
    layers: dict[int, tuple[Tensor, Tensor]]
    heads: tuple[Tensor, ...]

    def distance(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
        """Distance between two pictures (H,W,3) of the same size; raises `InputError` for other sizes and for sides below 31 pixels."""
        if first.shape != second.shape or min(first.shape[:2]) < SMALLEST:
            raise InputError(
                f"LPIPS compares pictures of one size and {SMALLEST} pixels a side or more; got {first.shape[:2]} and {second.shape[:2]}."
            )
        with torch.inference_mode():
            features = self.features(torch.stack([_normalise(first), _normalise(second)]))
            parts = [
                (head[:, None, None] * (a - b) ** 2).sum(dim=0).mean() for (a, b), head in zip(features, self.heads)
            ]
        return float(torch.stack(parts).sum())

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Features (B,C,h,w) of the compared layers for pictures (B,3,H,W), normalised to unit length over C."""
        found, pools = [], dict(self.stack.pools)
        strides = {number: (stride, padding) for number, stride, padding in self.stack.convolutions}
        for number in sorted({*strides, *pools}):
            if number in pools:
                pictures = F.max_pool2d(pictures, pools[number], 2)
                continue
            stride, padding = strides[number]
            pictures = F.relu(F.conv2d(pictures, *self.layers[number], stride=stride, padding=padding))
            if number in self.stack.compared:
                found.append(pictures / (pictures.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found


def read_lpips(where: Path) -> Lpips:
    """Read a file, or a folder of files: torchvision's AlexNet or VGG-16 and the linear heads of the package lpips, or both as
    one state dict of that package. Raises `InputError` if something is missing."""
    return lpips_of(read_state(_find_files(where)), where.name)


def lpips_of(state: dict[str, Tensor], name: str = "the weights") -> Lpips:
    """Build the network from named tensors."""
    values = {
        (int(found[1]), found[2]): tensor.float()
        for key, tensor in state.items()
        if (found := _BACKBONE.fullmatch(key))
    }
    heads = {int(found[1]): tensor.float().ravel() for key, tensor in state.items() if (found := _HEAD.fullmatch(key))}
    first = values.get((0, "weight"))
    if first is None or first.shape[-1] not in STACKS:
        raise InputError(
            f"{name} contains no AlexNet or VGG-16; use torchvision's weights, with the heads of the package lpips (alex.pth, vgg.pth) beside them."
        )
    network, stack = STACKS[first.shape[-1]]
    layers = {
        number: (_parameter(values, number, "weight", network, name), _parameter(values, number, "bias", network, name))
        for number, _, _ in stack.convolutions
    }
    wanted = [layers[number][0].shape[0] for number in stack.compared]
    if [len(heads.get(i, ())) for i in range(5)] != wanted:
        raise InputError(
            f"{name} contains no heads for {network}; put those of the package lpips ({'alex' if network == 'AlexNet' else 'vgg'}.pth) beside the network."
        )
    return Lpips(network, stack, layers, tuple(heads[i] for i in range(5)))


def _parameter(values: dict[tuple[int, str], Tensor], number: int, part: str, network: str, name: str) -> Tensor:
    if (number, part) not in values:
        raise InputError(f"{name} lacks {part} of layer {number} of {network}; download it again.")
    return values[number, part]


def _find_files(where: Path) -> Iterable[Path]:
    if where.is_file():
        return [where]
    found = sorted(file for file in where.glob("*") if file.suffix in ENDINGS) if where.is_dir() else []
    if not found:
        raise InputError(
            f"There are no LPIPS weights in {where}; put torchvision's AlexNet or VGG-16 and the heads of the package lpips there."
        )
    return found


def _normalise(picture: NDArray[np.uint8]) -> Tensor:
    """(3,H,W): bytes scaled to -1..1, minus `SHIFT`, divided by `SPREAD`."""
    values = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 127.5 - 1
    return (values - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
