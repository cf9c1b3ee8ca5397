"""Files beside a clip: cameras as the original code writes them, and a folder for reconstruction tools."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.cloud import cloud_of
from camera.formats.colmap import write_txt
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Frames

MOST_POINTS = 20_000


def camera_files(path: CameraPath, origin: NDArray[np.float64]) -> dict[str, bytes]:
    """The original's two files: all cameras, and the same relative to the first given one (``origin``, 4x4).

    camera_from_world (3,4), OpenCV axes; as there, the middle of the picture lies at half its size.
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


def reconstruction_zip(frames: Frames, path: CameraPath, scene: Scene) -> bytes:
    """A COLMAP folder: images/ and sparse/0/ as text, with the made frames and points of the given views' depth.

    Several given views follow the frames, where they have the clip's size.
    """
    pictures = list(frames)
    views = [view for view in scene.views if (view.width, view.height) == (path.width, path.height)]
    if scene.kind == "views" and views:
        pictures += [view.colour for view in views]
        poses = np.concatenate([path.world_from_camera, [view.world_from_camera for view in views]])
        lenses = np.concatenate([path.intrinsics, [view.intrinsics for view in views]])
        path = CameraPath(poses, lenses, path.width, path.height, path.fps)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, zipfile.ZipFile(io.BytesIO(write_txt(path))) as model:
        for i, picture in enumerate(pictures, 1):
            archive.writestr(f"images/frame_{i:05d}.png", png(picture))  # the names that the model gives them
        for name in model.namelist():
            content = _points(scene) if name.endswith("points3D.txt") else model.read(name)
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be written as png")
    return data.tobytes()


def _points(scene: Scene) -> str:
    """points3D.txt with points of the scene's known depth; no picture is said to see them."""
    cloud = cloud_of(scene, most=MOST_POINTS)
    rows = zip(cloud.points.tolist(), cloud.colours.tolist())
    return "".join(
        f"{i} {x:.6g} {y:.6g} {z:.6g} {red} {green} {blue} 0\n"
        for i, ((x, y, z), (red, green, blue)) in enumerate(rows, 1)
    )
