"""TUM trajectories: ``timestamp tx ty tz qx qy qz qw`` per line, seconds, world from camera. They hold no lens."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, line_numbers, resample_lens
from camera.formats.timing import by_time
from camera.path import CameraPath
from camera.rotation import from_quaternion, to_quaternion


def rows(text: str) -> list[tuple[int, str]]:
    """Line numbers and lines, without empty lines and comments."""
    lines = [
        (number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"
    ]
    if not 1 <= len(lines) <= MOST_FRAMES:
        raise InputError(f"A trajectory should hold 1 to {MOST_FRAMES} lines of numbers, got {len(lines)}.")
    return lines


def read(text: str, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the cameras; lens and size come from ``like``. They are resampled by their time stamps, see `timing.by_time`.

    Stamps are seconds, as in TUM's data sets; nanoseconds, as in ORB-SLAM3's output for EuRoC, or micro- or milliseconds; or frame
    numbers, as in MonST3R's output and others (whole numbers less than `FEWEST_MILLISECONDS` apart).
    """
    lines = rows(text)
    values = np.array([_row(line, f"Line {number} of {name}") for number, line in lines])
    lens = like_or_refuse(like, name, "lens")
    poses = np.repeat(np.eye(4)[None], len(values), axis=0)
    poses[:, :3, :3] = from_quaternion(values[:, 4:], order="xyzw")
    poses[:, :3, 3] = values[:, 1:4]
    path = CameraPath(poses, resample_lens(lens, len(poses)), lens.width, lens.height, lens.fps)
    return by_time(path, _seconds(values[:, 0], lens.fps, account), account)


def _row(line: str, where: str) -> NDArray[np.float64]:
    """(8,): a time stamp, which may exceed the limit for other numbers, and seven numbers."""
    words = line.split()
    values = line_numbers(" ".join(["0", *words[1:]]), (8,), where)
    try:
        stamp = float(words[0])
    except ValueError:
        stamp = math.nan
    if not math.isfinite(stamp):
        raise InputError(f"The time stamp of {where} should be a number of seconds, got {words[0][:40]!r}.")
    return np.array([stamp, *values[1:]])


FEWEST_MILLISECONDS = 10
"""Whole stamps at least this far apart are taken for milliseconds, not for seconds or frame numbers."""


def _seconds(stamps: NDArray[np.float64], fps: float, account: Account) -> NDArray[np.float64]:
    """Time stamps in seconds since the first; the unit is inferred from the median step. ``fps``: the rate, if the stamps are frame numbers."""
    stamps = stamps - stamps.min()
    steps = np.abs(np.diff(np.sort(stamps)))
    step = float(np.median(steps)) if len(steps) else 0.0
    for unit, per_second, smallest in (("nanoseconds", 1e9, 1e6), ("microseconds", 1e6, 1e3)):
        if step >= smallest:
            account.say(f"The time stamps of {account.name} are {step:.4g} apart and were taken for {unit}.")
            return stamps / per_second
    if step < 1 or not np.array_equal(stamps, np.rint(stamps)):
        return stamps
    if step >= FEWEST_MILLISECONDS:
        account.say(f"The time stamps of {account.name} are {step:.4g} apart and were taken for milliseconds.")
        return stamps / 1e3
    account.say(
        f"The time stamps of {account.name} are whole numbers {step:.4g} apart and were taken for numbers of frames, {fps:.4g} per "
        "second."
    )
    return stamps / fps


def write(path: CameraPath) -> bytes:
    quaternions = to_quaternion(path.world_from_camera[:, :3, :3], order="xyzw")
    lines = ["# timestamp tx ty tz qx qy qz qw (world from camera, OpenCV axes)"]
    for frame, (centre, quaternion) in enumerate(zip(path.centres, quaternions)):
        lines.append(" ".join(f"{value:.9f}" for value in (frame / path.fps, *centre, *quaternion)))
    return ("\n".join(lines) + "\n").encode()
