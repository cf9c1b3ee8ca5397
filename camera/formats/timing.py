"""Time stamps of path files: sorts and resamples poses by time, so that gaps keep their duration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.parsing import MOST_FRAMES
from camera.path import CameraPath
from camera.rotation import slerp

UNEVEN = 0.2
"""Steps within this fraction of the median step count as even, because writers round their time stamps."""


def by_time(path: CameraPath, seconds: NDArray[np.float64], account: Account) -> CameraPath:
    """``path``, whose frames are at the times ``seconds`` (F,), resampled to even time steps.

    The rate is one over the median step; if the stamps give none (one frame, all equal) it stays that of ``path``.
    Uneven stamps are resampled by time: positions and lenses linearly, rotations by slerp. Every change is noted in ``account``.
    """
    order = np.argsort(seconds, kind="stable")
    if (np.diff(seconds) < 0).any():
        account.say(f"The time stamps of {account.name} are not in order; its cameras were sorted by time.")
    rising = np.concatenate([[True], np.diff(seconds[order]) > 0])
    if not rising[1:].any():
        return path
    account.left_out(int((~rising).sum()), len(order), "cameras", "their time stamps repeat")
    order = order[rising]
    times, path = seconds[order], _reorder(path, order)
    steps = np.diff(times)
    step = float(np.sort(steps)[(len(steps) - 1) // 2])
    if not 1e-3 <= step <= 1e3:
        account.say(
            f"The time stamps of {account.name} are {step:.3g} s apart, which is no frame rate; they were not used."
        )
        return path
    if np.abs(steps - step).max() <= UNEVEN * step:
        return path.with_fps(1 / step)
    return _resample(path.with_fps(1 / step), times, account)


def _reorder(path: CameraPath, order: NDArray) -> CameraPath:
    return CameraPath(path.world_from_camera[order], path.intrinsics[order], path.width, path.height, path.fps)


def _resample(path: CameraPath, times: NDArray[np.float64], account: Account) -> CameraPath:
    frames = round((times[-1] - times[0]) * path.fps) + 1
    if frames > MOST_FRAMES:
        raise InputError(
            f"The time stamps of {account.name} span {times[-1] - times[0]:.4g} s, which is {frames} frames; at most "
            f"{MOST_FRAMES} can be read: cut the file at its gap."
        )
    when = np.clip(times[0] + np.arange(frames) / path.fps, times[0], times[-1])
    before = np.clip(np.searchsorted(times, when, side="right") - 1, 0, len(times) - 2)
    blend = (when - times[before]) / (times[before + 1] - times[before])
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    rotations, centres, lenses = path.world_from_camera[:, :3, :3], path.centres, path.intrinsics
    poses[:, :3, :3] = slerp(rotations[before], rotations[before + 1], blend)
    poses[:, :3, 3] = centres[before] + blend[:, None] * (centres[before + 1] - centres[before])
    lenses = lenses[before] + blend[:, None, None] * (lenses[before + 1] - lenses[before])
    account.say(
        f"The time stamps of {account.name} are uneven ({np.diff(times).min():.3g} to {np.diff(times).max():.3g} s apart): "
        f"its {len(times)} cameras were resampled by time to {frames} at {path.fps:.4g} per second."
    )
    return CameraPath(poses, lenses, path.width, path.height, path.fps)
