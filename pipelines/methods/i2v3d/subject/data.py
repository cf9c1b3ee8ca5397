"""Training data of a subject: the picture, and masked views rendered from its 3D."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from camera.errors import InputError
from camera.objects.scene import StagedScene
from camera.path import CameraPath, pinhole
from camera.trajectories.i2v3d import poses
from camera.view import Scene
from pipelines.method import Frames
from pipelines.methods.i2v3d.method import NO_PICTURE, I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import CoarseRenders, render_path

VIEWS: tuple[tuple[float, float], ...] = ((-30, 0), (-15, 10), (-10, -8), (10, -8), (15, 10), (30, 0))
"""Degrees around and over the subject. A scene from one picture has no back, so all views are from the front."""
ALL_ROUND: tuple[tuple[float, float], ...] = ((-30, 10), (30, 10), (90, -5), (150, 10), (-150, 10), (-90, -5))
"""The same for objects, which have a back."""
ROOM_AROUND = 1.5
"""Camera distance for `ALL_ROUND`, as a multiple of the distance at which the objects just fill the picture."""


@dataclass(frozen=True, eq=False)
class Views:
    """``pictures`` (V,S,S,3) uint8 and ``masks`` (V,S,S) uint8, 255 on the subject; square."""

    pictures: Frames
    masks: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.pictures.shape[1] != self.pictures.shape[2] or self.masks.shape != self.pictures.shape[:3]:
            raise InputError(
                f"Views of a subject are square with a mask each, got {self.pictures.shape[1:3]} and {self.masks.shape[1:]}."
            )


def render_views(scene: Scene, settings: I2V3DSettings, size: int) -> Views:
    """Six views of the scene's foreground, ``size`` pixels square; of its objects alone if it has any.

    Raises `InputError` if there is no foreground.
    """
    if isinstance(scene, StagedScene) and scene.objects:
        return _object_views(scene, settings, size)
    first = scene.first
    moved = np.stack([poses(2, around_degrees=around, over_degrees=over)[-1] for around, over in VIEWS])
    moved[:, :3, 3] *= first.focus_depth
    path = CameraPath(first.world_from_camera @ moved, first.intrinsics, first.width, first.height)
    *_, made = render_path(scene, path.fitted(size, size, "crop"), settings)
    assert isinstance(made, CoarseRenders)
    if not made.foreground.any(axis=(1, 2)).all():
        raise InputError("A view shows no foreground to learn; raise the foreground reach.")
    return Views(made.colour, made.foreground.astype(np.uint8) * 255)


def _object_views(scene: StagedScene, settings: I2V3DSettings, size: int) -> Views:
    """Views around the objects as in the first frame, without the picture behind them."""
    points = np.concatenate([part.vertices for part in scene.surfaces(0, 1, 24.0)]).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    lens = pinhole(size, size, 45.0)
    distance = ROOM_AROUND * float(np.linalg.norm(high - low)) / 2 / np.sin(np.radians(45.0 / 2))
    moved = np.stack([poses(2, around_degrees=around, over_degrees=over)[-1] for around, over in ALL_ROUND])
    moved[:, :3, 3] *= distance
    standing = np.eye(4)
    standing[:3, :3] = scene.world_from_stage[:3, :3] / scene.distance @ np.diag([1.0, -1, -1])
    standing[:3, 3] = (low + high) / 2 - distance * standing[:3, 2]
    path = CameraPath(standing @ moved, lens, size, size)
    held = [replace(item, keys=item.keys[:1], animation="") for item in scene.objects]
    alone = replace(settings, background=NO_PICTURE, foreground="objects")
    *_, made = render_path(scene.with_objects(held), path, alone)
    assert isinstance(made, CoarseRenders)
    return Views(made.colour, made.foreground.astype(np.uint8) * 255)


def resize_shorter_side(picture: NDArray[np.uint8], resolution: int) -> Image.Image:
    """Resize so that the shorter side is ``resolution``, bilinear with antialiasing."""
    height, width = picture.shape[:2]
    if width <= height:
        size = (resolution, int(resolution * height / width))
    else:
        size = (int(resolution * width / height), resolution)
    return Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)


def instance(picture: NDArray[np.uint8], resolution: int, *, mirrored: bool, top: int, left: int) -> Tensor:
    """(3,R,R) in -1..1: resized, mirrored, then cropped."""
    image = resize_shorter_side(picture, resolution)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _to_signed(np.asarray(image)[top : top + resolution, left : left + resolution])


def view(picture: NDArray[np.uint8], resolution: int) -> Tensor:
    """(3,R,R) in -1..1; neither mirrored nor cropped."""
    return _to_signed(np.asarray(resize_shorter_side(picture, resolution)))


def view_mask(mask: NDArray[np.uint8], resolution: int) -> Tensor:
    """(1,R/8,R/8) bool: True where the nearest pixel of the resized mask is not black."""
    values = torch.from_numpy(np.array(resize_shorter_side(mask, resolution)))[None, None].float() / 255
    return functional.interpolate(values, (resolution // 8, resolution // 8))[0] > 0


def _to_signed(picture: NDArray[np.uint8]) -> Tensor:
    return (torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
