"""OpenCV's calibration files (YAML or XML of ``cv::FileStorage``): a lens, and the boards' poses if they were saved.

``camera_matrix`` (3x3, pixels, centres at integers), ``image_width image_height``, ``distortion_coefficients``, and
``extrinsic_parameters`` (N,6): rotation vector and translation, camera from board. Source: OpenCV's ``samples/cpp/calibration.cpp``
and ``tutorial_code/calib3d/camera_calibration``, which write these files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.parsing import like_or_refuse, number, numbers, size, text_of
from camera.path import CameraPath, inverse
from camera.rotation import scipy_rotation

_NAMES = {"camera_matrix": ("camera_matrix", "Camera_Matrix", "K", "M1"),
          "distortion": ("distortion_coefficients", "Distortion_Coefficients", "D"),
          "poses": ("extrinsic_parameters", "Extrinsic_Parameters"),
          "width": ("image_width", "image_Width"), "height": ("image_height", "image_Height")}  # fmt: skip
_IDLE = ("calibration_time", "nframes", "nrOfFrames", "nr_of_frames", "board_width", "board_height", "square_size", "flags",
         "fix_aspect_ratio", "avg_reprojection_error", "Avg_Reprojection_Error", "per_view_reprojection_errors",
         "Per_View_Reprojection_Errors", "image_points", "Image_points", "board_Width", "board_Height", "square_Size",
         "per_view_count", "camera_name", "aspectRatio", "grid_points")  # fmt: skip


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """One camera per view of the board; without views, the cameras of ``like`` with this lens."""
    values = account.fields(_nodes(text_of(data, name), name), idle=_IDLE)
    keys_of = {part: next((key for key in keys if key in values), None) for part, keys in _NAMES.items()}
    if keys_of["camera_matrix"] is None:
        raise InputError(
            f"{name} holds no camera_matrix; give OpenCV's calibration file, got {', '.join(values) or 'nothing'}."
        )
    matrix = numbers(values[keys_of["camera_matrix"]], (3, 3), f"{keys_of['camera_matrix']} of {name}")
    number(float(matrix[0, 0]), f"the focal length of {name}", minimum=1e-3)
    width, height = _size(values, keys_of, name, like, account)
    if keys_of["distortion"] is not None and np.any(values[keys_of["distortion"]]):
        account.say(f"The lens of {name} is distorted; the path is that of a lens without distortion.")
    if keys_of["poses"] is None:
        wanted = like_or_refuse(like, name, "poses of its cameras")
        account.say(f"{name} has a lens but no poses; the cameras keep theirs and take this lens.")
        poses = wanted.world_from_camera
    else:
        poses = _poses(values[keys_of["poses"]], name)
    lenses = np.repeat(matrix[None], len(poses), axis=0)
    return CameraPath(poses, lenses, width, height, like.fps if like else 24.0)


def _poses(value: Any, name: str) -> NDArray[np.float64]:
    rows = numbers(value, (-1, 6), f"extrinsic_parameters of {name}")
    poses = np.repeat(np.eye(4)[None], len(rows), axis=0)
    poses[:, :3, :3] = scipy_rotation().from_rotvec(rows[:, :3]).as_matrix()
    poses[:, :3, 3] = rows[:, 3:]
    return inverse(poses)


def _size(
    values: Any, keys_of: dict[str, str | None], name: str, like: CameraPath | None, account: Account
) -> tuple[int, int]:
    if keys_of["width"] is not None and keys_of["height"] is not None:
        return size(values[keys_of["width"]], values[keys_of["height"]], name)
    wanted = like_or_refuse(like, name, "picture size (image_width, image_height)")
    account.say(
        f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."
    )
    return wanted.width, wanted.height


def _nodes(text: str, name: str) -> dict[str, Any]:
    """Matrices, numbers and strings by name; other nodes become None."""
    import cv2

    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        if not storage.isOpened():
            raise InputError(f"{name} is not an OpenCV file; give the calibration that cv::FileStorage wrote.")
        root = storage.root()
        names: list[str] = list(root.keys())
        return {key: _value(root.getNode(key)) for key in names}
    except (cv2.error, SystemError, RuntimeError, UnicodeError) as error:
        raise InputError(f"{name} cannot be read as OpenCV's; write it again with cv::FileStorage.") from error


def _value(node: Any) -> Any:
    if node.isMap():
        matrix = node.mat()
        return None if matrix is None else matrix.tolist()
    if node.isInt() or node.isReal():
        return node.real()
    return node.string() if node.isString() else None
