"""Files beside a clip: cameras as the original code writes them, and a folder for reconstruction tools."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.path import CameraPath
from camera.view import Scene
from pipelines.genxd.colmap import model_text
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

    Several given views are added as pictures where they have the clip's size.
    """
    names = [f"{i:03d}.png" for i in range(len(frames))]
    pictures = list(frames)
    views = [view for view in scene.views if (view.width, view.height) == (path.width, path.height)]
    if scene.kind == "views" and views:
        names += [f"given_{i:03d}.png" for i in range(len(views))]
        pictures += [view.colour for view in views]
        poses = np.concatenate([path.world_from_camera, [view.world_from_camera for view in views]])
        lenses = np.concatenate([path.intrinsics, [view.intrinsics for view in views]])
        path = CameraPath(poses, lenses, path.width, path.height, path.fps)
    text = model_text(path, names, *_points(scene))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, picture in zip(names, pictures):
            archive.writestr(f"images/{name}", png(picture))
        for name, content in text.items():
            archive.writestr(f"sparse/0/{name}", content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be written as png")
    return data.tobytes()


def _points(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Up to `MOST_POINTS` points (P,3) with colours, evenly from the views whose depth is known."""
    views = scene.views if scene.kind == "views" else scene.views[:1]
    points, colours = [], []
    for view in views:
        y, x = np.nonzero(view.known)
        step = max(1, len(x) * len(views) // MOST_POINTS)
        y, x = y[step // 2 :: step], x[step // 2 :: step]
        rays = np.linalg.inv(view.intrinsics) @ np.stack([x, y, np.ones_like(x)])
        local = (rays * view.depth[y, x]).T
        points.append(local @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3])
        colours.append(view.colour[y, x])
    return np.concatenate(points), np.concatenate(colours)
