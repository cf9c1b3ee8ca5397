"""How much time and memory a run needs, computed from the network's shape; nothing here was measured."""

from __future__ import annotations

from camera.path import CameraPath
from pipelines.method import Estimate

WIDTH, FEED_FORWARD, BLOCKS, CONTEXT = 1536, 8960, 60, 512 + 257
"""Channels, feed-forward channels, blocks of both branches together, text and picture tokens."""

WEIGHTS_GIGABYTES = {"transformer": 6.51, "text encoder": 11.36, "image encoder": 1.27, "vae": 0.26}
"""bfloat16; parameter counts 3.253, 5.681, 0.632 and 0.127 billion."""

_TEXT_EMBEDDING_GIGABYTES = 2.1
"""Largest single layer: 256384 x 4096 bfloat16 embedding of the text encoder."""

_A100_FLOPS, _UTILISATION = 312e12, 0.4


def tokens(path: CameraPath) -> int:
    """Tokens of one branch: a latent frame for every four frames, a token for every 16x16 pixels."""
    return ((len(path) - 1) // 4 + 1) * (path.height // 16) * (path.width // 16)


def denoising_flops(count: int, steps: int) -> float:
    """Floating-point operations of ``steps`` guided steps over ``count`` tokens per branch (two passes each)."""
    linear = 12 * WIDTH**2 + 4 * WIDTH * FEED_FORWARD
    attention = 4 * WIDTH * (count + CONTEXT)
    return (linear + attention) * count * BLOCKS * 2 * steps


def estimate(path: CameraPath, steps: int, tiled: bool) -> Estimate:
    """Seconds on an A100 and peak gigabytes per memory mode."""
    flops = denoising_flops(tokens(path), steps)
    denoising = _denoising_gigabytes(path)
    decoding = _decoding_gigabytes(path, tiled)
    weights = WEIGHTS_GIGABYTES
    gigabytes = {
        "full": sum(weights.values()) + max(denoising, decoding),
        "model offload": max(
            weights["text encoder"] + 0.2, weights["transformer"] + denoising, weights["vae"] + decoding
        ),
        "group offload": max(_TEXT_EMBEDDING_GIGABYTES + 0.3, denoising + 0.6, weights["vae"] + decoding),
    }
    basis = (
        f"Computed, not measured: {flops / 1e15:.1f} PFLOP at {_UTILISATION:.0%} of an A100's bfloat16 peak, and weights plus "
        "activations counted from the layer sizes; the authors name about 20 GB for 61 frames of 720x480."
    )
    return Estimate(flops / (_A100_FLOPS * _UTILISATION), {mode: round(g, 1) for mode, g in gigabytes.items()}, basis)


def _denoising_gigabytes(path: CameraPath) -> float:
    """Feed-forward layer of one block (the widest moment), the other branch's tokens, and the packed rays."""
    per_token = 2 * 2 * FEED_FORWARD + (2 + 2 + 4 + 2) * WIDTH
    rays = 24 * ((len(path) - 1) // 4 + 1) * path.height * path.width * 2
    return (tokens(path) * per_token + 2 * rays) / 1e9


def _decoding_gigabytes(path: CameraPath, tiled: bool) -> float:
    """About forty full-size feature maps of 96 channels in bfloat16, of one tile or of the whole frame."""
    height, width = (min(path.height, 240), min(path.width, 416)) if tiled else (path.height, path.width)
    return height * width * 96 * 2 * 40 / 1e9
