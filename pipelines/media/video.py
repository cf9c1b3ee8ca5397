"""Reads and writes video files with PyAV, whose wheel includes FFmpeg; PyAV is imported on first use."""

from __future__ import annotations

import os
import tempfile
import warnings
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
from camera.formats import FileNote
from camera.formats.account import Account
from pipelines.media import containers
from pipelines.media.budget import BUDGET

Speed = Literal["preview", "result"]
_X264 = {
    "preview": {"preset": "ultrafast", "qp": "20"},  # constant quantiser, so no lookahead
    # Without B frames: a tenth larger and a fifth faster; half-pixel motion without a second pass: the same again.
    "result": {"preset": "veryfast", "crf": "18", "bf": "0", "subq": "1"},
}
_BT709, _LIMITED = 1, 1
"""Codes of ITU-T H.273: without these tags every player guesses the colours differently."""
BREAKS_OFF = "The video is truncated or damaged; export it again as an H.264 mp4."
MAX_SIDE = 4096
MAX_PIXELS = BUDGET.clip_megapixels * 1_000_000
"""Maximum frames x width x height that `read_video` decodes: 3 GiB of RGB."""


@contextmanager
def complete(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary sibling of ``path`` that gets its final name only if the block ends without an error."""
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

    Frames may come from a generator and are not kept in memory. See `mp4_writer`.
    """
    with mp4_writer(path, fps, metadata=metadata, speed=speed) as write:
        for frame in frames:
            write(frame)
    return Path(path)


@contextmanager
def mp4_writer(
    path: str | os.PathLike, fps: float, *, metadata: dict[str, str] | None = None, speed: Speed = "result"
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """A context that returns a function for appending one RGB frame (H,W,3) uint8; the first frame sets the size.

    An odd width or height loses its last column or row, as 4:2:0 video has even sizes. The file gets its final name only
    when the block ends without an error; a block that wrote no frame raises `InputError`.
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
                    "use RGB frames of 8 bits, all of one size."
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
    """Facts from the container: the stored size, before rotation; ``frames`` may be an estimate."""

    width: int
    height: int
    fps: float
    frames: int
    metadata: dict[str, str]


def probe(path: str | os.PathLike) -> VideoFacts:
    """Size, rate, length and metadata without decoding; raises `InputError` for files that are not videos."""
    with _open_video(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 24)
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        count = stream.frames or round(seconds * fps)
        return VideoFacts(stream.width, stream.height, fps, count, dict(container.metadata))


def read_video(
    path: str | os.PathLike, *, max_frames: int = 1000, every: bool = False, account: Account | None = None
) -> tuple[NDArray[np.uint8], float]:
    """Decode up to ``max_frames`` frames as players show them: ((F,H,W,3) uint8 sRGB, frames per second).

    Upright, mirrored and with square pixels as the file states; HDR and wide colours are converted to sRGB. With a variable frame
    rate, frames are repeated so that the duration stays the same, unless ``every`` stored frame is wanted once, for example if depth
    or cameras refer to them. Conversions are noted in ``account``, or issued as warnings `FileNote`. Raises `InputError` for a
    file that is not a video, contains no frame, or is larger than `MAX_SIDE` or `MAX_PIXELS`.
    """
    from pipelines.media.playback.frame_time import read_timing
    from pipelines.media.playback.shown_frame import FrameConverter

    own = Account(Path(path).name)
    with _open_video(path) as (container, stream):
        tracks = len(container.streams.video)
        own.left_out(tracks - 1, tracks, "picture tracks", "the first one is shown")
        if _is_transparent(stream):
            own.say(f"{own.name} is partly transparent; these parts are shown in the colours stored behind.")
        timing = read_timing(container, stream)
        timing = timing.of_every_frame() if every else timing
    with _open_video(path) as (container, stream):
        if max(stream.width, stream.height) > MAX_SIDE:
            raise InputError(
                f"The video is {stream.width} x {stream.height}; scale it down to at most {MAX_SIDE} pixels a side."
            )
        stream.thread_type = "AUTO"
        limit = max(1, MAX_PIXELS // max(1, stream.width * stream.height))
        expected = min(max_frames, timing.frames or limit)
        if expected > limit:
            raise InputError(_too_long(expected, stream.width, stream.height, limit))
        convert = FrameConverter(stream.sample_aspect_ratio, own)
        with reading(BREAKS_OFF):
            images = (convert(_check_size(frame)) for frame in container.decode(stream))
            frames = _gather(islice(timing.held(images), min(max_frames, limit)), expected)
    if frames is None:
        raise InputError("The video contains no frame; export it again as an H.264 mp4.")
    timing.say(len(frames), own)
    _pass_notes(own, account)
    return frames, timing.fps


def _is_transparent(stream: Any) -> bool:
    """Whether a stream has opacity: in its pixels, or stored separately as in WebM, where players show it over a background."""
    beside = stream.metadata.get("alpha_mode") or stream.metadata.get("ALPHA_MODE")
    pixels = stream.codec_context.format
    return beside == "1" or bool(
        pixels and any(part in pixels.name for part in ("yuva", "rgba", "bgra", "argb", "gbrap"))
    )


def _too_long(frames: int, width: int, height: int, limit: int) -> str:
    """Raise `InputError` that says which length or size would fit."""
    scale = (limit / frames) ** 0.5
    smaller = f"{int(width * scale) // 2 * 2} x {int(height * scale) // 2 * 2}"
    return (
        f"The video's {frames} frames of {width} x {height} exceed the maximum of {BUDGET.clip_megapixels:,} megapixels; "
        f"cut it to {limit} frames or scale it down to {smaller}."
    )


def _gather(images: Iterable[NDArray[np.uint8]], expected: int) -> NDArray[np.uint8] | None:
    """The frames in one array, filled as they arrive, so that each is in memory once; None if there is no frame.

    ``expected``: number of frames stated in the file; if it is too small, the array grows.
    """
    frames: NDArray[np.uint8] | None = None
    count = 0
    for image in images:
        if frames is None:
            frames = np.empty((expected, *image.shape), np.uint8)
        if count == len(frames):
            frames = np.concatenate([frames, np.empty_like(frames[: count // 2 + 1])])
        frames[count] = image
        count += 1
    return None if frames is None else frames[:count]


def _pass_notes(own: Account, account: Account | None) -> None:
    if account is not None:
        account.add(own)
        return
    for note in own.notes():
        warnings.warn(note, FileNote, stacklevel=3)


def _check_size(frame: Any) -> Any:
    """The frame; raises `InputError` if it is larger than the container stated."""
    if max(frame.width, frame.height) > MAX_SIDE:
        raise InputError(f"The video has frames larger than {MAX_SIDE} pixels a side; export it again as an H.264 mp4.")
    return frame


@contextmanager
def frames_of(
    path: str | os.PathLike, *, max_frames: int = 1000
) -> Iterator[tuple[Iterator[NDArray[np.uint8]], float]]:
    """Up to ``max_frames`` stored frames (H,W,3) as players show them, decoded lazily one by one, and their mean rate.

    Raises `InputError` for a file that is not a video, has a side above `MAX_SIDE`, or is truncated.
    """
    from pipelines.media.playback.frame_time import read_timing
    from pipelines.media.playback.shown_frame import FrameConverter

    with _open_video(path) as (container, stream):
        timing = read_timing(container, stream).of_every_frame()
    with _open_video(path) as (container, stream):
        if max(stream.width, stream.height) > MAX_SIDE:
            raise InputError(
                f"The video is {stream.width} x {stream.height}; scale it down to at most {MAX_SIDE} pixels a side."
            )
        stream.thread_type = "AUTO"
        convert = FrameConverter(stream.sample_aspect_ratio, Account(Path(path).name))

        def images() -> Iterator[NDArray[np.uint8]]:
            with reading(BREAKS_OFF):
                for frame in islice(container.decode(stream), max_frames):
                    yield convert(_check_size(frame))

        yield images(), timing.fps


def count_frames(path: str | os.PathLike) -> int:
    """The number of frames in a video, counted from its packets without decoding. Raises `InputError` for a damaged file."""
    with _open_video(path) as (container, stream), reading(BREAKS_OFF):
        return sum(1 for packet in container.demux(stream) if packet.size)


@contextmanager
def _open_video(path: str | os.PathLike) -> Iterator[tuple]:

    with ExitStack() as open_files:
        with reading(f"{Path(path).name} cannot be read as a video; use an mp4, mov or webm file."):
            container = open_files.enter_context(containers.open_container(path))
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise InputError(f"{Path(path).name} contains no picture track; use an mp4, mov or webm file.")
        yield container, container.streams.video[0]
