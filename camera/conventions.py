"""Conversions of poses and lenses between other programs' conventions and ours: OpenCV axes, world-from-camera, pixel centres at integers.

| who | camera axes | world | matrix |
|---|---|---|---|
| ours, COLMAP, GEN3C, GenXD | x right, y down, z forward | as given | world from camera (COLMAP: camera from world) |
| OpenGL, nerfstudio | x right, y up, z backward | as given | world from camera |
| glTF, USD, Nuke | x right, y up, z backward | y up | world from camera |
| Blender | x right, y up, z backward | z up | world from camera |
| PyTorch3D | x left, y up, z forward | as given | camera from world, for row vectors: ``X_camera = X_world @ R + T`` |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.path import inverse

FULL_FRAME_MM = 36.0
"""Width of a full-frame sensor, the reference for focal lengths in millimetres."""
Y_UP = np.array([1, -1, -1], np.float32)
"""Multiply points (...,3) of our world by this for the axes of glTF and USD: y up, z backward."""
_Y_AND_Z = np.diag([1.0, -1.0, -1.0, 1.0])
_X_AND_Y = np.diag([-1.0, -1.0, 1.0])
_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Blender's world from ours: our up (-y) becomes z, our forward (z) becomes y."""


def opengl_from_opencv(world_from_camera: ArrayLike) -> NDArray[np.float64]:
    """Poses (...,4,4) with camera axes x right, y up, z backward; the world is unchanged. Its own inverse."""
    return np.asarray(world_from_camera, dtype=np.float64) @ _Y_AND_Z


opencv_from_opengl = opengl_from_opencv
nerfstudio_from_opencv = opengl_from_opencv
opencv_from_nerfstudio = opengl_from_opencv


def y_up_from_opencv(world_from_camera: ArrayLike) -> NDArray[np.float64]:
    """Poses (...,4,4) with OpenGL camera axes in a y-up world: points become (x, -y, -z). Its own inverse."""
    return _Y_AND_Z @ opengl_from_opencv(world_from_camera)


opencv_from_y_up = y_up_from_opencv


def blender_from_opencv(world_from_camera: ArrayLike) -> NDArray[np.float64]:
    """Poses (...,4,4) with OpenGL camera axes in a z-up world: points become (x, z, -y)."""
    return _Z_UP @ opengl_from_opencv(world_from_camera)


def opencv_from_blender(world_from_camera: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `blender_from_opencv`."""
    return _Z_UP.T @ opencv_from_opengl(world_from_camera)


def pytorch3d_from_opencv(world_from_camera: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """PyTorch3D's R (...,3,3) and T (...,3) from poses (...,4,4)."""
    camera_from_world = inverse(world_from_camera)
    rotation = np.swapaxes(_X_AND_Y @ camera_from_world[..., :3, :3], -1, -2)
    return rotation, camera_from_world[..., :3, 3] @ _X_AND_Y


def opencv_from_pytorch3d(rotation: ArrayLike, translation: ArrayLike) -> NDArray[np.float64]:
    """Poses (...,4,4) from PyTorch3D's R (...,3,3) and T (...,3)."""
    rotation = np.asarray(rotation, dtype=np.float64)
    camera_from_world = np.zeros((*rotation.shape[:-2], 4, 4))
    camera_from_world[..., :3, :3] = _X_AND_Y @ np.swapaxes(rotation, -1, -2)
    camera_from_world[..., :3, 3] = np.asarray(translation) @ _X_AND_Y
    camera_from_world[..., 3, 3] = 1
    return inverse(camera_from_world)


def pytorch3d_lens(intrinsics: ArrayLike, *, width: int, height: int) -> NDArray[np.float64]:
    """Focal lengths and principal point (...,4) in PyTorch3D's NDC: the shorter side spans 2, x left, y up."""
    lens = half_pixel_lens(intrinsics)
    half = min(width, height) / 2
    focal = lens[..., [0, 1], [0, 1]] / half
    return np.concatenate([focal, (np.array([width, height]) / 2 - lens[..., :2, 2]) / half], axis=-1)


def half_pixel_lens(intrinsics: ArrayLike) -> NDArray[np.float64]:
    """Intrinsics (...,3,3) for pixel centres at half-integers (COLMAP, nerfstudio), from ours at integers."""
    return np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]) @ np.asarray(intrinsics, dtype=np.float64)


def integer_pixel_lens(intrinsics: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `half_pixel_lens`."""
    return np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ np.asarray(intrinsics, dtype=np.float64)


def lens_fractions(intrinsics: ArrayLike, *, width: int, height: int) -> NDArray[np.float64]:
    """fx, fy, cx, cy (...,4) as fractions of width and height (RealEstate10K, GenXD, DualCamCtrl); the image centre is 0.5."""
    lens = half_pixel_lens(intrinsics) / np.array([[width], [height], [1]])
    return np.concatenate([lens[..., [0, 1], [0, 1]], lens[..., :2, 2]], axis=-1)


def lens_from_fractions(fractions: ArrayLike, *, width: int, height: int) -> NDArray[np.float64]:
    """The inverse of `lens_fractions`: intrinsics (...,3,3)."""
    fx, fy, cx, cy = np.moveaxis(np.asarray(fractions, dtype=np.float64), -1, 0)
    lens = np.zeros((*fx.shape, 3, 3))
    lens[..., 0, 0], lens[..., 0, 2] = fx * width, cx * width - 0.5
    lens[..., 1, 1], lens[..., 1, 2] = fy * height, cy * height - 0.5
    lens[..., 2, 2] = 1
    return lens
