"""Estimates of time and memory of a run, computed from the network's shape, not measured."""

from __future__ import annotations

from camera.path import CameraPath
from pipelines.method import Estimate

WIDTH, FEED_FORWARD, BLOCKS, CONTEXT = 1536, 8960, 60, 512 + 257
"""Channels, feed-forward channels, blocks of both branches together, text and image tokens."""

WEIGHTS = {"transformer": 6.51, "text encoder": 11.36, "image encoder": 1.27, "vae": 0.26}
"""Gigabytes in bfloat16; parameter counts 3.253, 5.681, 0.632 and 0.127 billion."""

_TEXT_EMBEDDING = 2.1
"""Gigabytes of the largest layer, which is never stored in fp8: 256384 x 4096 numbers of the text encoder."""

BYTES_PER_TOKEN = 87_000
"""Peak bytes of one pass beside the weights in bfloat16, per token of a branch, including rays."""
TILE_GIGABYTES = 1.1
"""Peak gigabytes beside the weights for decoding one tile of 240x416 pixels in bfloat16."""

_WORKSPACE = 0.5
"""Gigabytes used by GPU libraries; assumed."""

_A100_FLOPS, _UTILISATION = 312e12, 0.4


def tokens(path: CameraPath) -> int:
    """Number of tokens of one branch: one latent frame for every four frames, one token for every 16x16 pixels."""
    return ((len(path) - 1) // 4 + 1) * (path.height // 16) * (path.width // 16)


def denoising_flops(count: int, steps: int) -> float:
    """Floating-point operations of ``steps`` guided steps over ``count`` tokens per branch (two passes each)."""
    linear = 12 * WIDTH**2 + 4 * WIDTH * FEED_FORWARD
    attention = 4 * WIDTH * (count + CONTEXT)
    return (linear + attention) * count * BLOCKS * 2 * steps


def estimate(path: CameraPath, steps: int) -> Estimate:
    """Seconds on an A100 and peak gigabytes per memory mode."""
    flops = denoising_flops(tokens(path), steps)
    working = max(tokens(path) * BYTES_PER_TOKEN / 1e9, TILE_GIGABYTES) + _WORKSPACE
    text, others = WEIGHTS["text encoder"], sum(WEIGHTS.values()) - WEIGHTS["text encoder"]
    gigabytes = {
        "full": text + others + working,
        "fp8": _TEXT_EMBEDDING + (text - _TEXT_EMBEDDING + others) / 2 + 0.4 + working,
        "model offload": max(text + 0.1 + _WORKSPACE, WEIGHTS["transformer"] + WEIGHTS["vae"] + working),
        "group offload": max(_TEXT_EMBEDDING, working) + WEIGHTS["vae"] + 0.4,
    }
    basis = (
        f"Computed, not measured: {flops / 1e15:.1f} PFLOP at {_UTILISATION:.0%} of an A100's bfloat16 peak; weights, and the "
        "tensors in memory at the peak of a pass; the authors state about 20 GB for 61 frames of 720x480."
    )
    return Estimate(flops / (_A100_FLOPS * _UTILISATION), {mode: round(g, 1) for mode, g in gigabytes.items()}, basis)
