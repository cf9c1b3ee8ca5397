"""GEN3C's files: the desktop client's camera path and exported cameras (JSON), and the npz of its scripts.

All use OpenCV axes and pixel centres at integers. The client's files have world-from-camera poses and a vertical field of view
in degrees, or none; the scripts' have camera-from-world poses.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account, Fields
from camera.formats.parsing import (
    MOST_FRAMES,
    entries,
    field,
    like_or_refuse,
    npz_array,
    npz_shapes,
    number,
    numbers,
    pose,
    resample_lens,
    size,
)
from camera.path import CameraPath, inverse
from camera.rotation import from_quaternion, orthonormal, to_quaternion

SIZE = (1280, 704)
"""Width and height of GEN3C's output."""


# --- the desktop client's camera path -------------------------------------------------------------------------------


def read_gui_path(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Key frames, interpolated as in the client: uniform B-splines of ``spline_order`` 0 to 3 between the time stamps.

    Key 0 is at time 0 and key i at the time stamp of key i-1. Size and rate come from ``like``, or default to 1280x704 and 24.
    """
    values = account.fields(values, idle=("time", "duration_seconds", "camera_path_keyframe"))
    keys = [
        account.fields(key, "path", idle=_KEY_IDLE) if isinstance(key, Mapping) else key
        for key in entries(values, "path", name)
    ]
    order = int(number(values.get("spline_order", 3), f"'spline_order' of {name}", minimum=0, maximum=3))
    loop = values.get("loop", False)
    if not isinstance(loop, bool):
        raise InputError(f"'loop' of {name} should be true or false.")
    table = np.stack([_key(key, f"key frame {index} of {name}") for index, key in enumerate(keys)])
    width, height, fps = (like.width, like.height, like.fps) if like else (*SIZE, 24.0)
    points = _spline(table[:, :8], _stamps(table[:, 8]), order, loop, fps, name)
    poses = np.repeat(np.eye(4)[None], len(points), axis=0)
    poses[:, :3, :3] = from_quaternion(points[:, :4], order="xyzw")
    poses[:, :3, 3] = points[:, 4:7]
    return CameraPath(
        poses, lens.lenses_from_fov(points[:, 7], width=width, height=height, across=False), width, height, fps
    )


def write_gui_path(path: CameraPath) -> bytes:
    """One key frame per frame, with linear interpolation, so that the client reproduces these cameras exactly."""
    lens.require_centred_square(path, "GEN3C's camera path")
    quaternions = to_quaternion(path.world_from_camera[:, :3, :3], order="xyzw")
    keys = [
        {"R": q.tolist(), "T": centre.tolist(), "fov": float(fov), "timestamp": (frame + 1) / path.fps}
        for frame, (q, centre, fov) in enumerate(zip(quaternions, path.centres, path.fov_degrees[:, 1]))
    ]
    values = {"loop": False, "time": 0.0, "path": keys, "duration_seconds": path.seconds, "spline_order": 1}
    return json.dumps(values).encode()


_KEY_IDLE = ("scale", "slice", "aperture_size", "focus_z", "glow_mode", "glow_y_cutoff", "dof")
"""Fields of a key frame that instant-ngp's client writes and that do not affect the camera."""


def _key(key: Any, where: str) -> NDArray[np.float64]:
    """(9,): quaternion x y z w, position, field of view, time stamp."""
    return np.concatenate([
        numbers(field(key, "R", where), (4,), f"'R' of {where}"),
        numbers(field(key, "T", where), (3,), f"'T' of {where}"),
        [number(field(key, "fov", where), f"'fov' of {where}", minimum=0.1, maximum=179)],
        [number(key.get("timestamp", 0.0), f"'timestamp' of {where}", minimum=0, maximum=1e5)],
    ])  # fmt: skip


def _stamps(stamps: NDArray) -> NDArray[np.float64]:
    """The time stamps, if they rise and start above 0; else evenly spaced over 3 seconds, as in the client."""
    if stamps[0] > 0 and (np.diff(stamps) > 0).all():
        return stamps
    return 3.0 * (np.arange(len(stamps)) + 1) / len(stamps)


def _spline(keys: NDArray, stamps: NDArray, order: int, loop: bool, fps: float, name: str) -> NDArray[np.float64]:
    """Keys (K,8) sampled at every frame (F,8)."""
    if len(keys) == 1:
        return keys
    signs = np.cumprod(np.append(1, np.where((keys[1:, :4] * keys[:-1, :4]).sum(axis=1) < 0, -1, 1)))
    keys = np.concatenate([keys[:, :4] * signs[:, None], keys[:, 4:]], axis=1)
    times = np.append(0, stamps if loop else stamps[:-1])
    frames = round(times[-1] * fps) + (0 if loop else 1)
    if not 1 <= frames <= MOST_FRAMES:
        raise InputError(f"{name} lasts {times[-1]:.4g} s, which is {frames} frames; 1 to {MOST_FRAMES} can be read.")
    when = np.minimum(np.arange(frames) / fps, times[-1])
    first = np.clip(np.searchsorted(times, when + 1e-9) - 1, 0, len(times) - 2)
    t = (when - times[first]) / (times[first + 1] - times[first])
    weights = _weights(t, order)  # (F,4) of keys first-1 to first+2
    around = first[:, None] + np.arange(-1, 3)
    around = around % len(keys) if loop else np.clip(around, 0, len(keys) - 1)
    return (keys[around] * weights[..., None]).sum(axis=1)


def _weights(t: NDArray, order: int) -> NDArray[np.float64]:
    """(F,4) weights of the four keys around an interval at ``t`` (F,) in 0..1."""
    zero, one = np.zeros_like(t), np.ones_like(t)
    if order == 0:
        return np.stack([zero, one, zero, zero], axis=1)
    if order == 1:
        return np.stack([zero, 1 - t, t, zero], axis=1)
    if order == 2:
        return np.stack([(1 - t) ** 2 / 2, t - t**2 + 0.5, t**2 / 2, zero], axis=1)
    return np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3], axis=1) / 6


