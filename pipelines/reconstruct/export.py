"""Files of a reconstruction: the points, and folders of posed frames for COLMAP's and nerfstudio's tools."""

from __future__ import annotations

import io
import json
import zipfile

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.colmap import write_txt
from camera.formats.nerfstudio import write_transforms
from camera.path import CameraPath
from pipelines.genxd.export import png
from pipelines.method import Frames


def exports(frames: Frames, path: CameraPath, *, cloud: PointCloud) -> dict[str, bytes]:
    """``points.ply``, ``points.glb``, ``colmap.zip`` and ``nerfstudio.zip``, by name.

    ``frames`` (N,H,W,3) uint8 RGB, one per camera of ``path`` and of its size. Errors: `InputError` where they differ.
    """
    shape = (len(path.world_from_camera), path.height, path.width, 3)
    if tuple(frames.shape) != shape:
        raise InputError(
            f"The path is for frames of shape {shape}, got {tuple(frames.shape)}; give the path they were shot on."
        )
    pictures = {f"images/frame_{i:05d}.png": png(frame) for i, frame in enumerate(frames, 1)}
    return {
        "points.ply": cloud.ply_bytes(),
        "points.glb": cloud.glb_bytes(),
        "colmap.zip": _zipped(pictures | _colmap(path, cloud)),
        "nerfstudio.zip": _zipped(pictures | _nerfstudio(path, cloud)),
    }


def _colmap(path: CameraPath, cloud: PointCloud) -> dict[str, bytes]:
    """The text model; its points are said to be seen by no picture."""
    with zipfile.ZipFile(io.BytesIO(write_txt(path))) as model:
        files = {name: model.read(name) for name in model.namelist()}
    rows = enumerate(zip(cloud.points.tolist(), cloud.colours.tolist()), 1)
    lines = (f"{i} {x:.6g} {y:.6g} {z:.6g} {r} {g} {b} 0\n" for i, ((x, y, z), (r, g, b)) in rows)
    (points,) = (name for name in files if name.endswith("points3D.txt"))
    return files | {points: "".join(lines).encode()}


def _nerfstudio(path: CameraPath, cloud: PointCloud) -> dict[str, bytes]:
    """``transforms.json`` and the points it names, both in the world of ``path``."""
    values = json.loads(write_transforms(path)) | {"ply_file_path": "points.ply"}
    return {"transforms.json": json.dumps(values).encode(), "points.ply": cloud.ply_bytes()}


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            packing = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, packing)
    return buffer.getvalue()
