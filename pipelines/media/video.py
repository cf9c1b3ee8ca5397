"""Video files in and out through PyAV, whose wheel carries its own FFmpeg and is imported on first use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from pipelines.media import containers
from pipelines.media.budget import BUDGET

Speed = Literal["preview", "result"]
_X264 = {
    "preview": {"preset": "ultrafast", "qp": "20"},  # one quantiser for all: nothing to look ahead for
    # Without B frames a tenth larger and a fifth quicker; motion to half a pixel without a second look, once more the same.
    "result": {"preset": "veryfast", "crf": "18", "bf": "0", "subq": "1"},
}
_BT709, _LIMITED = 1, 1
"""Codes of ITU-T H.273: untagged colours are guessed by every player in its own way."""
MAX_SIDE = 4096
MAX_PIXELS = BUDGET.clip_megapixels * 1_000_000
"""Frames x width x height that `read_video` decodes at most: 3 GiB of RGB."""


@contextmanager
def complete(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its name only when the block ends without an error."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_mp4(
    path: str | os.PathLike,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    *,
    metadata: dict[str, str] | None = None,
    speed: Speed = "result",
) -> Path:
    """Write RGB frames (H,W,3) as an H.264 mp4 that every browser plays; returns ``path``.

    Frames may come from a generator; nothing is kept. See `mp4_writer`.
    """
    with mp4_writer(path, fps, metadata=metadata, speed=speed) as write:
        for frame in frames:
            write(frame)
    return Path(path)


@contextmanager
def mp4_writer(
    path: str | os.PathLike, fps: float, *, metadata: dict[str, str] | None = None, speed: Speed = "result"
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Gives a function that appends one RGB frame (H,W,3) uint8; the first decides the size.

    An odd width or height loses its last column or row, as 4:2:0 video has even sizes. The file appears under its name
    when the block ends without an error, and only then; a block that wrote no frame raises `InputError`.
    """
    import av

    from pipelines.media.yuv import fill_planes

    with complete(path) as part, av.open(str(part), "w", format="mp4", options=_FLAGS) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=_X264[speed])
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.thread_count = os.cpu_count() or 1
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED
        size: list[int] = []

        def write(frame: NDArray[np.uint8]) -> None:
            if not size:
                size.extend(side - side % 2 for side in frame.shape[:2])
                stream.height, stream.width = size
            pixels = np.ascontiguousarray(frame[: size[0], : size[1]])
            if pixels.shape != (*size, 3) or pixels.dtype != np.uint8:
                raise InputError(
                    f"A frame of {pixels.shape} and {pixels.dtype} does not fit a video of {size[1]} x {size[0]}; "
                    "give RGB frames of 8 bits, all of one size."
                )
            picture = av.VideoFrame(size[1], size[0], "yuv420p")
            fill_planes(
                pixels,
                *(np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1) for plane in picture.planes),
            )
            container.mux(stream.encode(picture))

        yield write
        if not size:
            raise InputError("There are no frames to write as a video.")
        container.mux(stream.encode())


_FLAGS = {"movflags": "+faststart+use_metadata_tags"}


@dataclass(frozen=True)
class VideoFacts:
    """What the container says: the stored size, before phones' turn; may be an estimate for ``frames``."""

    width: int
    height: int
    fps: float
    frames: int
    metadata: dict[str, str]


def probe(path: str | os.PathLike) -> VideoFacts:
    """Size, rate, length and metadata without decoding; raises `InputError` for what is not a video."""
    with _opened(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 24)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        count = stream.frames or round(seconds * fps)
        return VideoFacts(stream.width, stream.height, fps, count, dict(container.metadata))


def read_video(path: str | os.PathLike, *, max_frames: int = 1000) -> tuple[NDArray[np.uint8], float]:
    """Decode up to ``max_frames`` RGB frames, upright as players show them: ((F,H,W,3) uint8, frames per second).

    Raises `InputError` for a file that is no video, holds no frame, or is larger than `MAX_SIDE` or `MAX_PIXELS`.
    """
    with _opened(path) as (container, stream):
        if max(stream.width, stream.height) > MAX_SIDE:
            raise InputError(
                f"The video is {stream.width} x {stream.height}; scale it down to at most {MAX_SIDE} pixels a side."
            )
        stream.thread_type = "AUTO"
        limit = max(1, MAX_PIXELS // max(1, stream.width * stream.height))
        with reading("The video breaks off or is damaged; export it again as an H.264 mp4."):
            images = islice(container.decode(stream), min(max_frames, limit))
            frames = [_upright(_pixels(frame), frame.rotation) for frame in images]
        fps = float(stream.average_rate or 24)
    if not frames:
        raise InputError("The video holds no frame; export it again as an H.264 mp4.")
    if max_frames > limit == len(frames):
        raise InputError(f"The video is too long for its size; cut it to {limit} frames or scale it down.")
    return np.stack(frames), fps


def _pixels(frame: Any) -> NDArray[np.uint8]:
    """(H,W,3), unless a frame is larger than the container said."""
    if max(frame.width, frame.height) > MAX_SIDE:
        raise InputError(f"The video has frames larger than {MAX_SIDE} pixels a side; export it again as an H.264 mp4.")
    return frame.to_ndarray(format="rgb24")


@contextmanager
def frames_of(
    path: str | os.PathLike, *, max_frames: int = 1000
) -> Iterator[tuple[Iterator[NDArray[np.uint8]], float]]:
    """Up to ``max_frames`` upright RGB frames (H,W,3), decoded one by one as they are asked for, and frames per second.

    Raises `InputError` for a file that is no video, has a side above `MAX_SIDE`, or breaks off.
    """
    with _opened(path) as (container, stream):
        if max(stream.width, stream.height) > MAX_SIDE:
            raise InputError(
                f"The video is {stream.width} x {stream.height}; scale it down to at most {MAX_SIDE} pixels a side."
            )
        stream.thread_type = "AUTO"

        def images() -> Iterator[NDArray[np.uint8]]:
            with reading("The video breaks off or is damaged; export it again as an H.264 mp4."):
                for frame in islice(container.decode(stream), max_frames):
                    yield _upright(_pixels(frame), frame.rotation)

        yield images(), float(stream.average_rate or 24)


def count_frames(path: str | os.PathLike) -> int:
    """How many pictures a video holds, by its packets: nothing is decoded."""
    with _opened(path) as (container, stream):
        return sum(1 for packet in container.demux(stream) if packet.size)


def _upright(picture: NDArray[np.uint8], rotation: int) -> NDArray[np.uint8]:
    """``picture`` (H,W,3) turned by ``rotation``, the container's degrees counterclockwise, to the nearest quarter."""
    return np.rot90(picture, round(rotation / 90))


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[tuple]:

    with ExitStack() as open_files:
        with reading(f"{Path(path).name} cannot be read as a video; give an mp4, mov or webm file."):
            container = open_files.enter_context(containers.opened(path, "video"))
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise InputError(f"{Path(path).name} holds no picture track; give an mp4, mov or webm file.")
        yield container, container.streams.video[0]
