"""The arrays of a ViPE result: poses and lenses by frame, and the depth of a frame, in every layout that ViPE has used.

Poses and lenses are ``NAME.npz`` (``inds``, ``data``), or raw float32 with a description beside it (``poses.bin`` and
``poses_meta.json``; ``intrinsics.bin`` and ``intrinsics_meta.json``). Depth in metres is ``NAME.zip`` of EXR files, or half floats: a
zip of ``00000.bin`` with ``shape.txt``, a folder ``NAME`` of them with ``manifest.json``, or all frames in ``NAME.bin.zlib``.
Source: nv-tlabs/vipe, ``vipe/utils/io.py`` and ``MANIFEST_FORMAT_SPEC.md`` of several commits.
"""

from __future__ import annotations

import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.formats.content import read_member
from camera.formats.parsing import MOST_FRAMES, json_object, npz_shapes, numbers, size
from pipelines.inputs.npz import read_npz
from pipelines.media.depth_map.read import read_depth_map

MAX_DEPTH_BYTES = 256 << 20
"""Maximum size of one frame's depth, in bytes."""
MAX_CLIP_BYTES = 4 << 30
"""Maximum size of the depth of all frames in one file, in bytes."""
_HALF = np.dtype("<f2")
_WIDE = "contains lenses of five numbers: ViPE's wide-angle model (MEI), which is not supported; run ViPE with its pinhole camera."

DepthOf = Callable[[int], NDArray[np.float32]]
"""Function from a frame number to its depth (H,W) in metres, NaN where unknown."""


def values_by_frame(
    folder: Path, name: str, parts: str, shape: str, account: Account
) -> dict[int, NDArray[np.float64]]:
    """Poses or lenses of a clip ``name`` by frame number, from ``folder``; ``parts``: "poses" or "intrinsics"."""
    raw = folder / f"{parts}.bin"
    if raw.is_file() and not (folder / f"{name}.npz").is_file():
        return _raw_by_frame(raw, folder / f"{parts}_meta.json", 4 if parts == "intrinsics" else 16, account)
    return npz_by_frame(part(folder / f"{name}.npz"), shape, account)


def npz_by_frame(path: Path, shape: str, account: Account | None = None) -> dict[int, NDArray[np.float64]]:
    """Matrices or vectors of a ViPE npz by frame number; ``shape`` may contain two alternatives, separated by a bar."""
    if npz_shapes(path.read_bytes(), path.name).get("data", ())[1:] == (5,):
        raise InputError(f"{path.name} {_WIDE}")
    refusal = None
    for form in shape.split("|"):
        try:
            arrays = read_npz(path, {"inds": "T", "data": f"T {form}"}, account=account)
        except InputError as error:
            refusal = error
            continue
        return {int(frame): value.astype(np.float64) for frame, value in zip(arrays["inds"], arrays["data"])}
    raise refusal or InputError(f"{path.name} cannot be read.")


def _raw_by_frame(path: Path, described: Path, count: int, account: Account) -> dict[int, NDArray[np.float64]]:
    """``count`` numbers per frame: 16 of a matrix (4,4) in rows, or 4 of a lens."""
    about = account.fields(json_object(part(described).read_bytes(), described.name), described.name, idle=("format",))
    if about.get("dtype", "float32") != "float32":
        raise InputError(f"{described.name} has the type {str(about['dtype'])[:20]!r}; only float32 is supported.")
    shape = numbers(about.get("shape"), (-1,), f"'shape' of {described.name}").astype(int).tolist()
    if shape[1:] == [5]:
        raise InputError(f"{path.name} {_WIDE}")
    frames = numbers(about.get("frame_indices"), (-1,), f"'frame_indices' of {described.name}").astype(int).tolist()
    data = path.read_bytes()
    whole = int(np.prod(shape[1:], dtype=np.int64)) == count and len(frames) == shape[0] <= MOST_FRAMES
    if not whole or len(data) != 4 * count * len(frames):
        raise InputError(
            f"{path.name} has {len(data)} bytes, which is not {len(frames)} times {count} numbers as stated in {described.name}; "
            "export the ViPE result again."
        )
    rows = np.frombuffer(data, "<f4").astype(np.float64).reshape(-1, *((4, 4) if count == 16 else (4,)))
    return dict(zip(frames, numbers(rows.tolist(), rows.shape, path.name)))


