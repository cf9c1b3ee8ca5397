"""Estimates of time and memory of a run, computed from the networks' sizes, not measured."""

from __future__ import annotations

from itertools import pairwise

from camera.path import CameraPath
from pipelines.method import Estimate

_KEYFRAME_SIDE, _VIDEO_SIDE = 7.6, 4.4
"""Gigabytes in half precision of the networks used in one denoising step: SDXL 5.1 with its ControlNet 2.5, SVD 3.05 with its 1.36."""
_OTHERS = 3.5
"""Gigabytes of text encoders (1.6), image encoder (1.3) and VAEs (0.5)."""

_FULL_SIZE = 1024 * 576
_KEYFRAME_TERAFLOPS = 3.64 + 1.63
"""One row of SDXL and its ControlNet at 1024x576, counted on the full-size networks, without the extended attention."""
_VIDEO_TERAFLOPS_PER_FRAME, _DEPTH_SHARE = 3.20 + 1.21, 1.21 / 4.41
"""One frame of one row of SVD and its ControlNet at 1024x576, counted in the same way with 16 frames."""
_SDXL_ROW_GIGABYTES, _SVD_FRAME_GIGABYTES, _DECODED_FRAME_GIGABYTES = 0.35, 0.16, 1.5
"""Memory beside the weights at 1024x576: per row of SDXL, per frame and row of SVD, per frame decoded at once; assumed."""
_A100_TERAFLOPS_PER_SECOND = 312 * 0.4


def estimate(
    path: CameraPath,
    keyframes: list[int],
    *,
    steps: int,
    video_steps: int,
    together: int,
    use_depth: bool,
    stages: int,
    decode_together: int,
) -> Estimate:
    """Seconds on an A100 and peak gigabytes per memory mode; ``stages``: 0 renders only, 1 keyframes too, 2 the video too."""
    area = path.width * path.height / _FULL_SIZE
    keyframe_rows = 4 * steps * len(keyframes) if stages >= 1 else 0
    lengths = [b - a + 1 for a, b in pairwise(keyframes)] if stages >= 2 else []
    video_rows = 8 * video_steps * sum(lengths)
    teraflops = area * (
        keyframe_rows * _KEYFRAME_TERAFLOPS
        + video_rows * _VIDEO_TERAFLOPS_PER_FRAME * (1 if use_depth else 1 - _DEPTH_SHARE)
    )  # fmt: skip
    rows = 3 * min(together, len(keyframes))
    keyframe_work = area * rows * _SDXL_ROW_GIGABYTES if stages >= 1 else 0.0
    video_work = area * max(
        3 * max(lengths, default=0) * _SVD_FRAME_GIGABYTES, decode_together * _DECODED_FRAME_GIGABYTES
    )
    video_work = video_work if lengths else 0.0
    work = max(keyframe_work, video_work) + 0.5
    gigabytes = {
        "full": _KEYFRAME_SIDE + _VIDEO_SIDE + _OTHERS + work,
        "fp8": (_KEYFRAME_SIDE + _VIDEO_SIDE + _OTHERS) / 2 + 0.4 + work,
        "model offload": max(_KEYFRAME_SIDE + keyframe_work, _VIDEO_SIDE + video_work) + 0.5,
        "group offload": 0.8 + work,
    }
    basis = (
        f"Computed, not measured: about {teraflops / 1e3:.1f} PFLOP at 40 % of an A100's half-precision peak; weights, and "
        "assumed sizes of activations. The authors publish no figures."
    )
    return Estimate(
        teraflops / _A100_TERAFLOPS_PER_SECOND, {mode: round(need, 1) for mode, need in gigabytes.items()}, basis
    )
