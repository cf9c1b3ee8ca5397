"""TUM trajectories: ``timestamp tx ty tz qx qy qz qw`` per line, seconds, world from camera. They hold no lens."""

from __future__ import annotations

import numpy as np

from camera.errors import InputError
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, line_numbers, rate, resampled_lens
from camera.path import CameraPath
from camera.rotation import from_quaternion, to_quaternion


def rows(text: str) -> list[tuple[int, str]]:
    """Line numbers and lines that are neither empty nor comments."""
    lines = [
        (number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"
    ]
    if not 1 <= len(lines) <= MOST_FRAMES:
        raise InputError(f"A trajectory should hold 1 to {MOST_FRAMES} lines of numbers, got {len(lines)}.")
    return lines


def read(text: str, name: str, like: CameraPath | None) -> CameraPath:
    """Lens and size are those of ``like``; the rate follows from the time stamps."""
    values = np.array([line_numbers(line, (8,), f"Line {number} of {name}") for number, line in rows(text)])
    lens = like_or_refuse(like, name, "lens")
    poses = np.repeat(np.eye(4)[None], len(values), axis=0)
    poses[:, :3, :3] = from_quaternion(values[:, 4:], order="xyzw")
    poses[:, :3, 3] = values[:, 1:4]
    return CameraPath(poses, resampled_lens(lens, len(poses)), lens.width, lens.height, rate(values[:, 0], like))


def write(path: CameraPath) -> bytes:
    quaternions = to_quaternion(path.world_from_camera[:, :3, :3], order="xyzw")
    lines = ["# timestamp tx ty tz qx qy qz qw (world from camera, OpenCV axes)"]
    for frame, (centre, quaternion) in enumerate(zip(path.centres, quaternions)):
        lines.append(" ".join(f"{value:.9f}" for value in (frame / path.fps, *centre, *quaternion)))
    return ("\n".join(lines) + "\n").encode()
