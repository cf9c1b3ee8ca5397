"""Several pictures of one moment with their cameras, and the scene that they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.genxd_fits import common_point
from camera.view import Scene, View

FEWEST_POINTS = 20
"""Minimum number of points visible in every picture for spreading depth from them."""
LONGEST_SIDE = 1280
"""Maximum side of pictures used for estimating cameras."""


@dataclass(frozen=True, eq=False)
class PosedPictures:
    """``pictures`` (N,H,W,3) uint8 and ``path``, one frame of W x H for each.

    ``points`` (P,3) and ``colours`` (P,3) uint8: sparse points in the same world, possibly none. ``splits``: for 3, 6 or
    9 given views, the pictures to give and the pictures to generate. ``near_far``: depth bounds (N,2) of each view.
    """

    pictures: NDArray[np.uint8]
    path: CameraPath
    name: str = "views"
    source: str = "given cameras"
    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    colours: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    splits: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    near_far: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.path), self.path.height, self.path.width, 3)
        if self.pictures.shape != shape:
            raise InputError(
                f"There must be one camera per picture and of its size: the cameras are {shape[0]} of {shape[2]} x "
                f"{shape[1]}, the pictures {len(self.pictures)} of {self.pictures.shape[2]} x {self.pictures.shape[1]}."
            )

    def chosen(self, numbers: Sequence[int]) -> PosedPictures:
        """Only these pictures, in this order; drops the data set's splits."""
        indices = list(numbers)
        poses, lenses = self.path.world_from_camera[indices], self.path.intrinsics[indices]
        path = CameraPath(poses, lenses, self.path.width, self.path.height, self.path.fps)
        near_far = None if self.near_far is None else self.near_far[indices]
        return PosedPictures(
            self.pictures[indices], path, self.name, self.source, self.points, self.colours, near_far=near_far
        )

    def scene(self) -> Scene:
        """The views with rough depth: spread from the points, or a plane through the point that all views look at."""
        spread = [depth for i in range(len(self.path)) if (depth := self._spread(i)) is not None]
        if len(spread) == len(self.path):
            depths, source = spread, f"depth spread from {len(self.points)} sparse points"
        else:
            depths = [np.full(self.pictures.shape[1:3], distance) for distance in self._distances()]
            source = "a backdrop where the views look, not measured depth"
        views = tuple(
            View.of(picture, depth, lens, pose)
            for picture, depth, lens, pose in zip(
                self.pictures, depths, self.path.intrinsics, self.path.world_from_camera
            )
        )
        return Scene(views, "views", "relative", self.path.fps, source, self.name)

    def _spread(self, view: int) -> NDArray[np.float64] | None:
        pixels, depths = self.seen_points(view)
        if len(depths) < FEWEST_POINTS:
            return None
        from pipelines.estimation.sparse_depth import spread_depth

        return spread_depth(pixels, depths, self.path.height, self.path.width)

    def seen_points(self, view: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (K,2) and depths (K,) of the points inside a picture and in front of its camera, the nearest last."""
        inside = self.points @ self.path.camera_from_world[view, :3, :3].T + self.path.camera_from_world[view, :3, 3]
        inside = inside[inside[:, 2] > 1e-9]
        projected = inside @ self.path.intrinsics[view].T
        pixels = projected[:, :2] / projected[:, 2:]
        limits = np.array([self.path.width, self.path.height]) - 0.5
        visible = ((pixels > -0.5) & (pixels < limits)).all(axis=1)
        order = np.argsort(-inside[visible, 2], kind="stable")
        return pixels[visible][order], inside[visible, 2][order]

    def _distances(self) -> NDArray[np.float64]:
        """(N,): distances between the depth bounds, else of the point that all views look at, else twice their greatest distance."""
        if self.near_far is not None:
            return 1 / (1 / self.near_far).mean(axis=1)
        apart = np.linalg.norm(self.path.centres[:, None] - self.path.centres[None], axis=2).max()
        far = np.full(len(self.path), 2 * apart if apart > 0 else 1.0)
        if len(self.path) < 2:
            return far
        try:
            point = common_point(self.path.world_from_camera)
        except InputError:
            return far
        depths = (self.path.camera_from_world @ np.append(point, 1))[:, 2]
        return depths if (depths > 0.1 * apart).all() else far


@dataclass(frozen=True)
class SceneWithTruth(Scene):
    """A scene with ground truth. ``truth``: pictures of its world from cameras that a path may include."""

    truth: PosedPictures | None = None


def add_truth(scene: Scene, truth: PosedPictures | None) -> Scene:
    """The scene with its ground ``truth``, if there is any."""
    if truth is None:
        return scene
    return SceneWithTruth(**{each.name: getattr(scene, each.name) for each in fields(Scene)}, truth=truth)


def pair_with_cameras(pictures: Sequence[NDArray[np.uint8]], path: CameraPath, *, name: str = "views") -> PosedPictures:
    """Pair pictures with cameras, in order; cameras for another size with the same aspect ratio are adapted."""
    stack = stack_pictures(pictures)
    height, width = stack.shape[1:3]
    if abs(path.width / path.height - width / height) > 0.02 * width / height:
        raise InputError(
            f"The cameras were given for pictures of {path.width} x {path.height}, the pictures are {width} x {height}; "
            "use the uncropped pictures."
        )
    return PosedPictures(stack, path.resized(width, height), name)


def estimate_cameras(
    pictures: Sequence[NDArray[np.uint8]], *, one_lens: bool = True, name: str = "views"
) -> PosedPictures:
    """Estimate cameras by structure from motion; drops pictures without a camera. Needs pycolmap, see `reconstruct`."""
    import cv2

    from pipelines.estimation.sfm import reconstruct

    if len(pictures) < 2:
        raise InputError("Cameras can be found for two or more pictures of one scene; add pictures.")
    stack = stack_pictures(pictures)
    height, width = stack.shape[1:3]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = (round(width * scale), round(height * scale))
    small = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in stack])
    found = reconstruct(small, one_lens=one_lens)
    source = f"cameras of {len(found.frames)} of {len(stack)} pictures, estimated"
    return PosedPictures(small[list(found.frames)], found.path, name, source, found.points, found.colours)


def stack_pictures(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(N,H,W,3); raises `InputError` if the sizes differ."""
    sizes = {picture.shape[1::-1] for picture in pictures}
    if len(sizes) != 1:
        raise InputError(f"The pictures must all have one size, got {sorted(sizes)}; resize or crop them first.")
    return np.stack(pictures)
