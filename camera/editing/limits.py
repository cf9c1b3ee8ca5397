"""Fits a move to its scene: reduces the motion just enough to stay within limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.render.scene import render
from camera.rotation import angle_degrees, slerp
from camera.view import Scene

SIDE = 160
"""Longer side, in pixels, of the renders in which holes and near surfaces are measured."""
STEPS = 7
"""Bisection steps for the fraction of a frame's motion that can be kept."""
NEAREST_SHARE = 0.002
"""Fraction of the picture that must be near for a surface to count; excludes single pixels at depth edges."""


@dataclass(frozen=True)
class Limits:
    """Limits of a move; None for no limit. ``new_share``: maximum fraction of a frame that no picture shows, 0 to 1. ``nearest``:
    minimum distance to all surfaces, scene units. ``degrees_per_frame``: maximum rotation. ``travel`` and ``turn_degrees``: maximum
    distance and angle from the first camera, in scene units and degrees, for example those a method was trained on."""

    new_share: float | None = 0.2
    nearest: float | None = None
    degrees_per_frame: float | None = None
    travel: float | None = None
    turn_degrees: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise InputError(f"The limit {name.replace('_', ' ')} must be 0 or more, got {value}.")


@dataclass(frozen=True, eq=False)
class LimitedPath:
    """A ``path`` within the limits. ``kept`` (F,): share of each frame's motion that remains, 0 to 1; ``words``: what changed."""

    path: CameraPath
    kept: NDArray[np.float64]
    words: str


@dataclass(frozen=True, eq=False)
class Findings:
    """Measurements along a path, each (F,): ``new``, the fraction of the frame that is hole; ``nearest``, the distance of the nearest
    surface; ``turns``, degrees of rotation since the previous frame."""

    new: NDArray[np.float64]
    nearest: NDArray[np.float64]
    turns: NDArray[np.float64]


def measure_path(scene: Scene, path: CameraPath) -> Findings:
    """Holes, near surfaces and rotation speed at every frame, measured on renders of `SIDE` pixels."""
    small_scene, small_path = _small(scene, path)
    measured = np.array([_measure(small_scene, small_path, frame) for frame in range(len(path))])
    rotations = path.world_from_camera[:, :3, :3]
    return Findings(
        measured[:, 0], measured[:, 1], np.concatenate([[0.0], angle_degrees(rotations[:-1], rotations[1:])])
    )


def fit_to_limits(scene: Scene, path: CameraPath, limits: Limits) -> LimitedPath:
    """``path`` with its motion away from its first camera reduced, frame by frame and smoothly, as far as ``limits`` require.

    Raises `InputError` with the name of the limit if even the first camera exceeds it, so that no motion is left.
    """
    small_scene, small_path = _small(scene, path)
    names = {"new": "what is new", "nearest": "nearness", "travel": "travel", "turn_degrees": "turning"}
    shares, binding = np.ones(len(path)), dict.fromkeys((*names, "speed"), 0)
    for frame in range(len(path)):
        for name, within in _checks(small_scene, limits):
            most = _largest_share(
                lambda share, within=within, frame=frame: within(_reduce_frame(small_path, share, frame), frame)
            )
            if most is None:
                raise InputError(_unreachable(name, limits))
            binding[name] += most < 1
            shares[frame] = min(shares[frame], most)
    shares = _smooth_below(shares)
    shares, slowed = _slow_down(path, shares, limits.degrees_per_frame)
    binding["speed"] = len(path) * slowed
    return LimitedPath(
        _reduce_all(path, shares), shares, _words(shares, binding, {**names, "speed": "speed of turning"})
    )


Check = Callable[[CameraPath, int], bool]


def _checks(scene: Scene, limits: Limits) -> list[tuple[str, Check]]:
    """Predicates by name: whether a frame of a path is within a limit."""
    first = scene.first.world_from_camera

    checks: list[tuple[str, Check]] = []
    if limits.travel is not None:
        farthest = limits.travel
        checks.append(
            ("travel", lambda path, frame: float(np.linalg.norm(path.centres[frame] - first[:3, 3])) <= farthest)
        )
    if limits.turn_degrees is not None:
        widest = limits.turn_degrees
        checks.append(
            (
                "turn_degrees",
                lambda path, frame: bool(angle_degrees(path.world_from_camera[frame, :3, :3], first[:3, :3]) <= widest),
            )
        )
    if limits.new_share is not None:
        most = limits.new_share
        checks.append(("new", lambda path, frame: _measure(scene, path, frame)[0] <= most))
    if limits.nearest is not None:
        nearest = limits.nearest
        checks.append(("nearest", lambda path, frame: _measure(scene, path, frame)[1] >= nearest))
    return checks


