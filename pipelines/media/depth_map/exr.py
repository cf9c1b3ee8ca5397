"""Depth from OpenEXR files of renderers and depth tools: any compression, several parts, any named channel."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, damage_errors
from camera.formats.account import Account, refusal
from pipelines.media.picture_file import check_size

DEPTH_WORDS = ("depth", "zdepth", "worlddepth", "distance", "z", "pz")
"""Last or middle parts of channel names that mean depth; case-insensitive."""
SCALAR_ENDS = ("v", "y", "r", "x", "l")
"""Common suffixes of a layer's only channel (Blender V, grey Y, colour R, arrays X)."""
HALF_MAX = 65504.0
"""The largest half float: larger distances cannot be stored in half precision."""
DWA_MAX = 0.98 * HALF_MAX
"""DWA compression stores half floats inexactly: infinity is decoded as slightly less than the largest half float."""
SKY = 1e9
"""Renderers write larger values where no surface was hit (Blender 1e10, others the largest float)."""
_STRUCTURE = frozenset(
    (
        "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "screenWindowCenter",
        "screenWindowWidth", "type", "name", "chunkCount", "version", "tiles", "view",
    )
)  # fmt: skip
"""Attributes that every file has or that describe how its pixels are stored."""
_LOSSY = ("DWAA", "DWAB", "B44", "PXR24")


@dataclass(frozen=True)
class _Found:
    """A channel of a part; ``layer`` (with the part's name) and ``end`` are its name before and after the last dot."""

    part: int
    name: str
    part_name: str = ""

    @property
    def layer(self) -> str:
        return f"{self.part_name}.{self.name}".rpartition(".")[0].strip(".").lower()

    @property
    def called(self) -> str:
        return self.name if self.part_name.lower() in self.name.lower() else f"{self.part_name}.{self.name}"

    @property
    def end(self) -> str:
        return self.name.rpartition(".")[2].lower()


def read_exr(path: Path, account: Account) -> NDArray[np.float32]:
    """(H,W) stored depth values over the whole picture, NaN outside the data window and in the sky.

    Depth is the channel called Z or depth, the only channel, or a grey picture. Raises `InputError` for damaged files, deep
    pixels, and several channels of which none is known to be depth.
    """
    header = _open(path, header_only=True)
    _check(header, path)
    channels = [
        _Found(i, each.name, str(part.header.get("name", "")) if len(header.parts) > 1 else "")
        for i, part in enumerate(header.parts)
        for each in part.header["channels"]
    ]
    file = _open(path, header_only=False)
    _check_whole(file, header, path)
    chosen = _choose_channel(channels, file, path, account)
    _note_unused(file, chosen, channels, account)
    if re.search(r"dispar|inverse|invdepth|(^|[ ._-])disp([ ._-]|$)", chosen.called.lower()):
        account.say(f"The channel of {path.name} is called {chosen.called}; if near is large in it, choose disparity.")
    part = file.parts[chosen.part]
    compression = str(part.header["compression"])
    values = _values(part.channels[chosen.name].pixels, compression)
    if any(kind in compression for kind in _LOSSY):
        account.say(f"{path.name} has lossy compression, so its depth only approximates the rendered depth.")
    return _on_display(values, part.header)


def _open(path: Path, *, header_only: bool) -> Any:
    import OpenEXR

    if not path.is_file():
        raise InputError(f"There is no file {path.name}.")
    try:
        return OpenEXR.File(os.fspath(path), separate_channels=True, header_only=header_only)
    except damage_errors() as error:
        raise InputError(
            f"{path.name} is not an OpenEXR picture, or a damaged one; export it again, or as 16-bit PNG or npy."
        ) from error


def _check(file: Any, path: Path) -> None:
    for part in file.parts:
        low, high = part.header["dataWindow"]
        check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1, path, least=1)
        low, high = part.header["displayWindow"]
        check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1, path, least=1)
        if "deep" in str(part.header["type"]):
            raise refusal(
                "Deep pixels", path.name, "several depths in one pixel", "render the plain Z pass, without deep output"
            )
        if part.header.get("pixelAspectRatio", 1) != 1:
            raise refusal("pixelAspectRatio", path.name, "pixels that are not square", "render with square pixels")


def _check_whole(file: Any, header: Any, path: Path) -> None:
    """Check for missing parts or channels: OpenEXR drops unreadable pixels without an error."""
    for i, part in enumerate(header.parts):
        read = file.parts[i].channels if i < len(file.parts) else {}
        if any(each.name not in read or read[each.name].pixels is None for each in part.header["channels"]):
            raise InputError(f"{path.name} is truncated or damaged; export it again.")


