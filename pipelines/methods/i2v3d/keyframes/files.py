"""Reads and writes keyframes as a zip, so that a user can change, replace or drop single ones between two runs."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.content import read_member
from camera.objects.archive import read_part
from pipelines.media.encoded import decode_picture
from pipelines.media.image import png
from pipelines.method import Frames
from pipelines.methods.i2v3d.method import I2V3DSettings
from pipelines.methods.i2v3d.schedule import LONGEST_WINDOW

LARGEST_BYTES = 1 << 26
"""Largest picture in such a file, in bytes."""
PAINTED, TAUGHT = "painted", "taught"
"""Names of the method's data in a project: the current keyframes, and the settings of the subject training."""
_ABOUT = "painted.json"
_NAME = re.compile(r"(?:.*/)?(\d{1,6})\.(?:png|jpg|jpeg)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class PaintedKeyframes:
    """The current keyframes: frames counted from 0, pictures (K,H,W,3), and prompts changed by the user.

    ``along``: an identifier of the scene and path that they were painted from, empty if unknown.
    """

    indices: tuple[int, ...]
    pictures: Frames
    prompts: dict[int, str] = field(default_factory=dict)
    along: str = ""

    def without(self, index: int) -> PaintedKeyframes:
        """Remove one keyframe. Raises `InputError` for the first and the last, which the video needs."""
        if index in (self.indices[0], self.indices[-1]):
            raise InputError("The video needs the first and the last keyframe; paint them again instead.")
        remaining = [number for number, known in enumerate(self.indices) if known != self.known(index)]
        apart = max(self.indices[b] - self.indices[a] + 1 for a, b in pairwise(remaining))
        if apart > LONGEST_WINDOW:
            raise InputError(
                f"Without it two keyframes are {apart} frames apart, and the video network supports at most {LONGEST_WINDOW}; "
                "paint this one again instead."
            )
        return replace(self, indices=tuple(self.indices[n] for n in remaining), pictures=self.pictures[remaining])

    def known(self, index: int) -> int:
        if index not in self.indices:
            raise InputError(f"There is no keyframe at frame {index}; there are {', '.join(map(str, self.indices))}.")
        return index

    def packed(self, *, but: int | None = None) -> bytes:
        """A zip of the keyframes, see `pack`, without the keyframe ``but``."""
        chosen = [number for number, index in enumerate(self.indices) if index != but]
        return pack(self.pictures[chosen], [self.indices[number] for number in chosen])

    def to_keep(self) -> bytes:
        """The keyframes with their prompts as one zip for `read_kept`."""
        stream = io.BytesIO(self.packed())
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
            prompts = {str(index): words for index, words in self.prompts.items()}
            archive.writestr(_ABOUT, json.dumps({"prompts": prompts, "along": self.along}))
        return stream.getvalue()

    def settings(self, settings: I2V3DSettings, file: Path, *, again: int | None = None) -> I2V3DSettings:
        """Settings of a run that uses these keyframes unchanged, except ``again``; writes them to the zip ``file``."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.packed(but=again))
        prompts = "\n".join(f"{index}: {words}" for index, words in self.prompts.items() if index in self.indices)
        return replace(
            settings, keyframes_at=", ".join(map(str, self.indices)), keyframes_file=str(file), keyframe_prompts=prompts
        )


def read_kept(data: bytes) -> PaintedKeyframes:
    """Read a zip of `PaintedKeyframes.to_keep`. Raises `InputError`."""
    with reading("The saved keyframes are damaged; paint them again."):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(read_part(archive, _ABOUT, LARGEST_BYTES))
        prompts = {int(index): str(words) for index, words in about["prompts"].items()}
        return replace(unpack_painted(data, prompts), along=str(about["along"])[:40])


def unpack_painted(data: bytes, prompts: dict[int, str]) -> PaintedKeyframes:
    """Read a zip of `PaintedKeyframes.packed`. Raises `InputError`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {int(named[1]): entry for entry in archive.infolist() if (named := _NAME.match(entry.filename))}
        pictures = [_decode(archive, entries[index]) for index in sorted(entries)]
    if len(pictures) < 2 or len({picture.shape for picture in pictures}) > 1:
        raise InputError("The saved keyframes are damaged; paint them again.")
    return PaintedKeyframes(tuple(sorted(entries)), np.stack(pictures), prompts)


def pack(keyframes: Frames, indices: list[int]) -> bytes:
    """A zip of PNG pictures, each named by its frame, counted from 0."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for index, picture in zip(indices, keyframes, strict=True):
            archive.writestr(f"{index:05d}.png", png(picture))
    return stream.getvalue()


def unpack(file: str | Path, indices: list[int], *, width: int, height: int) -> dict[int, NDArray[np.uint8]]:
    """Pictures (H,W,3) by frame. Raises `InputError` for other frames, other sizes and files that are not such a zip."""
    file = Path(file)
    found: dict[int, NDArray[np.uint8]] = {}
    with (
        reading(f"{file.name} is not a readable zip of keyframes; use the one from a finished run."),
        zipfile.ZipFile(file) as archive,
    ):
        for entry in archive.infolist():
            named = _NAME.match(entry.filename)
            if named:
                found[int(named[1])] = _picture(archive, entry, width, height)
    if unknown := sorted(found.keys() - set(indices)):
        raise InputError(
            f"{file.name} contains a keyframe for frame {unknown[0]}, but this path has them at {', '.join(map(str, indices))}; "
            "name the pictures by these numbers."
        )
    if not found:
        raise InputError(f"{file.name} contains no keyframes; expected pictures named by their frame, as 00000.png.")
    return found


def _picture(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, width: int, height: int) -> NDArray[np.uint8]:
    picture = _decode(archive, entry)
    if picture.shape[:2] != (height, width):
        raise InputError(
            f"{entry.filename} is {picture.shape[1]}x{picture.shape[0]}, the path is drawn for {width}x{height}; resize it."
        )
    return picture


def _decode(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[np.uint8]:
    """(H,W,3)."""
    import cv2

    if entry.file_size > LARGEST_BYTES:
        raise InputError(f"{entry.filename} is larger than 64 MB; use keyframes of the path's size.")
    wrong = f"{entry.filename} is not a readable picture; save it as PNG."
    picture = decode_picture(read_member(archive, entry), cv2.IMREAD_COLOR, wrong)
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8, copy=False)