def _largest_share(within: Callable[[float], bool]) -> float | None:
    """The largest share of the motion that is still ``within`` the limits, by bisection; None if not even 0 is."""
    if within(1.0):
        return 1.0
    if not within(0.0):
        return None
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return low


def _smooth_below(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower smooth envelope of ``shares`` (F,)."""
    reach = max(1, len(shares) // 8)
    padded = np.pad(shares, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    lowest = np.pad(windows.min(axis=1), reach, mode="edge")
    weights = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(lowest, weights / weights.sum(), mode="valid")


def _slow_down(path: CameraPath, shares: NDArray, fastest: float | None) -> tuple[NDArray[np.float64], bool]:
    """Reduce the motion of all frames until none turns faster than ``fastest`` degrees; also whether that was needed."""
    if fastest is None or _fastest(_reduce_all(path, shares)) <= fastest:
        return shares, False
    share = _largest_share(lambda share: _fastest(_reduce_all(path, shares * share)) <= fastest)
    return shares * (share or 0.0), True


def _fastest(path: CameraPath) -> float:
    rotations = path.world_from_camera[:, :3, :3]
    return float(angle_degrees(rotations[:-1], rotations[1:]).max()) if len(path) > 1 else 0.0


def _reduce_frame(path: CameraPath, share: float, frame: int) -> CameraPath:
    """The path with ``share`` of the motion from the first camera at one frame."""
    shares = np.ones(len(path))
    shares[frame] = share
    return _reduce_all(path, shares)


def _reduce_all(path: CameraPath, shares: NDArray[np.float64]) -> CameraPath:
    poses, share = path.world_from_camera.copy(), shares[:, None]
    origin = np.repeat(poses[:1], len(path), axis=0)
    poses[:, :3, :3] = slerp(origin[:, :3, :3], poses[:, :3, :3], shares)
    poses[:, :3, 3] = origin[:, :3, 3] * (1 - share) + poses[:, :3, 3] * share
    lenses = path.intrinsics[:1] * (1 - share[..., None]) + path.intrinsics * share[..., None]
    return replace(path, world_from_camera=poses, intrinsics=lenses)


def _small(scene: Scene, path: CameraPath) -> tuple[Scene, CameraPath]:
    scale = min(1.0, SIDE / max(path.width, path.height))
    width, height = max(2, round(path.width * scale)), max(2, round(path.height * scale))
    return scene.fitted(width, height, "stretch"), path.resized(width, height)


def _measure(scene: Scene, path: CameraPath, frame: int) -> tuple[float, float]:
    """Fraction of holes, and distance of the nearest surface (the scene's far limit if nothing is visible)."""
    image = render(scene, path, frame=frame, renderer="zbuffer")
    depths = np.sort(image.depth[~image.holes & ~image.far])
    near = float(depths[int(NEAREST_SHARE * depths.size)]) if depths.size else scene.far
    return float(image.holes.mean()), near


def _unreachable(name: str, limits: Limits) -> str:
    if name == "nearest":
        return (
            f"The picture itself shows things nearer than {limits.nearest:g}; no move can keep that distance. "
            "Lower the limit of nearness."
        )
    return "Even a static camera exceeds the limit of what is new, because the frame is larger than the picture. Raise that limit."


def _words(shares: NDArray, binding: dict[str, int], names: dict[str, str]) -> str:
    if shares.min() > 1 - 1e-9:
        return "The move already stays within all limits; nothing was changed."
    limit = names[max(binding, key=lambda name: binding[name])]
    least = int(np.argmin(shares))
    return (
        f"The move was reduced to {shares[least]:.0%} of its way at frame {least + 1}, because of the limit of {limit}."
    )
