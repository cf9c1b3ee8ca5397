"""Files beside a clip: cameras as the original code writes them, and a folder for reconstruction tools."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.cloud import cloud_of
from camera.formats import write_all
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Frames
from pipelines.results.posed_folders import colmap_zip

MOST_POINTS = 20_000


def camera_files(path: CameraPath, origin: NDArray[np.float64]) -> dict[str, bytes]:
    """The original's two files: all cameras, and the same relative to the first given one (``origin``, 4x4).

    camera_from_world (3,4), OpenCV axes; as in the original, the principal point lies at half the picture's size.
    """
    lens = path.intrinsics[0]
    camera_from_world = path.camera_from_world
    values: dict[str, Any] = {
        "fx": lens[0, 0],
        "fy": lens[1, 1],
        "cx": lens[0, 2] + 0.5,
        "cy": lens[1, 2] + 0.5,
        "height": path.height,
        "width": path.width,
        "cameras": camera_from_world[:, :3].tolist(),
    }
    relative = (camera_from_world @ origin)[:, :3].tolist()
    return {"genxd.json": json.dumps(values).encode(), "genxd_rel.json": json.dumps(relative).encode()}


def cameras_zip(path: CameraPath) -> bytes:
    """A zip of the cameras in every format that can store their lenses."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in write_all(path).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def reconstruction_zip(frames: Frames, path: CameraPath, scene: Scene) -> bytes:
    """A COLMAP folder: images/ and sparse/0/ as text, with the generated frames, and points from the depth of the given views.

    Several given views are appended to the frames if they have the clip's size.
    """
    pictures = list(frames)
    views = [view for view in scene.views if (view.width, view.height) == (path.width, path.height)]
    if scene.kind == "views" and views:
        pictures += [view.colour for view in views]
        poses = np.concatenate([path.world_from_camera, [view.world_from_camera for view in views]])
        lenses = np.concatenate([path.intrinsics, [view.intrinsics for view in views]])
        path = CameraPath(poses, lenses, path.width, path.height, path.fps)
    return colmap_zip(np.stack(pictures), path, cloud_of(scene, most=MOST_POINTS))