def _choose_channel(channels: list[_Found], file: Any, path: Path, account: Account) -> _Found:
    """The depth channel; if only a red channel qualifies, a note says so."""
    ranked = sorted(
        ((rank, each) for each in channels if (rank := _rank(each, channels)) is not None), key=lambda r: r[0]
    )
    if ranked:
        best = [each for rank, each in ranked if rank == ranked[0][0]]
        if len(best) > 1 and best[0].layer != best[1].layer:
            account.say(f"{path.name} contains {len(best)} depths; {best[0].called} is used.")
        return best[0]
    solid = [each for each in channels if each.end not in ("a", "alpha") and not _is_no_depth(each)]
    if len(solid) == 1:
        if solid[0].end not in (*SCALAR_ENDS, "b"):
            account.say(f"{path.name} contains one channel, called {solid[0].called}, which is used as depth.")
        return solid[0]
    listed = ", ".join(each.name for each in channels[:12])
    if len({(each.part, each.layer) for each in solid}) == 1 and {each.end for each in solid} <= {"r", "g", "b"}:
        planes = [file.parts[each.part].channels[each.name].pixels for each in solid]
        if all(
            plane.shape == planes[0].shape and np.array_equal(plane, planes[0], equal_nan=True) for plane in planes[1:]
        ):
            return next((each for each in solid if each.end == "r"), solid[0])
        varying = [each for each, plane in zip(solid, planes) if np.ptp(plane[np.isfinite(plane)].astype(float)) > 0]
        if len(varying) == 1:
            account.say(
                f"{path.name} has no channel called depth; {varying[0].name} is used, the only one that varies."
            )
            return varying[0]
    raise InputError(
        f"{path.name} contains the channels {listed}, and none of them is called Z or depth; export the depth pass as Z."
    )


def _rank(each: _Found, channels: list[_Found]) -> int | None:
    """Rank of a channel as depth: 0 is most certain, None is not depth. A Z beside X and Y in its layer is a coordinate."""
    beside = {other.end for other in channels if other.part == each.part and other.layer == each.layer}
    if ({"x", "y"} <= beside and each.end in ("x", "y", "z")) or _is_no_depth(each):
        return None
    named = any(word in DEPTH_WORDS or word.endswith("depth") for word in re.split(r"[ ._-]+", each.layer))
    later = 4 if "denois" in each.layer else 0
    if each.end in DEPTH_WORDS:
        return later + (0 if each.end == "z" and not each.layer else 1 if named else 2)
    return later + 3 if named and each.end in SCALAR_ENDS else None


def _is_no_depth(each: _Found) -> bool:
    """Whether a channel called Z is no depth: Blender also uses Z for the only channel of mist, a share of white."""
    return "mist" in re.split(r"[ ._-]+", each.called.lower())


def _note_unused(file: Any, chosen: _Found, channels: list[_Found], account: Account) -> None:
    """Note the other channels, parts and attributes, which have no effect; attributes of unknown meaning are named as such."""
    names = {each.called: 0 for each in channels}
    account.fields(names, idle=[name for name in names if name != chosen.called])[chosen.called]
    header: Mapping[str, Any] = file.parts[chosen.part].header
    extra = {key: value for key, value in header.items() if key not in _STRUCTURE}
    account.fields(extra, "attributes", idle=[key for key, value in extra.items() if isinstance(value, str)])


def _values(pixels: NDArray[Any], compression: str) -> NDArray[np.float32]:
    half = HALF_MAX if pixels.dtype == np.float16 else SKY
    limit = DWA_MAX if "DWA" in compression else half
    values = pixels.astype(np.float32)
    return np.where(values >= np.float32(limit), np.float32(np.nan), values)


def _on_display(values: NDArray[np.float32], header: Mapping[str, Any]) -> NDArray[np.float32]:
    """Place the data window in the display window, which is the picture: for cropped renders and overscan."""
    (left, top), (right, bottom) = (np.asarray(corner, int) for corner in header["displayWindow"])
    (x, y), _ = (np.asarray(corner, int) for corner in header["dataWindow"])
    height, width = values.shape
    if (x, y) == (left, top) and (height, width) == (bottom - top + 1, right - left + 1):
        return values
    picture = np.full((bottom - top + 1, right - left + 1), np.nan, np.float32)
    rows = slice(max(y, top), min(y + height, bottom + 1))
    columns = slice(max(x, left), min(x + width, right + 1))
    if rows.start < rows.stop and columns.start < columns.stop:
        picture[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = values[
            rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
        ]
    return picture
