"""Cameras of OpenUSD files (.usda, .usdc, .usd, .usdz): the first perspective camera, animated or static. Reading needs ``usd-core``.

World from camera, x right, y up, z backward; matrices of row vectors. ``metersPerUnit`` (default 0.01) and ``upAxis`` are applied, so
that lengths are metres and y points up. Focal length and apertures share a unit; offsets shift the aperture. Source: OpenUSD,
``UsdGeomCamera`` and ``UsdGeomMetrics``. `write` makes text and needs no package.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import FULL_FRAME_MM, opencv_from_y_up, y_up_from_opencv
from camera.errors import InputError, reading
from camera.formats import lens
from camera.formats.account import Account, refusal
from camera.formats.content import kind_of_bytes
from camera.formats.parsing import MOST_FRAMES, like_or_refuse
from camera.path import CameraPath
from camera.rotation import orthonormal

_LENS = (
    "focalLength",
    "horizontalAperture",
    "verticalAperture",
    "horizontalApertureOffset",
    "verticalApertureOffset",
    "projection",
)
_IDLE = ("clippingRange", "clippingPlanes", "fStop", "focusDistance", "stereoRole", "shutter:open", "shutter:close", "exposure",
         "exposure:fStop", "exposure:iso", "exposure:responsivity", "exposure:time", "visibility", "purpose")  # fmt: skip
_Y_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the camera; the size is that of ``like``, the rate that of the stage. Raises `InputError`, also if ``usd-core`` is missing."""
    wanted = like_or_refuse(like, name, "picture size")
    try:
        _part("Usd")
    except ImportError as error:
        raise InputError(f"{name} is a USD file, and reading those needs a package: pip install usd-core.") from error
    with tempfile.TemporaryDirectory(prefix="usd-") as folder:
        file = Path(folder, f"camera{kind_of_bytes(data) or '.usd'}")
        file.write_bytes(data)
        with reading(f"{name} is not a complete USD file; export it again."):
            return _camera_path(_stage(file, name), wanted, account)


def write(path: CameraPath) -> bytes:
    """Write text (usda) of one camera with a sample per frame, in metres, on a sensor 36 mm wide; raises `InputError` for non-square pixels.

    USD's focal lengths and apertures are in tenths of the scene's unit, here decimetres.
    """
    lens.require_square(path, "USD")
    across = FULL_FRAME_MM / 100
    unit = across / path.width
    middle = np.array([path.width - 1, path.height - 1]) / 2
    shift = (path.intrinsics[:, :2, 2] - middle) * unit
    rows = np.swapaxes(y_up_from_opencv(path.world_from_camera), 1, 2).tolist()
    matrices = [f"( {', '.join('(' + ', '.join(map(repr, row)) + ')' for row in matrix)} )" for matrix in rows]
    values = {
        "float focalLength": path.intrinsics[:, 0, 0] * unit,
        "float horizontalApertureOffset": -shift[:, 0],
        "float verticalApertureOffset": shift[:, 1],
    }
    samples = "".join(f"    {key}.timeSamples = {_samples(map(repr, each.tolist()))}\n" for key, each in values.items())
    return (
        f'#usda 1.0\n(\n    defaultPrim = "Reshoot"\n    metersPerUnit = 1\n    upAxis = "Y"\n    startTimeCode = 0\n'
        f"    endTimeCode = {len(path) - 1}\n    timeCodesPerSecond = {path.fps!r}\n    framesPerSecond = {path.fps!r}\n)\n\n"
        f'def Camera "Reshoot"\n{{\n    float horizontalAperture = {across!r}\n'
        f"    float verticalAperture = {path.height * unit!r}\n{samples}"
        f"    matrix4d xformOp:transform.timeSamples = {_samples(matrices)}\n"
        f'    uniform token[] xformOpOrder = ["xformOp:transform"]\n}}\n'
    ).encode()


def _part(name: str) -> Any:
    """A module of usd-core, which declares no types."""
    return importlib.import_module(f"pxr.{name}")


def _samples(values: Any) -> str:
    return "{ " + ", ".join(f"{frame}: {value}" for frame, value in enumerate(values)) + " }"


def _stage(file: Path, name: str) -> Any:
    """Open the stage of a single file; refuses files that would load other files."""
    layer = _part("Sdf").Layer.FindOrOpen(str(file))
    if layer is None:
        raise InputError(f"{name} is not a complete USD file; export it again.")
    if others := [str(each) for each in layer.GetCompositionAssetDependencies() if str(each)]:
        raise refusal(
            f"The reference to {Path(others[0]).name}", name, "content in another file", "flatten it (usdcat --flatten)"
        )
    if _has_value_clips(layer):
        raise refusal("Value clips", name, "samples in other files", "flatten it (usdcat --flatten)")
    return _part("Usd").Stage.Open(layer)


def _has_value_clips(layer: Any) -> bool:
    """Whether any prim takes samples from other files (value clips), which USD opens only when it needs a sample."""
    Sdf = _part("Sdf")
    found: list[bool] = []

    def look(path: Any) -> None:
        if path.IsPrimPath() or path.IsPrimVariantSelectionPath():
            prim = layer.GetPrimAtPath(path)  # None for a variant set itself
            found.append(bool(prim) and prim.HasInfo("clips"))

    layer.Traverse(Sdf.Path.absoluteRootPath, look)
    return any(found)


