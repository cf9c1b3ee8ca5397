"""Writes frames with cameras as COLMAP and nerfstudio folders."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.colmap import txt_files
from camera.formats.nerfstudio import write_transforms
from camera.path import CameraPath
from pipelines.media.image import png
from pipelines.method import Frames

if TYPE_CHECKING:
    pass


def colmap_zip(frames: Frames, path: CameraPath, cloud: PointCloud | None = None) -> bytes:
    """A zip with images/ and sparse/0/ as text, for COLMAP's tools."""
    return zip_files(colmap_files(frames, path, cloud))


def nerfstudio_zip(frames: Frames, path: CameraPath, cloud: PointCloud) -> bytes:
    """A zip with images/, transforms.json and its point cloud, in the world of ``path``."""
    values = json.loads(write_transforms(path)) | {"ply_file_path": "points.ply"}
    named = {"transforms.json": json.dumps(values).encode(), "points.ply": cloud.ply_bytes()}
    return zip_files(_pictures(frames, path) | named)


def colmap_files(frames: Frames, path: CameraPath, cloud: PointCloud | None = None) -> dict[str, bytes]:
    model = {f"sparse/0/{name}": content for name, content in txt_files(path, cloud).items()}
    return _pictures(frames, path) | model


def _pictures(frames: Frames, path: CameraPath) -> dict[str, bytes]:
    """Frames as PNG with the names used in COLMAP's and nerfstudio's camera files."""
    shape = (len(path), path.height, path.width, 3)
    if tuple(frames.shape) != shape:
        raise InputError(
            f"The path is for frames of shape {shape}, got {tuple(frames.shape)}; use the path they were shot on."
        )
    return {f"images/frame_{i:05d}.png": png(frame) for i, frame in enumerate(frames, 1)}


def zip_files(files: Mapping[str, bytes]) -> bytes:
    """Zip files; pictures are stored uncompressed, everything else is compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            packing = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, packing)
    return buffer.getvalue()
