"""Time and memory of a run, scaled from published figures by the network's operation count."""

from __future__ import annotations

from camera.path import CameraPath
from pipelines.method import Estimate
from pipelines.methods.gen3c.chunks import CHUNK, latent_frames

PARAMETERS = 7_237_257_216
WIDTH, BLOCKS, FEED_FORWARD = 4096, 28, 16384
WEIGHTS_GIGABYTES = {"transformer": 14.5, "text encoder": 9.7, "vae": 0.2}
"""In bfloat16: 7.24, about 4.86 and 0.106 billion parameters."""
GUARDRAIL_GIGABYTES = 18.0
"""In bfloat16, if the checker is installed: Llama Guard 3 (8 billion parameters), SigLIP (0.9) and a face detector."""

PUBLISHED_SECONDS, PUBLISHED_STEPS, PUBLISHED_TOKENS = 900.0, 35, 16 * 44 * 80
"""About 15 minutes for 121 frames of 1280 x 704 on one A100 (a user's report in upstream's issues)."""

_WIDEST_BLOCK_BYTES = 24 * WIDTH
"""Per token: normed input, q, k, v and the rotated pair in float32."""

_VAE_MAPS, _VAE_CHANNELS = 10, 256
"""Simultaneous feature maps at a quarter of the resolution, and their channels, in bfloat16."""


def tokens(frames: int, width: int, height: int) -> int:
    """Number of tokens of one chunk: one latent frame per eight frames, one token per 16 x 16 pixels."""
    return latent_frames(frames) * (height // 16) * (width // 16)


def forward_flops(count: int) -> float:
    """Floating-point operations of one pass over ``count`` tokens."""
    return 2.0 * PARAMETERS * count + 4.0 * WIDTH * BLOCKS * count**2


def estimate(
    path: CameraPath, *, steps: int, guided: bool, chunk: int, text: bool = True, checked: bool = False
) -> Estimate:
    """Seconds on an A100 and peak gigabytes per memory mode; ``checked``: includes the guardrail's networks."""
    length = min(len(path), chunk)
    count = tokens(length, path.width, path.height)
    passes = steps * (2 if guided else 1) * max(1, (len(path) - 1) // max(length - 1, 1))
    published = forward_flops(PUBLISHED_TOKENS) * PUBLISHED_STEPS * 2
    seconds = PUBLISHED_SECONDS * forward_flops(count) * passes / published
    denoising = count * _WIDEST_BLOCK_BYTES / 1e9
    coding = _coding_gigabytes(length, path.width, path.height)
    weights = WEIGHTS_GIGABYTES if text else {**WEIGHTS_GIGABYTES, "text encoder": 0.0}
    resident = sum(weights.values()) + (GUARDRAIL_GIGABYTES if checked else 0.0)
    gigabytes = {
        "full": resident + max(denoising, coding),
        "fp8": resident / 2 + max(denoising, coding),
        "model offload": max(
            weights["text encoder"] + 0.3, weights["transformer"] + denoising, weights["vae"] + coding
        ),
        "group offload": max(1.5, 1.1 + denoising, weights["vae"] + coding),
    }
    basis = (
        f"Seconds: the published 15 minutes for {CHUNK} frames of 1280 x 704 on an A100, scaled by the network's operation count. "
        "Memory: computed from layer sizes, not measured; published figures are about 43 GB with everything offloaded to disk "
        "and about 60 GB without."
    )
    return Estimate(seconds, {mode: round(value, 1) for mode, value in gigabytes.items()}, basis)


def _coding_gigabytes(frames: int, width: int, height: int) -> float:
    return _VAE_MAPS * _VAE_CHANNELS * 2 * (frames + 3) / 4 * (height / 4) * (width / 4) / 1e9
