"""nerfstudio's ``transforms.json`` (a data set) and its camera path (what its viewer renders)."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import half_pixel_lens, integer_pixel_lens, nerfstudio_from_opencv, opencv_from_nerfstudio
from camera.errors import InputError
from camera.formats import lens
from camera.formats.parsing import entries, field, like_or_refuse, number, pose, size
from camera.path import CameraPath, pinhole

_DISTORTIONS = ("k1", "k2", "k3", "k4", "p1", "p2")


def read_transforms(values: dict[str, Any], name: str, like: CameraPath | None) -> CameraPath:
    """Frames in the order of their file names. Size and rate are those of ``like`` where the file has none.

    Raises `InputError` for distorted or non-perspective lenses, and for frames of different sizes.
    """
    frames = entries(values, "frames", name)
    named = [(frame, f"frame {index} of {name}") for index, frame in enumerate(frames)]
    matrices = [pose(field(frame, "transform_matrix", where), f"transform_matrix of {where}") for frame, where in named]
    order = sorted(range(len(frames)), key=lambda index: natural(str(frames[index].get("file_path", ""))))
    poses, lenses, sizes = [], [], set()
    for index in order:
        frame, where = named[index]
        poses.append(matrices[index])
        matrix, width, height = _lens({**values, **frame}, where, like)
        lenses.append(matrix)
        sizes.add((width, height))
    if len(sizes) > 1:
        raise InputError(f"The frames of {name} have several sizes, {sorted(sizes)[:3]}; a camera path needs one.")
    width, height = sizes.pop()
    fps = number(values.get("fps", like.fps if like else 24.0), f"'fps' of {name}", minimum=1e-3, maximum=1e6)
    return CameraPath(opencv_from_nerfstudio(np.stack(poses)), np.stack(lenses), width, height, fps)


def write_transforms(path: CameraPath) -> bytes:
    matrices = half_pixel_lens(lens.without_skew(path, "transforms.json").intrinsics)
    frames = [
        {
            "file_path": f"images/frame_{index + 1:05d}.png",
            "fl_x": float(matrix[0, 0]), "fl_y": float(matrix[1, 1]),
            "cx": float(matrix[0, 2]), "cy": float(matrix[1, 2]),
            "transform_matrix": world_from_camera.tolist(),
        }
        for index, (matrix, world_from_camera) in enumerate(
            zip(matrices, nerfstudio_from_opencv(path.world_from_camera))
        )
    ]  # fmt: skip
    values = {"camera_model": "PINHOLE", "w": path.width, "h": path.height, "fps": path.fps, "frames": frames}
    return json.dumps(values).encode()


def read_camera_path(values: dict[str, Any], name: str, like: CameraPath | None) -> CameraPath:
    """Rendered cameras of nerfstudio's viewer; ``fov`` is vertical."""
    if values.get("camera_type", "perspective") != "perspective":
        raise InputError(f"{name} has the camera type {values['camera_type']!r}; only 'perspective' can be followed.")
    cameras = entries(values, "camera_path", name)
    width, height = size(
        field(values, "render_width", name),
        field(values, "render_height", name),
        f"{name} (render_width, render_height)",
    )
    poses, fov = [], []
    for index, camera in enumerate(cameras):
        where = f"camera {index} of {name}"
        poses.append(pose(field(camera, "camera_to_world", where), f"camera_to_world of {where}"))
        fov.append(number(field(camera, "fov", where), f"'fov' of {where}"))
    given = values.get("fps")
    fps = number(given, f"'fps' of {name}", minimum=1e-3, maximum=1e6) if given else (like.fps if like else 24.0)
    intrinsics = lens.of_fov(np.array(fov), width=width, height=height, across=False)
    return CameraPath(opencv_from_nerfstudio(np.stack(poses)), intrinsics, width, height, fps)


def write_camera_path(path: CameraPath) -> bytes:
    """Every frame is a rendered camera, and the first and last are key frames."""
    lens.centred_square(path, "A nerfstudio camera path")
    poses = nerfstudio_from_opencv(path.world_from_camera)
    aspect = path.width / path.height
    cameras = [
        {"camera_to_world": matrix.ravel().tolist(), "fov": float(fov), "aspect": aspect}
        for matrix, fov in zip(poses, path.fov_degrees[:, 1])
    ]
    ends = [{"matrix": c["camera_to_world"], "fov": c["fov"], "aspect": aspect} for c in (cameras[0], cameras[-1])]
    values = {
        "camera_type": "perspective",
        "render_width": path.width,
        "render_height": path.height,
        "fps": path.fps,
        "seconds": path.seconds,
        "is_cycle": False,
        "smoothness_value": 0,
        "keyframes": ends,
        "camera_path": cameras,
    }
    return json.dumps(values).encode()


def _lens(values: dict[str, Any], where: str, like: CameraPath | None) -> tuple[NDArray[np.float64], int, int]:
    """Intrinsics (3,3), width and height of a frame whose own fields go before those of the file."""
    model = values.get("camera_model", "PINHOLE")
    if model not in ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL"):
        raise InputError(
            f"The camera model of {where} is {str(model)[:40]!r}; only perspective lenses can be followed."
        )
    bent = [key for key in _DISTORTIONS if abs(number(values.get(key, 0), f"{key!r} of {where}")) > 1e-9]
    if bent:
        raise InputError(f"The lens of {where} is distorted ({bent[0]}); undistort the pictures and cameras first.")
    if "w" in values and "h" in values:
        width, height = size(values["w"], values["h"], where)
    else:
        given = like_or_refuse(like, where, "picture size (w, h)")
        width, height = given.width, given.height
    if "fl_x" not in values:
        angle = number(
            field(values, "camera_angle_x", where), f"'camera_angle_x' of {where}", minimum=0.02, maximum=2.96
        )
        return pinhole(width, height, float(np.degrees(angle))), width, height
    fx = number(values["fl_x"], f"'fl_x' of {where}", minimum=1e-3)
    fy = number(values.get("fl_y", fx), f"'fl_y' of {where}", minimum=1e-3)
    cx = number(values.get("cx", width / 2), f"'cx' of {where}")
    cy = number(values.get("cy", height / 2), f"'cy' of {where}")
    return integer_pixel_lens([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), width, height


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts frame_9 before frame_10."""
    return [(0, int(part[:18]), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", text)]