def _camera_path(stage: Any, like: CameraPath, account: Account) -> CameraPath:
    Usd, UsdGeom, name = _part("Usd"), _part("UsdGeom"), account.name
    cameras = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera)]
    if not cameras:
        raise InputError(f"{name} holds no camera; export the camera too.")
    prim, camera = cameras[0], UsdGeom.Camera(cameras[0])
    if len(cameras) > 1:
        account.say(f"{name} holds {len(cameras)} cameras; {prim.GetPath()} is taken.")
    _say_attributes(prim, account)
    times, fps = _moments(stage, prim, camera, account)
    worlds, rows = [], []
    for time in times:
        code = Usd.TimeCode(float(time)) if len(times) > 1 else Usd.TimeCode.EarliestTime()
        worlds.append(np.array(UsdGeom.XformCache(code).GetLocalToWorldTransform(prim), float).T)
        rows.append([float(camera.GetPrim().GetAttribute(key).Get(code) or 0) for key in _LENS[:-1]])
    if (kind := camera.GetProjectionAttr().Get()) != "perspective":
        raise refusal(f"The projection {kind!r}", name, "parallel rays", "give a perspective camera")
    poses = _to_metres(np.stack(worlds), stage, account)
    return CameraPath(opencv_from_y_up(poses), _lenses(np.array(rows), like, account), like.width, like.height, fps)


def _say_attributes(prim: Any, account: Account) -> None:
    named = [each.GetName() for each in prim.GetAttributes() if each.IsAuthored()]
    named = [each for each in named if not each.startswith(("xformOp", "userProperties"))]
    account.fields(dict.fromkeys(named), "camera", idle=_IDLE).use(*_LENS)


def _moments(stage: Any, prim: Any, camera: Any, account: Account) -> tuple[NDArray[np.float64], float]:
    """Time codes of the frames, and their rate."""
    UsdGeom = _part("UsdGeom")
    keys = {time for name in _LENS[:-1] for time in camera.GetPrim().GetAttribute(name).GetTimeSamples()}
    above = prim
    while above and above.IsValid() and not above.IsPseudoRoot():
        if above.IsA(UsdGeom.Xformable):
            keys |= set(UsdGeom.Xformable(above).GetTimeSamples())
        above = above.GetParent()
    per_second = float(stage.GetTimeCodesPerSecond())
    fps = float(stage.GetFramesPerSecond()) if stage.HasAuthoredMetadata("framesPerSecond") else per_second
    if not keys or len(keys) == 1:
        account.say(f"The camera of {account.name} stands still; its path is one frame.")
        return np.array(sorted(keys) or [0.0]), fps
    first, last = min(keys), max(keys)
    frames = round((last - first) / per_second * fps) + 1
    if not (1 <= frames <= MOST_FRAMES and 1e-3 <= fps <= 1e6):
        raise InputError(
            f"The animation of {account.name} lasts {(last - first) / per_second:.4g} s; at most {MOST_FRAMES} frames can be read."
        )
    return first + np.arange(frames) * per_second / fps, fps


def _to_metres(worlds: NDArray[np.float64], stage: Any, account: Account) -> NDArray[np.float64]:
    """Poses (F,4,4), y-up and in metres, from matrices that may scale."""
    UsdGeom = _part("UsdGeom")
    unit = float(UsdGeom.GetStageMetersPerUnit(stage))
    if not UsdGeom.StageHasAuthoredMetersPerUnit(stage):
        account.say(f"{account.name} does not say its unit; USD's own, the centimetre, is taken.")
    elif unit != 1:
        account.say(f"{account.name} has a unit of {unit:g} m; its path is in metres.")
    scale = np.linalg.norm(worlds[:, :3, :3], axis=1)
    if np.abs(scale - 1).max() > 1e-3:
        account.say(
            f"The camera of {account.name} is below scaled nodes; their scale moves it but does not change its lens."
        )
    poses = np.repeat(np.eye(4)[None], len(worlds), axis=0)
    poses[:, :3, :3], poses[:, :3, 3] = orthonormal(worlds[:, :3, :3] / scale[:, None]), worlds[:, :3, 3] * unit
    if UsdGeom.GetStageUpAxis(stage) == "Z":
        account.say(f"The z axis of {account.name} points up; its world is turned so that y does.")
        poses[:, :3] = _Y_FROM_Z_UP @ poses[:, :3]
    return poses


def _lenses(rows: NDArray[np.float64], like: CameraPath, account: Account) -> NDArray[np.float64]:
    """(F,3,3) from focal length, apertures and their offsets (F,5); square pixels, the horizontal aperture fills the width."""
    focal, across, down = rows[:, 0], rows[:, 1], rows[:, 2]
    if not ((focal > 0) & (across > 0)).all():
        raise InputError(f"The focal length and aperture of {account.name} should be above 0.")
    shape = float(across[0] / down[0]) if down[0] > 0 else like.width / like.height
    if abs(shape / (like.width / like.height) - 1) > 0.01:
        account.say(
            f"The camera of {account.name} is for pictures of width to height {shape:.4g}, the scene's is {like.width / like.height:.4g}; "
            "its horizontal field of view is kept."
        )
    per_unit = like.width / across
    matrices = np.repeat(np.eye(3)[None], len(rows), axis=0)
    matrices[:, 0, 0] = matrices[:, 1, 1] = focal * per_unit
    matrices[:, 0, 2] = (like.width - 1) / 2 - rows[:, 3] * per_unit
    matrices[:, 1, 2] = (like.height - 1) / 2 + rows[:, 4] * per_unit
    return matrices
