"""Exchange formats of Gaussian splats other than the ``.ply`` and ``.splat`` of `pipelines.splats.files`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from camera.errors import InputError

if TYPE_CHECKING:
    from pipelines.splats.formats.axes import Up
    from pipelines.splats.splats import Splats

ENDINGS = (".ply", ".splat", ".spz", ".sog", ".glb")
NAMES = {
    "ply": "splats.ply",
    "splat": "scene.splat",
    "compressed.ply": "splats.compressed.ply",
    "spz": "splats.spz",
    "sog": "splats.sog",
    "glb": "splats.glb",
}
"""File names by kind, as returned by `encode_all`."""


def is_splat_file(files: Sequence[str | Path]) -> bool:
    """Whether this is one file with a suffix of splats; ``.ply`` and ``.glb`` may contain other data, which is detected when reading."""
    return len(files) == 1 and Path(files[0]).suffix.lower() in ENDINGS


def encode_all(splats: Splats) -> dict[str, bytes]:
    """The splats in every format, by file name; leaves out SPZ if they extend beyond its range."""
    found = {name: encode(splats, kind) for kind, name in NAMES.items() if kind != "spz"}
    try:
        return found | {NAMES["spz"]: encode(splats, "spz")}
    except InputError:
        return found


def encode(splats: Splats, kind: str) -> bytes:
    """Encode one file of ``kind`` (a key of `NAMES`), in its conventional axes. Raises `InputError`."""
    from pipelines.splats import files
    from pipelines.splats.formats import gltf, packed, sog
    from pipelines.splats.formats.axes import turn_splats, world_from_file

    writers = {
        "ply": files.ply_bytes,
        "splat": files.splat_bytes,
        "compressed.ply": packed.compressed_ply_bytes,
        "sog": sog.sog_bytes,
        "glb": gltf.glb_bytes,
        "spz": lambda given: packed.spz_bytes(turn_splats(given, world_from_file("auto", "spz").T)),
    }
    if kind not in writers:
        raise InputError(f"Splats are written as {', '.join(writers)}; got {kind!r}.")
    return writers[kind](splats)


def kind_of(data: bytes, name: str) -> str:
    """A file's key in `NAMES`, from its first bytes; for ``.splat``, which has no signature, from its name. Raises `InputError`."""
    from pipelines.splats.formats.packed import is_compressed_ply

    if data[:3] == b"ply":
        return "compressed.ply" if is_compressed_ply(data) else "ply"
    found = {b"\x1f\x8b": "spz", b"NG": "spz", b"PK": "sog", b"gl": "glb"}.get(data[:2])
    if found is None and name.lower().endswith(".splat"):
        return "splat"
    if found is None:
        raise InputError(f"Splats are read from {', '.join(ENDINGS)} files; {name} is none of them.")
    return found


def read(data: bytes, name: str, *, up: Up = "auto") -> tuple[Splats, str]:
    """Splats in the world's axes (y down), and a sentence on how the file's axes were interpreted. Raises `InputError`."""
    from pipelines.splats import files
    from pipelines.splats.formats import gltf, packed, sog
    from pipelines.splats.formats.axes import sentence, turn_splats, world_from_file

    readers = {
        "ply": files.read_ply,
        "splat": files.read_splat,
        "compressed.ply": packed.read_compressed_ply,
        "spz": packed.read_spz,
        "sog": sog.read_sog,
        "glb": gltf.read_glb,
    }
    kind = kind_of(data, name)
    turn = world_from_file(up, kind)
    return turn_splats(readers[kind](data, name), turn), sentence(up, kind)
