"""Google Scanned Objects as in GenXD's evaluation: one input render and 11 known target cameras.

A scene is a folder: ``render_mvs_25/model/000.png`` and so on with a ``.npy`` each (camera_from_world, OpenGL axes), and
``render_sync_36_single/model`` in the same way (OpenCV axes). Source: the original code's data set, read but not executed; its
files contain no lens, so that of the renders is used.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.path import CameraPath, inverse
from camera.trajectories.genxd import FRAMES
from camera.trajectories.genxd_fits import common_point
from pipelines.inputs.posed_files import PosedInput
from pipelines.inputs.posed_images import PosedPictures, stack_pictures
from pipelines.media.image import read_picture

Subset = Literal["nvs", "recon"]
"""Which known cameras are generated: around the object at many heights, or on one ring."""
GIVEN_FOLDER, RING_FOLDER = "render_mvs_25", "render_sync_36_single"
FOCAL = 1.0938
"""Focal length in picture widths: the renders' field of view of 49.1 degrees, from the original commands."""
_PLACES: dict[Subset, tuple[str, int, int]] = {"nvs": (GIVEN_FOLDER, 1, 25), "recon": (RING_FOLDER, 0, 36)}
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""From the data's world, whose z axis points up, to one whose y axis points down, the convention of this project."""


def is_gso(folder: Path) -> bool:
    return (folder / GIVEN_FOLDER / "model").is_dir()


def read_gso(folder: str | Path, subset: Subset = "nvs", *, views: int = 1) -> PosedInput:
    """One scene; if ``views`` is more than one, the other inputs are spread over the 25 renders (our own choice).

    Raises `InputError` for missing files and invalid cameras.
    """
    folder = Path(folder)
    place, first, last = _PLACES[subset]
    wanted = [int(i) for i in np.linspace(first, last, FRAMES - 1, endpoint=False)]
    inputs = [int(i) for i in np.linspace(0, 25, max(views, 1), endpoint=False)]
    if place == GIVEN_FOLDER:
        wanted = [number for number in wanted if number not in inputs]
    given = _pictures(folder, GIVEN_FOLDER, inputs)
    truth = _pictures(folder, place, wanted)
    middle = np.append(common_point(truth.path.world_from_camera), 1)
    away = (given.path.camera_from_world @ middle)[:, 2]
    given = replace(given, near_far=np.stack([away, away], axis=1))
    note = f"{len(inputs)} render{'s' * (len(inputs) > 1)} given, {len(wanted)} known cameras to generate ({subset})."
    return PosedInput(given, truth.path, note, truth)


def _pictures(folder: Path, place: str, numbers: list[int]) -> PosedPictures:
    files = [folder / place / "model" / f"{number:03d}" for number in numbers]
    stack = stack_pictures([read_picture(_check_exists(file.with_suffix(".png"))).colour for file in files])
    poses = np.stack([_camera_from_world(_check_exists(file.with_suffix(".npy"))) for file in files])
    if place == GIVEN_FOLDER:
        poses = _OPENGL @ poses
    height, width = stack.shape[1:3]
    lens = np.array([[FOCAL * width, 0, (width - 1) / 2], [0, FOCAL * width, (height - 1) / 2], [0, 0, 1]])
    return PosedPictures(
        stack, CameraPath(_LEVEL @ inverse(poses), lens, width, height, 6), folder.name, "cameras of the data set"
    )


def _check_exists(file: Path) -> Path:
    if not file.is_file():
        raise InputError(
            f"The scene lacks {file.parents[1].name}/model/{file.name}; use the whole folder of the scene."
        )
    return file


def _camera_from_world(file: Path) -> NDArray[np.float64]:
    with reading(f"{file.name} is damaged or not an array; render the scene again."):
        values = np.load(file, allow_pickle=False).astype(np.float64)
    if values.shape not in ((3, 4), (4, 4)) or not np.isfinite(values).all():
        raise InputError(f"{file.name} must contain a camera of 3 x 4 or 4 x 4 numbers, got {values.shape}.")
    pose = np.eye(4)
    pose[:3] = values[:3]
    return pose
