"""Extends videos without re-encoding: the packets of the earlier video are copied."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.media.containers import open_container
from pipelines.media.video import write_mp4

_AS_WRITTEN = {"movflags": "+faststart+use_metadata_tags"}
"""Mp4 options: playable before it is completely loaded; metadata under any name."""


@dataclass(frozen=True)
class VideoPrefix:
    """The first ``frames`` pictures of ``video``, an mp4 written by `pipelines.media.video.write_mp4`."""

    video: Path
    frames: int


def write_continuation(
    path: Path, frames: NDArray[np.uint8], fps: float, *, metadata: dict[str, str], begun: VideoPrefix | None = None
) -> Path:
    """Like `write_mp4` of ``frames`` (F,H,W,3), but the pictures in ``begun`` are copied from there.

    If they cannot be copied (another size, rate or encoder, pictures out of order, a missing file), all are encoded.
    """
    if begun is None or not begun.video.is_file():
        return write_mp4(path, frames, fps, metadata=metadata)
    rest = path.with_name(f".part-rest-{path.name}")
    try:
        parts = [begun]
        if len(frames) > begun.frames:
            parts.append(VideoPrefix(write_mp4(rest, frames[begun.frames :], fps), len(frames) - begun.frames))
        copied = _join(path, parts, frames.shape[1:3], metadata)
    finally:
        rest.unlink(missing_ok=True)
    return path if copied else write_mp4(path, frames, fps, metadata=metadata)


def _join(path: Path, parts: list[VideoPrefix], size: tuple[int, ...], metadata: dict[str, str]) -> bool:
    """Write the packets of ``parts`` one after another; returns False and writes nothing if they do not fit together."""
    import av
    from av.error import FFmpegError

    try:
        with ExitStack() as sources:
            streams = [sources.enter_context(open_container(part.video)).streams.video[0] for part in parts]
            first = streams[0]
            if (first.height, first.width) != tuple(side - side % 2 for side in size):
                return False
            found = [_packets(stream, part.frames) for stream, part in zip(streams, parts)]
            step = 1 / (Fraction(first.average_rate or 0) * Fraction(first.time_base or 0))
            if not all(found) or len(set(map(_kind, streams))) > 1 or step.denominator != 1:
                return False
            with av.open(str(path), "w", format="mp4", options=_AS_WRITTEN) as target:
                target.metadata.update(metadata)
                stream = target.add_stream_from_template(first)
                for number, packet in enumerate(packet for packets in found for packet in packets):
                    packet.stream = stream
                    packet.pts = packet.dts = number * int(step)
                    target.mux(packet)
        return True
    except (FFmpegError, OSError, ValueError, LookupError, ZeroDivisionError):
        return False


def _packets(stream: Any, count: int) -> list[Any]:
    """The first ``count`` packets; none if the stream has fewer, or stores them in another order than it shows them."""
    packets = list(islice((packet for packet in stream.container.demux(stream) if packet.size), count))
    in_order = all(packet.pts == packet.dts for packet in packets)
    return packets if len(packets) == count and in_order and packets[0].is_keyframe else []


def _kind(stream: Any) -> tuple[Any, ...]:
    """Stream parameters that must match for one decoder to continue."""
    return stream.codec_context.name, stream.codec_context.extradata, stream.average_rate, stream.time_base
