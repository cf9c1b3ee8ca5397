"""The up axis of splat files: tools differ and few files state it, so a convention is chosen and reported.

The world here is OpenCV's (x right, y down, z forward). Rotating splats also rotates their harmonics.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.splats.splats import Splats

Up = Literal["auto", "y-down", "y-up", "z-up", "z-down"]
"""The up axis in the file's axes; "auto" is the convention of its format, see `CUSTOM`."""
UPS: tuple[Up, ...] = ("auto", "y-down", "y-up", "z-up", "z-down")
CUSTOM: dict[str, Up] = {
    "ply": "y-down",
    "compressed.ply": "y-down",
    "splat": "y-down",
    "sog": "y-down",
    "spz": "y-up",
    "glb": "y-up",
}
"""3DGS trains in COLMAP's axes, which PlayCanvas' SOG and compressed PLY keep; Niantic's SPZ and glTF are y up."""
_TURNS: dict[str, list[list[int]]] = {
    "y-down": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "y-up": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "z-up": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "z-down": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
}
_WORDS = {
    "y-down": "y down, as 3DGS and COLMAP",
    "y-up": "y up, as glTF",
    "z-up": "z up, as Blender",
    "z-down": "z down",
}


def world_from_file(up: Up, kind: str) -> NDArray[np.float64]:
    """(3,3): the world's axes from those of a file of ``kind``, a key of `CUSTOM`. Raises `InputError`."""
    if up not in UPS:
        raise InputError(f"The up axis must be {', '.join(UPS)}; got {up!r}.")
    return np.array(_TURNS[CUSTOM[kind] if up == "auto" else up], np.float64)


def sentence(up: Up, kind: str) -> str:
    """A sentence for the user on how the axes were interpreted."""
    how = "chosen" if up != "auto" else f"the convention of {'.' + kind} files"
    return (
        f"Read with {_WORDS[CUSTOM[kind] if up == 'auto' else up]} ({how}); choose another if the scene is not upright."
    )


def turn_splats(splats: Splats, rotation: NDArray) -> Splats:
    """The splats rotated about the origin by ``rotation`` (3,3), including their harmonics."""
    if np.array_equal(rotation, np.eye(3)):
        return splats
    from scipy.spatial.transform import Rotation

    quaternions = Rotation.from_matrix(rotation) * Rotation.from_quat(np.roll(splats.quaternions, -1, axis=1))
    return replace(
        splats,
        means=(splats.means @ rotation.T).astype(np.float32),
        quaternions=np.roll(quaternions.as_quat(), 1, axis=1).astype(np.float32),
        sh=_turn_harmonics(splats.sh, rotation),
    )


def _turn_harmonics(sh: NDArray[np.float32], rotation: NDArray) -> NDArray[np.float32]:
    """(N,K,3): the rotated colour c'(d) = c(R^T d); each degree transforms separately, so a few directions determine it."""
    if sh.shape[1] == 1:
        return sh
    import torch

    from pipelines.splats.rasterizer import harmonics

    count = sh.shape[1]
    towards = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 3)))
    after = harmonics(towards, count).numpy()
    before = harmonics(towards @ torch.from_numpy(np.ascontiguousarray(rotation)), count).numpy()
    turn = np.linalg.lstsq(after, before, rcond=None)[0]
    return np.einsum("kj,njc->nkc", turn, sh).astype(np.float32)
