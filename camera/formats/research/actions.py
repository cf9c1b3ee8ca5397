"""SANA-WM's action strings: keys held for a number of frames, ``w-80,jw-40,none-10``.

Keys as on the model's card: w s a d move ahead, back, left and right in the horizontal plane, i k look up and down, j l turn left and
right. Starts from the identity, world from camera, OpenCV axes; 0.05 units and 1.2 degrees a frame, at most 85 degrees up or down, 16
frames a second (NVlabs/Sana, ``inference_video_scripts``). Later code exchanges the meanings of a d and j l and smooths the motion;
the string does not say which version is meant.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, resample_lens
from camera.path import CameraPath
from camera.rotation import scipy_rotation

STEP, TURN_DEGREES, STEEPEST_DEGREES, FPS = 0.05, 1.2, 85.0, 16.0
_SEGMENT = re.compile(r"(none|[wasdijkl]+)-([1-9][0-9]{0,5})")


def is_actions(text: str) -> bool:
    """Whether a text is an action string rather than a trajectory of numbers."""
    return bool(re.fullmatch(r"\s*[A-Za-z]+-\d+\s*(,\s*[A-Za-z]+-\d+\s*)*,?\s*", text[: 1 << 20]))


def read(text: str, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The path, with one camera more than the string has frames. Lens and size come from ``like``."""
    keys_by_frame: list[str] = []
    for segment in re.sub(r"\s", "", text).lower().strip(",").split(","):
        match = _SEGMENT.fullmatch(segment)
        if match is None or len(keys_by_frame) + int(match[2]) > MOST_FRAMES:
            raise InputError(
                f"{segment[:40]!r} of {name} should be keys of w a s d i j k l, or none, and frames, as in jw-40."
            )
        keys_by_frame += [match[1].replace("none", "")] * int(match[2])
    wanted = like_or_refuse(like, name, "lens")
    account.say(
        f"{name} is read with the keys of SANA-WM's card (w a s d move, i j k l look), {STEP} units and {TURN_DEGREES} degrees a frame, "
        "without smoothing; later versions of its code take a d for turns and j l for steps."
    )
    account.say(f"{name} says no lens; that of the scene is taken.")
    poses = _roll_out(keys_by_frame)
    return CameraPath(poses, resample_lens(wanted, len(poses)), wanted.width, wanted.height, FPS)


def _roll_out(keys_by_frame: list[str]) -> NDArray[np.float64]:
    """(N+1,4,4): poses from the identity on."""

    def sign(positive: str, negative: str) -> NDArray[np.float64]:
        return np.array([(positive in keys) - (negative in keys) for keys in keys_by_frame], dtype=np.float64)

    yaw = np.cumsum(np.concatenate([[0], sign("l", "j")])) * TURN_DEGREES
    pitch = [0.0]
    for step in sign("i", "k") * TURN_DEGREES:
        pitch.append(pitch[-1] + step if abs(pitch[-1] + step) <= STEEPEST_DEGREES else pitch[-1])
    poses = np.repeat(np.eye(4)[None], len(yaw), axis=0)
    poses[:, :3, :3] = scipy_rotation().from_euler("YX", np.stack([yaw, pitch], axis=1), degrees=True).as_matrix()
    level = np.radians(yaw[1:])
    ahead, right = sign("w", "s") * STEP, sign("d", "a") * STEP
    steps = np.stack(
        [ahead * np.sin(level) + right * np.cos(level), 0 * level, ahead * np.cos(level) - right * np.sin(level)],
        axis=1,
    )
    poses[1:, :3, 3] = np.cumsum(steps, axis=0)
    return poses
