"""nerfstudio's ``transforms.json`` (a data set) and its camera path (what its viewer renders)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import half_pixel_lens, integer_pixel_lens, nerfstudio_from_opencv, opencv_from_nerfstudio
from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account, Fields, refusal
from camera.formats.parsing import entries, field, like_or_refuse, natural_key, number, pose, size
from camera.path import CameraPath

DISTORTION = ("k1", "k2", "p1", "p2", "k3", "k4")
"""Distortion coefficients, the first five in OpenCV's order."""
WIDE_ANGLE = ("is_fisheye", "ftheta_p0", "latlong", "equirectangular")
"""Fields that mark non-perspective lenses in instant-ngp."""
IDLE = (
    "aabb_scale", "aabb", "scale", "offset", "ply_file_path", "applied_transform", "applied_scale", "orientation_override",
    "train_filenames", "val_filenames", "test_filenames", "white_transparent", "black_transparent", "enable_depth_loading",
    "integer_depth_scale", "sharpness", "colmap_im_id", "depth_file_path", "mask_path", "up", "frames_count", "n_frames",
)  # fmt: skip
"""Known fields of data sets that do not affect the cameras."""


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """A frame of ``transforms.json``: ``world_from_camera`` (4,4) and ``matrix`` (3,3), OpenCV axes; ``distortion`` (6,)."""

    file_path: str
    world_from_camera: NDArray[np.float64]
    matrix: NDArray[np.float64]
    width: int
    height: int
    distortion: NDArray[np.float64]


def frames_of(values: dict[str, Any], name: str, like: CameraPath | None, account: Account) -> list[PosedFrame]:
    """The frames in the natural order of their file names; sizes come from ``like`` if the file has none.

    Raises `InputError` for lenses that are not perspective.
    """
    shared = account.fields(values, idle=IDLE)
    frames = entries(shared, "frames", name)
    posed = []
    for index, frame in enumerate(frames):
        where = f"frame {index} of {name}"
        own = account.fields(frame, "frames", idle=IDLE) if isinstance(frame, Mapping) else frame
        matrix = pose(field(own, "transform_matrix", where), f"transform_matrix of {where}")
        lens_matrix, width, height, distortion = _lens(own.over(shared), where, like, account)
        posed.append(PosedFrame(str(own.get("file_path", "")), matrix, lens_matrix, width, height, distortion))
    in_our_axes = opencv_from_nerfstudio(np.stack([each.world_from_camera for each in posed]))
    posed = [replace(each, world_from_camera=matrix) for each, matrix in zip(posed, in_our_axes)]
    return sorted(posed, key=lambda each: natural_key(each.file_path))


def read_transforms(values: dict[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The cameras of `frames_of` as one path; notes report distortion and differing sizes. The rate comes from the file, else from ``like``."""
    posed = frames_of(values, name, like, account)
    if count := sum(bool(each.distortion.any()) for each in posed):
        terms = [key for key, term in zip(DISTORTION, np.abs([each.distortion for each in posed]).max(axis=0)) if term]
        account.say(
            f"The lens of {count} of {len(posed)} cameras of {name} is distorted ({', '.join(terms)}); the path is shot without "
            "distortion."
        )
    given = account.fields({"fps": values["fps"]})["fps"] if "fps" in values else (like.fps if like else 24.0)
    fps = number(given, f"'fps' of {name}", minimum=1e-3, maximum=1e6)
    sized = [(each.matrix, each.width, each.height) for each in posed]
    lenses, width, height = lens.fit_to_one_size(sized, account)
    return CameraPath(np.stack([each.world_from_camera for each in posed]), lenses, width, height, fps)


def write_transforms(path: CameraPath) -> bytes:
    matrices = half_pixel_lens(lens.require_no_skew(path, "transforms.json").intrinsics)
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


_PATH_IDLE = (
    "keyframes",
    "seconds",
    "is_cycle",
    "smoothness_value",
    "default_fov",
    "default_transition_sec",
    "aspect",
    "crop",
)


def read_camera_path(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Rendered cameras of nerfstudio's viewer; ``fov`` is vertical. Without ``fps`` the rate is that of ``like``, or 24."""
    values = account.fields(values, idle=_PATH_IDLE)
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
        camera = account.fields(camera, "camera_path", idle=_PATH_IDLE) if isinstance(camera, Mapping) else camera
        poses.append(pose(field(camera, "camera_to_world", where), f"camera_to_world of {where}"))
        fov.append(number(field(camera, "fov", where), f"'fov' of {where}"))
    given = values.get("fps")
    fps = number(given, f"'fps' of {name}", minimum=1e-3, maximum=1e6) if given else (like.fps if like else 24.0)
    intrinsics = lens.lenses_from_fov(np.array(fov), width=width, height=height, across=False)
    return CameraPath(opencv_from_nerfstudio(np.stack(poses)), intrinsics, width, height, fps)


def write_camera_path(path: CameraPath) -> bytes:
    """Write every frame as a rendered camera, and the first and last as key frames."""
    lens.require_centred_square(path, "A nerfstudio camera path")
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


def _lens(
    values: Fields, where: str, like: CameraPath | None, account: Account
) -> tuple[NDArray[np.float64], int, int, NDArray[np.float64]]:
    """Intrinsics (3,3), width, height and distortion (6,) of a frame; its own fields override those of the file.

    As in instant-ngp and nerfstudio: ``fl_x`` takes precedence over ``camera_angle_x``, missing vertical values equal the horizontal ones,
    and ``cx`` and ``cy`` apply in both cases.
    """
    for key in WIDE_ANGLE:
        if values.get(key) not in (None, False):
            raise refusal(repr(key), where, "a non-perspective lens", "undistort the pictures and cameras first")
    model = values.get("camera_model", "PINHOLE")
    if model not in ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL"):
        raise InputError(
            f"The camera model of {where} is {str(model)[:40]!r}; only perspective lenses can be followed."
        )
    distortion = np.array([number(values.get(key, 0), f"{key!r} of {where}") for key in DISTORTION])
    if "w" in values and "h" in values:
        width, height = size(values["w"], values["h"], where)
    else:
        given = like_or_refuse(like, where, "picture size (w, h)")
        width, height = given.width, given.height
    fx, fy = _focal(values, "x", width, where, account), _focal(values, "y", height, where, account)
    if fx is None and fy is None:
        field(values, "camera_angle_x", where)
    fx, fy = fx or fy, fy or fx
    cx = number(values.get("cx", width / 2), f"'cx' of {where}")
    cy = number(values.get("cy", height / 2), f"'cy' of {where}")
    return integer_pixel_lens([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), width, height, distortion


def _focal(values: Fields, axis: str, side: int, where: str, account: Account) -> float | None:
    """Focal length in pixels across ("x") or down ("y"), from ``fl_`` or the field of view in radians; None without either."""
    key = f"camera_angle_{axis}"
    by_angle = None
    if key in values:
        angle = number(values[key], f"{key!r} of {where}", minimum=0.02, maximum=2.96)
        by_angle = side / (2 * math.tan(angle / 2))
    if f"fl_{axis}" not in values:
        return by_angle
    focal = number(values[f"fl_{axis}"], f"'fl_{axis}' of {where}", minimum=1e-3)
    if by_angle is not None and abs(by_angle / focal - 1) > 0.01:
        account.say(f"{key} of {account.name} says another lens than fl_{axis}, which is taken.")
    return focal
