"""Readers of GenXD's few-view data sets and of CamVid-30K, which run no code from the files.

ReconFusion format: a folder with `index.json` (scene -> file) and files of `torch.save`. CamVid-30K: `images/` and a
COLMAP model `0/`, as a folder or zip. Source: ``dataset/reconf_group.py`` and the README of the original code.
"""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.path import CameraPath, inverse
from pipelines.inputs.colmap_model import Lens, read_model
from pipelines.inputs.datasets.camvid_archive import entry_folder
from pipelines.inputs.posed_images import PosedPictures, stack_pictures
from pipelines.media.image import read_picture

_DAMAGED_SCENE = "{} is damaged or incomplete; download it again."
_CORE = np._core.multiarray  # type: ignore[attr-defined]
_NUMPY: tuple[Any, ...] = (
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("bool", "u1", "i4", "i8", "f4", "f8")),
    *(
        (function, f"numpy.{core}.multiarray.{function.__name__}")
        for core in ("core", "_core")
        for function in (_CORE._reconstruct, _CORE.scalar)
    ),
)
"""Globals in array files besides tensors; none of them can run code."""


# --- ReconFusion --------------------------------------------------------------------------------------------------


def reconfusion_scenes(folder: str | Path) -> dict[str, Path]:
    """The files of the scenes in a data set's folder, by scene."""
    folder = Path(folder)
    with reading(f"{folder.name} has no readable index.json; use the folder of one data set."):
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    if not isinstance(index, dict) or not index:
        raise InputError("index.json must name a file for every scene; it names none.")
    files = {}
    for scene, name in index.items():
        file = folder / str(name)
        if folder.resolve() not in file.resolve().parents:
            raise InputError(f"index.json names {str(name)!r}, which lies outside its folder.")
        files[str(scene)] = file
    return files


def read_reconfusion(file: str | Path, *, name: str = "", account: Account | None = None) -> PosedPictures:
    """One scene: pictures, cameras, the views to give and to generate, and depth bounds if there are any.

    Unused contents are noted in ``account``.
    """
    file = Path(file)
    scene = (account or Account(file.name)).fields(
        _torch_scene(file), idle=("key", "url", "scene", "scene_name", "timestamps")
    )
    with reading(_DAMAGED_SCENE.format(file.name)):
        pictures = stack_pictures([_decode(data, i) for i, data in enumerate(scene["images"])])
        path = reconfusion_path(np.asarray(scene["cameras"], dtype=np.float64), pictures.shape[2], pictures.shape[1])
        if len(path) != len(pictures):
            raise InputError(
                f"{file.name} contains {len(pictures)} pictures and {len(path)} cameras; the numbers must be equal."
            )
        bounds = scene.get("poses_bounds")
        near_far = None if bounds is None else np.asarray(bounds, dtype=np.float64)[:, -2:]
        splits = {
            views: _split(scene[key], len(path)) for views in (3, 6, 9) if (key := f"train_test_split_{views}") in scene
        }
    return PosedPictures(pictures, path, name or file.stem, "cameras of the data set", splits=splits, near_far=near_far)


def reconfusion_path(cameras: NDArray[np.float64], width: int, height: int) -> CameraPath:
    """Rows of 18: fx fy cx cy as shares of the picture, 0 0, and camera_from_world (3,4) row by row, OpenCV axes."""
    if cameras.ndim != 2 or cameras.shape[1] != 18:
        raise InputError(f"Cameras of the ReconFusion format are rows of 18 numbers, got {cameras.shape}.")
    lenses = np.repeat(np.eye(3)[None], len(cameras), axis=0)
    lenses[:, [0, 1], [0, 1]] = cameras[:, :2] * [width, height]
    lenses[:, :2, 2] = cameras[:, 2:4] * [width, height] - 0.5
    poses = np.repeat(np.eye(4)[None], len(cameras), axis=0)
    poses[:, :3] = cameras[:, 6:].reshape(-1, 3, 4)
    return CameraPath(inverse(poses), lenses, width, height, 6)


def _torch_scene(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(f"The scene file {file.name} does not exist; download the data set again.")
    with reading(_DAMAGED_SCENE.format(file.name)):
        try:
            with torch.serialization.safe_globals(list(_NUMPY)):
                loaded = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{file.name} contains more than arrays and is not opened, because it could run code."
            ) from error
    scene = loaded[0] if isinstance(loaded, Sequence) and loaded else loaded
    if not isinstance(scene, dict) or not {"images", "cameras"} <= scene.keys():
        raise InputError(f"{file.name} is not a scene of the ReconFusion format: it needs 'images' and 'cameras'.")
    return scene


def _decode(data: Any, number: int) -> NDArray[np.uint8]:
    """(H,W,3) from the bytes of a picture file in a 1-D array."""
    encoded = np.asarray(data)
    if encoded.dtype != np.uint8 or encoded.ndim != 1:
        raise InputError(f"Picture {number} must be the bytes of a jpg or png, got {encoded.shape} of {encoded.dtype}.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"picture {number}")
        file.write_bytes(encoded.tobytes())
        return read_picture(file).colour


def _split(split: Any, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    train, test = (tuple(int(i) for i in np.asarray(split[key]).ravel()) for key in ("train_ids", "test_ids"))
    if not all(0 <= i < count for i in (*train, *test)):
        raise InputError(f"A split of the scene names a picture beyond its {count}; download the data set again.")
    return train, test


# --- CamVid-30K ---------------------------------------------------------------------------------------------------


def read_camvid(path: str | Path, *, account: Account | None = None) -> PosedPictures:
    """One entry, folder or zip: its frames, cameras and static points; distorted pictures are undistorted.

    Unused files are noted in ``account``.
    """
    account = account or Account(Path(path).name)
    with entry_folder(path, account=account) as folder:
        model = read_model(folder / "0")
        straight = [_straighten(folder / "images", name, lens) for name, lens in zip(model.names, model.lenses)]
    stack = stack_pictures([picture for picture, _ in straight])
    lenses = np.stack([lens.matrix for _, lens in straight])
    cameras = CameraPath(model.poses, lenses, stack.shape[2], stack.shape[1])
    name = Path(path).stem
    return PosedPictures(stack, cameras, name, "cameras of the data set", model.points, model.colours)


def _straighten(pictures: Path, name: str, lens: Lens) -> tuple[NDArray[np.uint8], Lens]:
    """Undistort the picture ``name``; raises `InputError` for names that leave the folder ``pictures``."""
    file = pictures / name
    if Path(name).name != name or not file.is_file():
        raise InputError(f"The model has a camera for {name}, which is not in images/; use the whole entry.")
    return lens.straightened(read_picture(file).colour, name)