# --- the desktop client's exported cameras --------------------------------------------------------------------------


def read_gui_cameras(values: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The ``start`` of every camera, read as world from camera; the lens is that of ``like``."""
    values = account.fields(values, idle=("duration_seconds", "spp", "quality", "shutter_fraction"))
    cameras = [
        account.fields(c, "cameras", idle=("end",)) if isinstance(c, Mapping) else c
        for c in entries(values, "cameras", name)
    ]
    wanted = like_or_refuse(like, name, "lens")
    poses = [
        pose(field(c, "start", f"camera {i} of {name}"), f"'start' of camera {i} of {name}")
        for i, c in enumerate(cameras)
    ]
    width, height = wanted.width, wanted.height
    if "resolution" in values:
        given = numbers(values["resolution"], (2,), f"'resolution' of {name}").tolist()
        width, height = size(given[0], given[1], name)
    fps = number(values.get("fps", wanted.fps), f"'fps' of {name}", minimum=1e-3, maximum=1e6)
    shaped = wanted.fitted(width, height)
    return CameraPath(np.stack(poses), resample_lens(shaped, len(poses)), width, height, fps)


def write_gui_cameras(path: CameraPath) -> bytes:
    """World from camera; ``end``, for motion blur, is the next camera."""
    rows = path.world_from_camera[:, :3]
    following = np.concatenate([rows[1:], rows[-1:]])
    values = {
        "cameras": [{"start": start.tolist(), "end": end.tolist()} for start, end in zip(rows, following)],
        "resolution": [path.width, path.height],
        "duration_seconds": path.seconds,
        "fps": path.fps,
        "spp": 1,
        "quality": 8,
        "shutter_fraction": 0.0,
    }
    return json.dumps(values).encode()


# --- npz of the scripts ----------------------------------------------------------------------------------------------


def read_npz(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """The path of a multi-view file (``w2cs_all``, ``Ks_all`` or the last ``K_key_frames``) or of a clip's ``camera.npz``.

    The size is that of the key frames' pictures, else ``resolution``, else that of ``like``, which is noted; a lens alone does not
    determine it. The rate is that of ``like``, or 24.
    """
    shapes = account.fields(npz_shapes(data, name), idle=_NPZ_IDLE)
    several = "w2cs_all" in shapes
    if not several and "w2c" not in shapes:
        raise InputError(f"{name} holds neither w2cs_all nor w2c, but {', '.join(list(shapes)[:8]) or 'nothing'}.")
    camera_from_world = npz_array(data, "w2cs_all" if several else "w2c", (-1, 4, 4), name)
    shapes["w2cs_all" if several else "w2c"]
    if several:
        known = "Ks_all" if "Ks_all" in shapes else "K_key_frames"
        lenses = npz_array(data, known, (-1, 3, 3), name)
        shapes[known]
        lenses = lenses if known == "Ks_all" else np.repeat(lenses[-1:], len(camera_from_world), axis=0)
    else:
        lenses = npz_array(data, "intrinsics", (-1, 3, 3), name)
        shapes["intrinsics"]
    width, height = _npz_size(data, name, shapes, lenses, like, account)
    camera_from_world[:, :3, :3] = orthonormal(camera_from_world[:, :3, :3])
    return CameraPath(inverse(camera_from_world), lenses, width, height, like.fps if like else 24.0)


def write_npz(path: CameraPath) -> bytes:
    """``w2c`` and ``intrinsics`` in float32, as in the ``camera.npz`` of a posed clip, plus ``resolution``."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        w2c=path.camera_from_world.astype(np.float32),
        intrinsics=lens.require_no_skew(path, "GEN3C's npz").intrinsics.astype(np.float32),
        resolution=np.array([path.width, path.height]),
    )
    return buffer.getvalue()


_NPZ_IDLE = ("depth_key_frames", "mask_key_frames", "w2cs_key_frames", "K_key_frames")
"""Arrays of a multi-view file that belong to its pictures, not to its path."""


def _npz_size(
    data: bytes, name: str, shapes: Fields, lenses: NDArray, like: CameraPath | None, account: Account
) -> tuple[int, int]:
    pictures = shapes.get("images_key_frames", ())
    if len(pictures) == 4:
        return size(pictures[3], pictures[2], name)
    if "resolution" in shapes:
        width, height = npz_array(data, "resolution", (2,), name).tolist()
        shapes["resolution"]
        return size(width, height, name)
    wanted = like_or_refuse(like, name, "picture size its lens is for (an array resolution, width and height)")
    away = np.abs(lenses[:, :2, 2] / [wanted.width, wanted.height] - 0.5).max()
    if away > 0.25:
        raise InputError(
            f"The lens of {name} points at pixel {lenses[0, 0, 2]:.0f}, {lenses[0, 1, 2]:.0f}, far from the middle of the scene's "
            f"{wanted.width} x {wanted.height}: it is for another picture size, which the file does not say; add an array "
            "resolution (width, height)."
        )
    account.say(
        f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."
    )
    return wanted.width, wanted.height