@contextmanager
def depth_frames(folder: Path, name: str, frames: int) -> Iterator[DepthOf]:
    """A reader of the depth of the clip ``name`` with ``frames`` frames in ``folder``."""
    whole = folder / f"{name}.bin.zlib"
    if whole.is_file():
        stack = _whole_clip(whole, frames)
        yield lambda frame: _known(stack[frame])
        return
    if (folder / name / "manifest.json").is_file():
        yield _folder_of_halves(folder / name)
        return
    packed = next((each for each in (folder / f"{name}.zip", folder / "depth.zip") if each.is_file()), None)
    with _open_zip(packed or folder / f"{name}.zip") as archive, tempfile.TemporaryDirectory(prefix="depth-") as place:
        if "shape.txt" in archive.namelist():
            yield _zip_of_halves(archive)
        else:
            yield lambda frame: _exr(archive, frame, Path(place))


def part(path: Path) -> Path:
    """A required file of the result."""
    if not path.is_file():
        raise InputError(f"The ViPE result has no {path.parent.name}/{path.name}; use the whole result folder.")
    return path


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(part(path))
    except zipfile.BadZipFile as error:
        raise InputError(f"{path.name} is a damaged zip file; export the ViPE result again.") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with reading(f"The depth archive has no readable {name}; export the ViPE result again."):
        if archive.getinfo(name).file_size > MAX_DEPTH_BYTES:
            raise InputError(f"The depth {name} is larger than {MAX_DEPTH_BYTES >> 20} MiB; it is not a depth map.")
        return read_member(archive, name)


def _exr(archive: zipfile.ZipFile, frame: int, folder: Path) -> NDArray[np.float32]:
    name = f"{frame:05d}.exr"
    path = folder / name
    path.write_bytes(_member(archive, name))
    try:
        return read_depth_map(path, "distance").values
    finally:
        path.unlink()


def _zip_of_halves(archive: zipfile.ZipFile) -> DepthOf:
    """Read half floats of the size in ``shape.txt``, "H,W"."""
    with reading("shape.txt of the depth archive should contain height and width; export the ViPE result again."):
        height, width = (int(word) for word in _member(archive, "shape.txt").decode().split(","))
    size(width, height, "the depth archive")
    return lambda frame: _halves(_member(archive, f"{frame:05d}.bin"), height, width, f"{frame:05d}.bin")


def _folder_of_halves(folder: Path) -> DepthOf:
    """Read a file per frame, compressed with zlib unless the manifest has level 0."""
    about = json_object((folder / "manifest.json").read_bytes(), "manifest.json of the depth")
    shape = numbers(about.get("frame_shape"), (2,), "'frame_shape' of the depth's manifest.json").tolist()
    width, height = size(shape[1], shape[0], "the depth")

    def depth_of(frame: int) -> NDArray[np.float32]:
        file = part(folder / f"{frame:05d}.bin")
        data = file.read_bytes()
        stored = len(data) == _HALF.itemsize * width * height and str(about.get("compression", "")).endswith("_0")
        return _halves(data if stored else _inflated(data, 2 * width * height, file.name), height, width, file.name)

    return depth_of


def _whole_clip(path: Path, frames: int) -> NDArray[np.float16]:
    """(F,H,W) from a file that begins with the length of its description, then the description as JSON, then all frames."""
    data = path.read_bytes()
    with reading(f"{path.name} is damaged; export the ViPE result again."):
        (length,) = struct.unpack_from("<I", data)
        about = json_object(data[4 : 4 + length], path.name)
    shape = tuple(numbers(about.get("shape"), (3,), f"'shape' of {path.name}").astype(int).tolist())
    if shape[0] != frames:
        raise InputError(
            f"{path.name} contains {shape[0]} depth maps for {frames} frames and does not say for which; use the whole result."
        )
    bytes_wanted = _HALF.itemsize * int(np.prod(shape, dtype=np.int64))
    if not 0 < bytes_wanted <= MAX_CLIP_BYTES:
        raise InputError(f"{path.name} would take more than {MAX_CLIP_BYTES >> 30} GiB; use a shorter clip.")
    return np.frombuffer(_inflated(data[4 + length :], bytes_wanted, path.name), _HALF).reshape(shape)


def _inflated(data: bytes, expected: int, name: str) -> bytes:
    """Decompress exactly the given number of bytes with zlib, and nothing beyond them."""
    try:
        found = zlib.decompressobj().decompress(data, expected + 1)
    except zlib.error as error:
        raise InputError(f"{name} is damaged; export the ViPE result again.") from error
    if len(found) != expected:
        raise InputError(f"{name} does not contain the depth that it states; export the ViPE result again.")
    return found


def _halves(data: bytes, height: int, width: int, name: str) -> NDArray[np.float32]:
    if len(data) != _HALF.itemsize * width * height:
        raise InputError(f"{name} does not contain {width} x {height} half floats; export the ViPE result again.")
    return _known(np.frombuffer(data, _HALF).reshape(height, width))


def _known(values: NDArray[np.float16]) -> NDArray[np.float32]:
    deep = values.astype(np.float32)
    return np.where(np.isfinite(deep) & (deep > 0), deep, np.float32(np.nan))
