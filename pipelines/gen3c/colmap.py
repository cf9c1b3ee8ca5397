"""A COLMAP folder (pictures and a sparse model) as several views for the cache; needs the optional package pycolmap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.gen3c.estimated import Estimate, Sparse, posed_scene
from pipelines.pictures import read_picture

MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", ".")
PICTURE_FOLDERS = ("images", ".")
UNDISTORTED = ("PINHOLE", "SIMPLE_PINHOLE")


def read_colmap(folder: str | Path, estimate: Estimate, *, most: int = 24) -> Scene:
    """Up to ``most`` registered pictures, evenly chosen in the order of their names, with depth fitted to the sparse points.

    ``folder`` holds the pictures in images/ and the model in sparse/0. Raises `InputError` for missing parts, distorted
    lenses and pictures of several sizes.
    """
    folder = Path(folder)
    model = _model(folder)
    images = sorted((model.images[number] for number in model.reg_image_ids()), key=lambda image: image.name)
    if not images:
        raise InputError("The COLMAP model has no registered picture; run the mapper again.")
    chosen = [images[i] for i in np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(int))]
    pictures = [read_picture(_picture(folder, image.name)).colour for image in chosen]
    if len({picture.shape for picture in pictures}) > 1:
        raise InputError("The pictures of the COLMAP folder have several sizes; undistort them to one size.")
    height, width = pictures[0].shape[:2]
    poses = np.repeat(np.eye(4)[None], len(chosen), axis=0)
    poses[:, :3] = [image.cam_from_world().inverse().matrix() for image in chosen]
    path = CameraPath(poses, np.stack([_lens(image, width, height) for image in chosen]), width, height)
    sparse = [_sparse(model, image, width) for image in chosen]
    return posed_scene(np.stack(pictures), path, estimate, sparse, kind="views")


def _model(folder: Path) -> Any:
    try:
        import pycolmap
    except ImportError as error:
        raise InputError(
            "Reading a COLMAP folder needs the package pycolmap; install it or give an npz of views."
        ) from error
    for place in MODEL_FOLDERS:
        if any((folder / place / f"images.{kind}").is_file() for kind in ("bin", "txt")):
            try:
                return pycolmap.Reconstruction(str(folder / place))
            except (RuntimeError, ValueError, IndexError) as error:
                raise InputError(f"The COLMAP model in {place} cannot be read; export it again.") from error
    raise InputError(f"{folder.name} holds no COLMAP model; cameras, images and points3D are looked for in sparse/0.")


def _picture(folder: Path, name: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"The COLMAP model names the picture {name!r}, which is outside its folder.")
    for place in PICTURE_FOLDERS:
        if (folder / place / name).is_file():
            return folder / place / name
    raise InputError(f"The picture {name} of the COLMAP model is not in images; give the pictures with the model.")


def _lens(image: Any, width: int, height: int) -> np.ndarray:
    """(3,3) in pixels of the picture as read, centres at integers; COLMAP's are at halves."""
    camera = image.camera
    if camera.model_name not in UNDISTORTED:
        raise InputError(
            f"The COLMAP model has lenses of the kind {camera.model_name}; run its image_undistorter first, which makes them PINHOLE."
        )
    scale = np.diag([width / camera.width, height / camera.height, 1])
    lens = scale @ camera.calibration_matrix()
    lens[:2, 2] -= 0.5
    return lens


def _sparse(model: Any, image: Any, width: int) -> Sparse:
    """The sparse points that a picture sees; pixels of the picture as read."""
    seen = [point for point in image.points2D if point.has_point3D()]
    pixels = np.array([point.xy for point in seen]).reshape(-1, 2) * (width / image.camera.width) - 0.5
    world = np.array([model.points3D[point.point3D_id].xyz for point in seen]).reshape(-1, 3)
    camera_from_world = image.cam_from_world().matrix()
    return Sparse(pixels, world @ camera_from_world[2, :3] + camera_from_world[2, 3])
