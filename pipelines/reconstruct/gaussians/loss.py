"""Losses between a render of splats and its frame: L1 and structural similarity, weighted by confidence, and LPIPS.

``(1 - SSIM_SHARE) L1 + SSIM_SHARE (1 - SSIM)`` of 3DGS, with DimensionX's confidence weights w: L1 is the mean of
|(I - G) w|; the moments of SSIM are of I w and I^2 w. LPIPS is not weighted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from camera.errors import InputError
from pipelines.media.image_metrics import ssim

SSIM_SHARE = 0.2

Weighting = Literal["linear", "upstream"]
"""How a log-confidence becomes a weight: "linear" from 0 at its minimum to 1 at its maximum; "upstream" as in DimensionX's
code, which saves the map as a picture in false colours and reads its red channel: not monotonic."""


def photometric(render: Tensor, frame: Tensor, weight: Tensor | None = None) -> Tensor:
    """The loss, a scalar; pictures (3,H,W) in 0..1, ``weight`` (H,W) in 0..1 or None for 1 everywhere.

    Compiled on a CPU if only ``render`` needs a gradient.
    """
    given = (render, frame) if weight is None else (render, frame, weight)
    plain = not any(each.requires_grad for each in given[1:])
    if plain and all(each.device.type == "cpu" and each.dtype == torch.float32 for each in given):
        from pipelines.reconstruct.gaussians import fast_loss

        return fast_loss.photometric(render, frame, weight, SSIM_SHARE)
    return photometric_reference(render, frame, weight)


def photometric_reference(render: Tensor, frame: Tensor, weight: Tensor | None = None) -> Tensor:
    """`photometric` in torch."""
    return (1 - SSIM_SHARE) * l1(render, frame, weight) + SSIM_SHARE * (1 - ssim(render, frame, weight))


def l1(render: Tensor, frame: Tensor, weight: Tensor | None = None) -> Tensor:
    difference = (render - frame).abs()
    return (difference if weight is None else difference * weight).mean()


def weights_of(log_confidence: Tensor, weighting: Weighting = "linear") -> Tensor:
    """Weights (H,W) in 0..1 from a map of log-confidence (H,W)."""
    low, high = log_confidence.min(), log_confidence.max()
    share = (log_confidence - low) / (high - low).clamp(min=1e-12)
    if weighting == "linear":
        return share
    red = torch.tensor(bytearray.fromhex(_VIRIDIS_RED), dtype=torch.uint8, device=share.device)
    return red[(share * 256).long().clamp(max=255)].to(share.dtype) / 255


@lru_cache(maxsize=2)
def perceptual(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    """LPIPS with VGG of two pictures (3,H,W) in 0..1; not rescaled to -1..1, as in upstream.

    Raises `InputError` if the optional package or its weights are missing.
    """
    try:
        import lpips  # type: ignore[import-not-found]

        network = lpips.LPIPS(net="vgg", verbose=False).to(device)
    except (ImportError, OSError) as error:
        raise InputError(
            "LPIPS needs the package lpips with its VGG weights, which are not installed; install it or set its weight to 0."
        ) from error
    network.requires_grad_(False)
    return lambda render, frame: network(render[None], frame[None]).mean()


_VIRIDIS_RED = (
    "4444444545454646464647474747474747484848484848484848474747474747474646464645454545444443434342424241"
    "4140403f3f3e3e3d3d3d3c3c3b3b3a3a3939383837373636353534343333323231313130302f2f2e2e2e2d2d2c2c2c2b2b2a"
    "2a2a292928282827272726262625252424242323232222222121212020201f1f1f1f1f1e1e1e1e1e1e1e1e1e1e1e1f1f1f20"
    "2021212223232425262728292a2b2c2e2f303233353638393b3d3e4042444547494b4d4f51535557595b5e60626467696b6d"
    "70727477797c7e818386888b8d909295979a9d9fa2a5a7aaadafb2b5b7babdbfc2c5c7cacdcfd2d4d7dadcdfe1e4e7e9ecee"
    "f1f3f6f8fafd"
)
"""The red channel of matplotlib's viridis, 256 bytes."""
