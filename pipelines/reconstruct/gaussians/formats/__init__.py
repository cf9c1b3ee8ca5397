"""Files of Gaussian splats in which the field exchanges them, beside the ``.ply`` and ``.splat`` of `gaussians.files`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camera.errors import InputError

if TYPE_CHECKING:
    from pipelines.reconstruct.gaussians.splats import Splats


def every(splats: Splats) -> dict[str, bytes]:
    """The splats in every format by file name; SPZ is left out where they reach farther than it can say."""
    from pipelines.reconstruct.gaussians.files import ply_bytes, splat_bytes
    from pipelines.reconstruct.gaussians.formats.gltf import glb_bytes
    from pipelines.reconstruct.gaussians.formats.spz import spz_bytes

    found = {"splats.ply": ply_bytes(splats), "scene.splat": splat_bytes(splats), "splats.glb": glb_bytes(splats)}
    try:
        return found | {"splats.spz": spz_bytes(splats)}
    except InputError:
        return found


def read(data: bytes, name: str) -> Splats:
    """Splats of a ``.ply``, ``.splat`` or ``.spz`` file, told by its ending. Raises `InputError` for another."""
    from pipelines.reconstruct.gaussians.files import read_ply, read_splat
    from pipelines.reconstruct.gaussians.formats.spz import read_spz

    readers = {"ply": read_ply, "splat": read_splat, "spz": read_spz}
    ending = name.rpartition(".")[2].lower()
    if ending not in readers:
        raise InputError(f"Splats are read from .ply, .splat and .spz files; got {name}.")
    return readers[ending](data, name)
