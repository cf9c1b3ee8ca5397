"""A scene with its animated camera as one OpenUSD file: a mesh or coloured points, and per-frame intrinsics, also off-centre.

Lengths are metres (or scene units if the scale is unknown), y points up. Colours are ``primvars:displayColor``, which USD
interprets as linear. Needs ``usd-core``. Source: OpenUSD, ``UsdGeomMesh``, ``UsdGeomPoints``, ``UsdGeomCamera``.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.conventions import Y_UP
from camera.errors import InputError
from camera.exchange.relief import Relief
from camera.formats.film import usd
from camera.objects.material import linear_from_srgb
from camera.path import CameraPath

POINT_PX = 1.5
"""Width of a point, in pixels of the first camera at the point's depth."""


def usd_of(
    shown: Relief | PointCloud, path: CameraPath, *, kind: Literal["usdc", "usda"] = "usdc", unit: str = "metres"
) -> bytes:
    """The file: ``/Shot/Scene`` and ``/Shot/Camera`` with a sample per frame. ``unit``: the scene's unit; the file's comment says
    so if it is not metres. Raises `InputError` without ``usd-core``, and for non-square pixels."""
    Sdf, Usd, UsdGeom = (_part(name) for name in ("Sdf", "Usd", "UsdGeom"))
    layer = Sdf.Layer.CreateAnonymous(".usda")
    layer.ImportFromString(usd.write(path).decode())
    stage = Usd.Stage.Open(layer)
    root = UsdGeom.Xform.Define(stage, "/Shot")
    Sdf.CopySpec(layer, "/Reshoot", layer, "/Shot/Camera")
    stage.RemovePrim("/Reshoot")
    stage.SetDefaultPrim(root.GetPrim())
    if unit != "metres":
        layer.comment = "Lengths are units of the scene, whose size in metres is unknown."
    if isinstance(shown, Relief):
        _add_mesh(stage, shown)
    else:
        _add_points(stage, shown, path)
    with tempfile.TemporaryDirectory(prefix="usd-") as folder:
        file = Path(folder, f"scene.{kind}")
        layer.Export(str(file))
        return file.read_bytes()


def _add_mesh(stage: Any, surface: Relief) -> None:
    UsdGeom, Vt = _part("UsdGeom"), _part("Vt")
    mesh = UsdGeom.Mesh.Define(stage, "/Shot/Scene")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(_y_up(surface.vertices)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(surface.triangles), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(surface.triangles.ravel(), np.int32)))
    mesh.CreateSubdivisionSchemeAttr("none")
    mesh.CreateDoubleSidedAttr(True)
    _colour(mesh, surface.colours)


def _add_points(stage: Any, cloud: PointCloud, path: CameraPath) -> None:
    UsdGeom, Vt = _part("UsdGeom"), _part("Vt")
    points = UsdGeom.Points.Define(stage, "/Shot/Scene")
    points.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(_y_up(cloud.points)))
    away = np.linalg.norm(cloud.points - path.centres[0].astype(np.float32), axis=1)
    points.CreateWidthsAttr(Vt.FloatArray.FromNumpy((POINT_PX / path.intrinsics[0, 0, 0] * away).astype(np.float32)))
    points.SetWidthsInterpolation(UsdGeom.Tokens.vertex)
    _colour(points, cloud.colours)


def _colour(prim: Any, colours: NDArray[np.uint8]) -> None:
    UsdGeom, Vt = _part("UsdGeom"), _part("Vt")
    value = prim.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
    value.Set(Vt.Vec3fArray.FromNumpy(linear_of(colours)))


def _y_up(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(points * Y_UP, np.float32)


def linear_of(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB bytes to linear values in 0..1 (IEC 61966-2-1)."""
    table = linear_from_srgb(np.arange(256) / 255).astype(np.float32)
    return np.ascontiguousarray(table[colours])


def _part(name: str) -> Any:
    """A module of usd-core, which declares no types."""
    try:
        return importlib.import_module(f"pxr.{name}")
    except ImportError as error:
        raise InputError("Writing a scene as USD needs a package: pip install usd-core.") from error
