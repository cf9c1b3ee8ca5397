"""A posed clip in one npz: frames, depth and cameras together, as MegaSaM, ViPE's users and point trackers write it.

MegaSaM (``NAME_sgd_cvd_hr.npz``): images (T,H,W,3), depths (T,H,W), intrinsic (3,3), cam_c2w (T,4,4), OpenCV axes
(mega-sam, ``cvd_opt/cvd_opt.py``). ViPE's arrays: data (T,4,4) world from camera with inds (T,), beside images and depth (nv-tlabs/vipe,
``utils/io.py``). Trackers (TAPIP3D, SpatialTracker): video, depths, intrinsics (T,3,3), extrinsics (T,4,4), camera from world.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import integer_pixel_lens
from camera.errors import InputError
from camera.formats.account import Account, Fields
from camera.formats.parsing import npz_shapes
from camera.formats.research.arrays import rigid
from camera.path import inverse
from camera.view import Scene, View
from pipelines.inputs.npz import read_npz

PICTURES, DEPTHS = ("images", "video", "rgb", "frames"), ("depths", "depth")
LENSES = ("intrinsic", "intrinsics", "K")
FPS = 24.0


def is_posed_clip(path: Path) -> bool:
    """Whether an npz contains pictures, depth and poses of a clip."""
    keys = npz_shapes(path.read_bytes(), path.name)
    return bool(
        _first(keys, PICTURES) and _first(keys, DEPTHS) and ({"cam_c2w", "extrinsics"} & set(keys) or "inds" in keys)
    )


def read_posed_clip(path: Path, account: Account, *, first_frame: int = 0, max_frames: int) -> Scene:
    """At most ``max_frames`` frames of the clip, from ``first_frame`` on; raises `InputError` if its arrays do not fit together."""
    fields = account.fields(npz_shapes(path.read_bytes(), path.name))
    shown, deep, lens = (_first(fields, names) for names in (PICTURES, DEPTHS, LENSES))
    if not lens:
        raise InputError(f"{path.name} has no lens; an array intrinsic (3,3) or intrinsics (T,3,3) is needed.")
    frames = _pictures(path, shown, fields[shown])
    count = len(frames)
    depth = read_npz(path, {deep: "T H W"})[deep]
    if depth.shape != frames.shape[:3]:
        raise InputError(
            f"{deep} of {path.name} has the shape {depth.shape}, {shown} {frames.shape[:3]}; they must agree."
        )
    poses = _poses(path, fields, count)
    lenses = _lenses(path, lens, fields[lens], count)
    fields.use(deep, lens)
    fps = _rate(path, fields, account)
    metric = "inds" in fields
    if first_frame >= count:
        raise InputError(f"The clip has {count} frames, so it cannot begin at frame {first_frame}; begin earlier.")
    end = min(count, first_frame + max_frames)
    account.left_out(count - end, count, "frames", f"the first {end} are used, the length of the longest clip")
    views = tuple(View.of(frames[i], depth[i].astype(np.float32), lenses[i], poses[i]) for i in range(first_frame, end))
    source = "depth and poses estimated by ViPE" if metric else "depth and poses of the file"
    return Scene(views, "clip", "metres" if metric else "relative", fps, source, path.stem)


def _first(fields: Any, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in fields), "")


def _pictures(path: Path, key: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(T,H,W,3) from bytes, or from floats up to 1 or up to 255; channels may come first."""
    channels_first = len(shape) == 4 and shape[1] == 3 and shape[3] != 3
    values = read_npz(path, {key: "T 3 H W" if channels_first else "T H W 3"})[key]
    values = values.transpose(0, 2, 3, 1) if channels_first else values
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise InputError(
            f"{key} of {path.name} contains {low:.4g} to {high:.4g}; pictures of 0 to 1 or 0 to 255 are expected."
        )
    return np.rint(values * (255 if high <= 1 else 1)).astype(np.uint8)


def _poses(path: Path, fields: Fields, count: int) -> NDArray[np.float64]:
    """(T,4,4) world from camera."""
    key = next(each for each in ("cam_c2w", "extrinsics", "data") if each in fields)
    fields.use(key)
    values = read_npz(path, {key: "T 4 4" if fields[key][1:] == (4, 4) else "T 3 4"})[key].astype(np.float64)
    square = np.repeat(np.eye(4)[None], len(values), axis=0)
    square[:, : values.shape[1]] = values
    if key == "data":
        inds = read_npz(path, {"inds": "T"})["inds"]
        fields.use("inds")
        if not np.array_equal(inds, np.arange(count)):
            raise InputError(
                f"inds of {path.name} leave frames of the clip without a pose, and a clip has no gaps; cut it."
            )
    if len(square) != count:
        raise InputError(
            f"{key} of {path.name} contains {len(square)} poses for {count} frames; it needs one per frame."
        )
    return rigid(inverse(square) if key == "extrinsics" else square, path.name)


def _lenses(path: Path, key: str, shape: tuple[int, ...], count: int) -> NDArray[np.float64]:
    """(T,3,3), pixel centres at integers, from (3,3), (T,3,3), (4,) or (T,4) with centres at halves."""
    form = {(3, 3): "3 3", (4,): "4"}.get(shape) or ("T 4" if len(shape) == 2 else "T 3 3")
    values = read_npz(path, {key: form})[key].astype(np.float64)
    if values.shape[-1] == 4:
        rows, values = values.reshape(-1, 4), np.repeat(np.eye(3)[None], values.size // 4, axis=0)
        values[:, 0, 0], values[:, 1, 1], values[:, 0, 2], values[:, 1, 2] = rows.T
    values = values.reshape(-1, 3, 3)
    if len(values) not in (1, count):
        raise InputError(
            f"{key} of {path.name} contains {len(values)} lenses for {count} frames; it needs one, or one per frame."
        )
    return integer_pixel_lens(np.broadcast_to(values, (count, 3, 3)).copy())


def _rate(path: Path, fields: Fields, account: Account) -> float:
    if fields.get("fps") == ():
        rate = float(read_npz(path, {"fps": ""})["fps"])
        if 1e-3 <= rate <= 1000:
            return rate
    account.say(f"{path.name} does not contain its frame rate; {FPS:g} frames per second are assumed.")
    return FPS
