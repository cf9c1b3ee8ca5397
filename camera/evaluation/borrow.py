"""Transfers a clip's camera move to another scene: the fewest keyframes within a tolerance, scaled to that scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.editing.keys import Key, KeyedMove
from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import angle_degrees, scipy_rotation
from camera.trajectories.keyframes import Curve, Keyframe, through


@dataclass(frozen=True)
class Tolerance:
    """Maximum deviation of the keys' curve from the clip's camera: ``degrees``, ``share`` of the total travel, ``lens`` as a share of the focal length."""

    degrees: float = 0.5
    share: float = 0.02
    lens: float = 0.01

    def __post_init__(self) -> None:
        if not (self.degrees > 0 and self.share > 0 and self.lens > 0):
            raise InputError("The tolerances of a borrowed move must be above zero.")


@dataclass(frozen=True, eq=False)
class BorrowedMove:
    """``keys``: frame numbers as times. ``path``: the curve through them. ``degrees``, ``share`` (of the largest distance travelled) and
    ``lens``: its largest deviations from the clip's camera."""

    keys: tuple[Keyframe, ...]
    path: CameraPath
    degrees: float
    share: float
    lens: float
    curve: Curve = "smooth"

    @property
    def move(self) -> KeyedMove:
        """The keys as a `KeyedMove`, in seconds; its path is ``path``."""
        size, fps = (self.path.width, self.path.height), self.path.fps
        cameras = [CameraPath(key.world_from_camera[None], key.intrinsics, *size, fps) for key in self.keys]
        keys = tuple(Key(camera, float(key.time or 0) / fps) for camera, key in zip(cameras, self.keys))
        return KeyedMove(keys, max(len(self.path) - 1, 1) / fps, curve=self.curve)

    @property
    def words(self) -> str:
        return (
            f"{len(self.keys)} keys for {len(self.path)} frames; they miss the clip's camera by at most {self.degrees:.2f} degrees, "
            f"{100 * self.share:.1f} % of the way and {100 * self.lens:.1f} % of the lens."
        )


def borrow_keys(path: CameraPath, tolerance: Tolerance | None = None, *, curve: Curve = "smooth") -> BorrowedMove:
    """A small set of keys: adds a key where the curve deviates most, then removes every key that is not needed."""
    tolerance = tolerance or Tolerance()
    chosen = [0] if len(path) == 1 else [0, len(path) - 1]
    while (worst := _worst_frame(path, chosen, tolerance, curve)) is not None:
        chosen = sorted({*chosen, worst})
    for frame in chosen[1:-1]:
        fewer = [one for one in chosen if one != frame]
        if _worst_frame(path, fewer, tolerance, curve) is None:
            chosen = fewer
    fitted = _curve(path, chosen, curve)
    turn, way, lens = (float(part.max()) for part in _deviations(fitted, path))
    return BorrowedMove(tuple(_key(path, frame) for frame in chosen), fitted, turn, way, lens, curve)


def smooth_path(path: CameraPath, frames: float) -> CameraPath:
    """Remove shake faster than about ``frames`` frames with a Gaussian filter over positions, rotations and lens; the ends stay close to the original."""
    if frames <= 0 or len(path) < 3:
        return path
    from scipy.ndimage import gaussian_filter1d

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        straight = values[0] + np.linspace(0, 1, len(values)).reshape(-1, *[1] * (values.ndim - 1)) * (
            values[-1] - values[0]
        )
        return straight + gaussian_filter1d(values - straight, frames, axis=0, mode="nearest")

    poses, lenses = path.world_from_camera.copy(), path.intrinsics.copy()
    poses[:, :3, 3] = smooth(poses[:, :3, 3])
    left, _, right = np.linalg.svd(smooth(poses[:, :3, :3]))
    poses[:, :3, :3] = left @ right
    lenses[:, 0, 0], lenses[:, 1, 1] = np.exp(smooth(np.log(lenses[:, [0, 1], [0, 1]]))).T
    return replace(path, world_from_camera=poses, intrinsics=lenses)


def scale_to_subject(path: CameraPath, subject_distance: float, clip_distance: float) -> CameraPath:
    """Scale the move to a scene whose subject is ``subject_distance`` away; in the clip it was ``clip_distance`` away, in the clip's unit."""
    if not (np.isfinite(clip_distance) and clip_distance > 0 and subject_distance > 0):
        raise InputError("Scaling a move needs two distances above zero: to the scene's subject and to the clip's.")
    return path.scaled(subject_distance / clip_distance)


def place_move(move: KeyedMove, camera: CameraPath, *, own_lens: bool = False) -> KeyedMove:
    """``move``, whose first key is its origin, placed to start at ``camera`` (one frame), in that picture's size.

    The lens is the camera's, scaled by the clip's relative change; with ``own_lens`` the clip's horizontal field of view is kept.
    """
    keys = move.cameras.relative_to_first().moved_to(camera.world_from_camera[0])
    focal = keys.intrinsics[:, 0, 0]
    ours = focal * camera.width / keys.width if own_lens else camera.intrinsics[0, 0, 0] * focal / focal[0]
    lenses = np.repeat(camera.intrinsics[:1], len(keys), axis=0)
    lenses[:, :2, :2] *= (ours / camera.intrinsics[0, 0, 0])[:, None, None]
    placed = replace(keys, intrinsics=lenses, width=camera.width, height=camera.height)
    return move.with_cameras(placed)


def _key(path: CameraPath, frame: int) -> Keyframe:
    return Keyframe(path.world_from_camera[frame], path.intrinsics[frame], float(frame))


def _curve(path: CameraPath, chosen: list[int], curve: Curve) -> CameraPath:
    keys = [_key(path, frame) for frame in chosen]
    return through(keys, frames=len(path), width=path.width, height=path.height, fps=path.fps, curve=curve)


def _deviations(fitted: CameraPath, path: CameraPath) -> tuple[NDArray, NDArray, NDArray]:
    """Deviations per frame: degrees, share of the largest distance travelled, share of the focal length."""
    size = float(np.linalg.norm(path.centres - path.centres[0], axis=1).max())
    away = np.linalg.norm(fitted.centres - path.centres, axis=1) / (size if size > 1e-12 else 1.0)
    lens = np.abs(fitted.intrinsics[:, 0, 0] / path.intrinsics[:, 0, 0] - 1)
    return angle_degrees(fitted.world_from_camera[:, :3, :3], path.world_from_camera[:, :3, :3]), away, lens


def _worst_frame(path: CameraPath, chosen: list[int], tolerance: Tolerance, curve: Curve) -> int | None:
    """The frame with the largest deviation; None if all are within the tolerance."""
    if len(chosen) == len(path):
        return None
    turn, way, lens = _deviations(_curve(path, chosen, curve), path)
    over = np.maximum.reduce([turn / tolerance.degrees, way / tolerance.share, lens / tolerance.lens])
    over[chosen] = 0
    return int(over.argmax()) if over.max() > 1 else None


def rotvec_degrees(path: CameraPath) -> NDArray[np.float64]:
    """(F,3): rotation vectors relative to the first camera, in degrees, continuous beyond full turns."""
    turns = path.relative_to_first().world_from_camera[:, :3, :3]
    steps = scipy_rotation().from_matrix(np.swapaxes(turns[:-1], 1, 2) @ turns[1:]).as_rotvec(degrees=True)
    world = (turns[:-1] @ steps[:, :, None])[:, :, 0]
    return np.concatenate([np.zeros((1, 3)), np.cumsum(world, axis=0)])
