"""Cameras and sparse points of pictures that come without: structure from motion on their still parts.

Uses COLMAP through pycolmap, an optional package. The source uses Particle-SfM for the same purpose.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath

EXHAUSTIVE = 60
"""Up to so many pictures, each is matched with every other; beyond, with its neighbours in time."""
MASK_MARGIN = 0.01
"""How far masks are widened, in shares of the picture's width: features at an edge belong to both sides."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What structure from motion found.

    ``frames``: which of the given pictures have a camera, ascending; ``path``: their cameras, in a world of unknown
    scale. ``points`` (P,3) and ``colours`` (P,3) uint8. ``seen``: for each frame the numbers (K,) of the points it
    sees and their pixels (K,2).
    """

    frames: tuple[int, ...]
    path: CameraPath
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    seen: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]
    mean_error_px: float

    def depths(self, frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (K,2) and depths along z (K,) of the points that the ``frame``-th camera of the path sees."""
        numbers, pixels = self.seen[frame]
        homogeneous = np.append(self.points[numbers], np.ones((len(numbers), 1)), axis=1)
        return pixels, (homogeneous @ self.path.camera_from_world[frame].T)[:, 2]


def reconstruct(
    pictures: NDArray[np.uint8],
    *,
    masks: NDArray[np.bool_] | None = None,
    fps: float = 24.0,
    model_folder: Path | None = None,
    names: Sequence[str] | None = None,
    one_lens: bool = True,
    seed: int = 0,
) -> Reconstruction:
    """Cameras of ``pictures`` (F,H,W,3); ``masks`` (F,H,W) are True where something may move and is not looked at.

    ``model_folder`` receives COLMAP's binary model, under ``names`` for the pictures. ``one_lens``: all were taken with
    one. Raises `InputError` where pycolmap is missing or no cameras can be found.
    """
    colmap = _pycolmap()
    with tempfile.TemporaryDirectory() as work:
        images, database = Path(work, "images"), Path(work, "database.db")
        _write_pictures(Path(work), pictures, masks)
        with _quiet(colmap):
            colmap.set_random_seed(seed)
            models = _models(colmap, database, images, masks is not None, one_lens, len(pictures))
        if not models:
            raise InputError(
                "No camera path was found: the pictures need texture and a camera that moves sideways, not only turns; "
                "give the cameras or other pictures."
            )
        best = max(models, key=lambda model: (model.num_reg_images(), model.num_points3D()))
    result = _result(best, pictures.shape[2], pictures.shape[1], fps)
    if model_folder is not None:
        _write_model(best, model_folder, names)
    return result


def _pycolmap() -> ModuleType:
    try:
        import pycolmap
    except ImportError as error:
        raise InputError(
            "Finding cameras needs the package pycolmap, which is not installed; run `pip install pycolmap` or give the cameras."
        ) from error
    return pycolmap


@contextmanager
def _quiet(colmap: ModuleType) -> Iterator[None]:
    """Without COLMAP's log, except for its errors."""
    before = colmap.logging.minloglevel
    colmap.logging.minloglevel = 2
    try:
        yield
    finally:
        colmap.logging.minloglevel = before


def _write_pictures(work: Path, pictures: NDArray[np.uint8], masks: NDArray[np.bool_] | None) -> None:
    margin = max(1, round(MASK_MARGIN * pictures.shape[2]))
    for folder in ("images", "masks"):
        (work / folder).mkdir()
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(work / "images" / f"{i:05d}.png"), picture[..., ::-1])
        if masks is not None:
            wide = cv2.dilate(masks[i].astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8))
            cv2.imwrite(str(work / "masks" / f"{i:05d}.png.png"), 255 * (1 - wide))


def _number(image: Any) -> int:
    return int(Path(image.name).stem)


def _write_model(model: Any, folder: Path, names: Sequence[str] | None) -> None:
    """cameras.bin, images.bin and points3D.bin; the newer files about rigs are left out, as in the data set."""
    for image in model.images.values():
        image.name = names[_number(image)] if names else image.name
    folder.mkdir(parents=True, exist_ok=True)
    model.write_binary(folder)
    for extra in ("rigs.bin", "frames.bin"):
        (folder / extra).unlink(missing_ok=True)


def _models(colmap: ModuleType, database: Path, images: Path, masked: bool, one_lens: bool, count: int) -> list[Any]:
    threads = os.cpu_count() or 1
    reader = colmap.ImageReaderOptions(camera_model="SIMPLE_PINHOLE")
    if masked:
        reader.mask_path = str(images.parent / "masks")
    mode = colmap.CameraMode.SINGLE if one_lens else colmap.CameraMode.PER_IMAGE
    extraction = colmap.FeatureExtractionOptions(num_threads=threads, use_gpu=False)
    colmap.extract_features(database, images, camera_mode=mode, reader_options=reader, extraction_options=extraction)
    matching = colmap.FeatureMatchingOptions(num_threads=threads, use_gpu=False)
    if count <= EXHAUSTIVE:
        colmap.match_exhaustive(database, matching_options=matching)
    else:
        colmap.match_sequential(database, matching_options=matching)
    options = colmap.IncrementalPipelineOptions(num_threads=threads, random_seed=0, min_model_size=min(3, count))
    return list(colmap.incremental_mapping(database, images, images.parent / "models", options).values())


def _result(model: Any, width: int, height: int, fps: float) -> Reconstruction:
    point_ids = sorted(model.points3D)
    number = {point: i for i, point in enumerate(point_ids)}
    images = sorted((model.images[i] for i in model.reg_image_ids()), key=_number)
    poses, lenses, seen = np.repeat(np.eye(4)[None], len(images), axis=0), [], []
    for i, image in enumerate(images):
        poses[i, :3] = image.cam_from_world().inverse().matrix()
        lens = image.camera.calibration_matrix()
        lens[:2, 2] -= 0.5  # COLMAP's pixel centres are at halves
        lenses.append(lens)
        points = [(number[p.point3D_id], p.xy) for p in image.points2D if p.has_point3D()]
        numbers = np.array([n for n, _ in points], dtype=np.int64)
        seen.append((numbers, np.array([xy for _, xy in points]).reshape(-1, 2) - 0.5))
    return Reconstruction(
        tuple(map(_number, images)),
        CameraPath(poses, np.stack(lenses), width, height, fps),
        np.array([model.points3D[p].xyz for p in point_ids]),
        np.array([model.points3D[p].color for p in point_ids], dtype=np.uint8),
        tuple(seen),
        float(model.compute_mean_reprojection_error()),
    )
