"""Runs the post-processing of a clip: upscaling, interpolation, animated pictures."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from camera.path import CameraPath
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.dimensionx.method import DimensionXSettings
from pipelines.methods.dimensionx.postprocess.animation import encode_animation
from pipelines.methods.dimensionx.postprocess.interpolation import double_as_upstream, interpolate_frames
from pipelines.methods.dimensionx.postprocess.rife import FlowNet
from pipelines.methods.dimensionx.postprocess.upscaling import TIMES, Upscaler, upscale

UPSTREAM_SECONDS = 6
"""Upstream's demo plays every clip in six seconds: 98 frames at 17 per second."""


def postprocess(
    clip: Clip, settings: DimensionXSettings, *, flow_net: FlowNet | None, upscaler: Upscaler | None
) -> Generator[Progress, None, Clip]:
    """Upscale, then interpolate, then encode, as requested: upstream's order."""
    if upscaler is not None:
        made = yield from _gather("Upscaling", upscale(upscaler, clip.frames), len(clip.frames))
        height, width = made.shape[1:3]
        note = f"Real-ESRGAN enlarged every frame four times in width and height: {width} x {height}."
        clip = replace(clip, frames=made, path=clip.path.resized(width, height), notes=(*clip.notes, note))
    if flow_net is not None:
        clip = yield from _interpolate(clip, settings, flow_net)
    if settings.also != "mp4 only":
        yield Progress(f"Saving as {settings.also}", 0, 1)
        small = clip.frames if upscaler is None else clip.frames[:, ::TIMES, ::TIMES]
        files = {**clip.files, f"clip.{settings.also}": encode_animation(small, clip.fps, settings.also)}  # type: ignore[arg-type]
        clip = replace(clip, files=files)
    return clip


def _interpolate(clip: Clip, settings: DimensionXSettings, network: FlowNet) -> Generator[Progress, None, Clip]:
    if settings.interpolate == "x2 as upstream":
        yield Progress("Interpolating", 0, 1)
        with torch.no_grad():
            device = next(network.parameters()).device
            given = torch.from_numpy(clip.frames).to(device).permute(0, 3, 1, 2).float() / 255
            frames = (double_as_upstream(network, given).clamp(0, 1) * 255).to(torch.uint8)
        made = frames.permute(0, 2, 3, 1).cpu().numpy()
        fps = float(math.ceil((len(made) - 1) / UPSTREAM_SECONDS))
    else:
        times = int(settings.interpolate[1:])
        made = yield from _gather(
            "Interpolating", interpolate_frames(network, clip.frames, times=times), len(clip.frames)
        )
        fps = clip.fps * times
    path: CameraPath = clip.path.resampled(len(made)).with_fps(fps)
    note = f"RIFE interpolated {len(clip.frames)} frames to {len(made)}; they play at {fps:g} per second."
    return replace(clip, frames=made, fps=fps, path=path, notes=(*clip.notes, note))


def _gather(phase: str, pieces: Iterable[Frames], count: int) -> Generator[Progress, None, Frames]:
    made = []
    for number, piece in enumerate(pieces, 1):
        made.append(piece)
        yield Progress(phase, number, count)
    return cast(Frames, np.concatenate(made))
