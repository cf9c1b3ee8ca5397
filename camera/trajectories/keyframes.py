"""Smooth paths through key frames: splines for positions, rotations and lenses, with easing or constant speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.rotation import angle_degrees, to_quaternion

Curve = Literal["smooth", "tight", "straight"]
"""Between keys: "smooth" has continuous acceleration, "tight" never overshoots its keys, "straight" has corners."""

EASINGS: dict[str, Callable[[NDArray], NDArray]] = {
    "linear": lambda t: t,
    "ease": lambda t: t * t * (3 - 2 * t),
    "ease-in": lambda t: t * t,
    "ease-out": lambda t: t * (2 - t),
    "smooth": lambda t: t**3 * (10 + t * (6 * t - 15)),
}
"""Progress 0..1 from time 0..1: "ease" starts and stops gently, "smooth" more so (minimum jerk)."""

WRAPPED = 12
"""Keys repeated on either side of a loop: the influence of a spline's end falls by a factor of about 4 per key."""

MEASURED_STEPS = 200
"""Samples per segment between two keys for measuring arc length at constant speed."""


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A camera that the path must pass through.

    ``world_from_camera``: (4,4). ``intrinsics``: (3,3) in pixels of the path's image size (`camera.path.pinhole` makes
    them from a field of view). ``time``: in any unit; None spaces the keys evenly in time.
    """

    world_from_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    time: float | None = None


def ease(progress: ArrayLike, easing: str) -> NDArray[np.float64]:
    """``progress`` (...) in 0..1 after the named easing; raises `InputError` for an unknown name."""
    if easing not in EASINGS:
        raise InputError(f"Unknown easing {easing!r}; choose one of {', '.join(EASINGS)}.")
    return EASINGS[easing](np.clip(np.asarray(progress, dtype=np.float64), 0, 1))


def through(
    keyframes: Sequence[Keyframe],
    *,
    frames: int,
    width: int,
    height: int,
    fps: float = 24.0,
    curve: Curve = "smooth",
    easing: str = "linear",
    constant_speed: bool = False,
    loop: bool = False,
) -> CameraPath:
    """A path of ``frames`` frames that passes through every key, from the first to the last.

    Positions follow cubic splines, rotations follow rotation splines, and focal lengths are interpolated in their
    logarithm without overshooting their keys. ``constant_speed`` ignores the keys' times, spends equal time on equal arc
    length, and applies before ``easing``. ``loop`` returns to the first key as smoothly as through the others; the frame
    after the last would be the first again.

    Raises `InputError` without keys, for times that do not increase, and for constant speed if the camera only rotates
    between two keys of a path that translates elsewhere.
    """
    if not keyframes or frames < 1:
        raise InputError(f"A path needs at least one key frame and one frame, got {len(keyframes)} and {frames}.")
    cameras = CameraPath(
        np.stack([np.asarray(key.world_from_camera) for key in keyframes]),
        np.stack([np.asarray(key.intrinsics) for key in keyframes]),
        width, height, fps,
    )  # fmt: skip
    if len(cameras) == 1:
        return cameras.sliced(slice(0, 1)).resampled(frames).with_fps(fps)
    times = _times(keyframes, loop)
    curved = track(cameras, times, curve, loop)
    progress = ease(np.arange(frames) / max(frames - (0 if loop else 1), 1), easing)
    when = at_constant_speed(curved, times, progress) if constant_speed else times[0] + progress * np.ptp(times)
    return CameraPath(*curved(when), width, height, fps)


Track = Callable[[NDArray], tuple[NDArray, NDArray]]
"""World-from-camera poses (F,4,4) and intrinsics (F,3,3) at times (F,)."""


def _times(keyframes: Sequence[Keyframe], loop: bool) -> NDArray[np.float64]:
    """(K,) increasing times; (K+1,) if the path returns to the first key."""
    given = [key.time for key in keyframes]
    if all(time is None for time in given):
        times = np.arange(len(given), dtype=np.float64)
    elif any(time is None for time in given):
        raise InputError(f"Key frame {given.index(None) + 1} has no time; give every key a time, or none.")
    else:
        times = np.array(given, dtype=np.float64)
    not_increasing = ~(np.diff(times) > 0)
    if not_increasing.any() or not np.isfinite(times).all():
        key = int(np.argmax(not_increasing)) + 2
        raise InputError(f"Key frame {key} must come later than the one before it; sort the keys or change its time.")
    return np.append(times, times[-1] + np.diff(times).mean()) if loop else times


def track(cameras: CameraPath, times: NDArray, curve: Curve, loop: bool) -> Track:
    """The curve through ``cameras`` (K frames) at increasing ``times`` (K,); for a loop (K+1,), ending at the return to the first key."""
    if loop:
        order = np.arange(-WRAPPED, len(cameras) + WRAPPED + 1)
        turns, keys = np.divmod(order, len(cameras))
        times = times[keys] + turns * np.ptp(times)
    else:
        keys = np.arange(len(cameras))
    pose, lens = cameras.world_from_camera[keys], cameras.intrinsics[keys]
    focal = lens[:, [0, 1], [0, 1]]
    position = _spline(times, pose[:, :3, 3], curve)
    rotation = _rotations(times, pose[:, :3, :3], curve)
    zoom = _spline(times, np.log(focal), "tight" if curve == "smooth" else curve)
    centre = _spline(times, lens[:, [0, 1, 0], [2, 2, 1]], "tight" if curve == "smooth" else curve)

    def at(when: NDArray) -> tuple[NDArray, NDArray]:
        poses = np.repeat(np.eye(4)[None], len(when), axis=0)
        poses[:, :3, :3], poses[:, :3, 3] = rotation(when), position(when)
        lenses = np.repeat(np.eye(3)[None], len(when), axis=0)
        lenses[:, [0, 1], [0, 1]] = np.exp(zoom(when))
        lenses[:, [0, 1, 0], [2, 2, 1]] = centre(when)
        return poses, lenses

    return at


def _spline(times: NDArray, values: NDArray, curve: Curve) -> Callable[[NDArray], NDArray]:
    """A function of time through ``values`` (K,C)."""
    from scipy.interpolate import CubicSpline, PchipInterpolator, make_interp_spline

    if curve == "smooth":
        return CubicSpline(times, values, bc_type="natural")
    if curve == "tight":
        return PchipInterpolator(times, values)
    if curve == "straight":
        return make_interp_spline(times, values, k=1)
    raise InputError(f"Unknown curve {curve!r}; choose smooth, tight or straight.")


def _rotations(times: NDArray, rotations: NDArray, curve: Curve) -> Callable[[NDArray], NDArray]:
    """A function of time through ``rotations`` (K,3,3): a rotation spline, or normalised splines of quaternions."""
    from scipy.spatial.transform import Rotation, RotationSpline

    if curve == "smooth":
        spline = RotationSpline(times, Rotation.from_matrix(rotations))
        return lambda when: spline(when).as_matrix()
    quaternions = _spline(times, to_quaternion(rotations, order="xyzw"), curve)
    return lambda when: Rotation.from_quat(quaternions(when)).as_matrix()


def at_constant_speed(curved: Track, times: NDArray, progress: NDArray) -> NDArray:
    """Times at which the given shares of the path length are covered; uses angles for a path that does not translate."""
    fine = np.interp(np.arange((len(times) - 1) * MEASURED_STEPS + 1) / MEASURED_STEPS, np.arange(len(times)), times)
    poses = curved(fine)[0]
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    turns = angle_degrees(poses[:-1, :3, :3], poses[1:, :3, :3])
    if steps.sum() < 1e-9:
        steps = turns
    lengths, turned = (each.reshape(-1, MEASURED_STEPS).sum(axis=1) for each in (steps, turns))
    turns_in_place = (lengths < 1e-6 * lengths.sum()) & (turned > 1)
    if turns_in_place.any():
        key = int(np.argmax(turns_in_place)) + 1
        raise InputError(
            f"At constant speed the rotation in place after key frame {key} would take no time; "
            "move the next key or switch constant speed off."
        )
    done = np.concatenate([[0.0], np.cumsum(steps)])
    return np.interp(progress * done[-1], done, fine) if done[-1] > 0 else np.interp(progress, [0, 1], times[[0, -1]])
