"""Files of a reconstruction: points, mesh, and folders of posed frames for COLMAP's and nerfstudio's tools."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.colmap import txt_files
from camera.formats.nerfstudio import write_transforms
from camera.path import CameraPath
from camera.view import Scene
from pipelines.media.image import png
from pipelines.method import Frames

if TYPE_CHECKING:
    import trimesh

LINEAR, CLAMP = 9729, 33071
"""glTF's names for how a texture is read between its pixels, and beyond its edge."""


def exports(
    frames: Frames,
    path: CameraPath,
    *,
    cloud: PointCloud,
    mesh: trimesh.Trimesh | None = None,
    dome: trimesh.Trimesh | None = None,
    textured: trimesh.Trimesh | None = None,
) -> dict[str, bytes]:
    """``points.ply``, ``points.glb``, ``colmap.zip`` and ``nerfstudio.zip``, and ``mesh.ply`` and ``mesh.glb``, by name.

    ``frames`` (N,H,W,3) uint8 RGB, one per camera of ``path`` and of its size. ``dome``: a far background, in ``mesh.glb``
    as a mesh of its own and as ``background.ply``. ``textured``: the mesh again, of few triangles with a texture, as
    ``textured.glb``. GLB has glTF's axes, all else the world's. Errors: `InputError` where
    frames and path differ.
    """
    return {
        "points.ply": cloud.ply_bytes(),
        "points.glb": cloud.glb_bytes(),
        **({} if mesh is None else {"mesh.ply": mesh_ply(mesh), "mesh.glb": mesh_glb(mesh, dome)}),
        **({} if textured is None else {"textured.glb": mesh_glb(textured, dome)}),
        **({} if dome is None else {"background.ply": mesh_ply(dome)}),
        "colmap.zip": colmap_zip(frames, path, cloud),
        "nerfstudio.zip": nerfstudio_zip(frames, path, cloud),
    }


def shot_on(scene: Scene) -> tuple[Frames, CameraPath]:
    """The pictures (F,H,W,3) of a scene and their cameras: what `exports` takes."""
    views = scene.views
    poses, lenses = (np.stack([getattr(view, name) for view in views]) for name in ("world_from_camera", "intrinsics"))
    frames = np.stack([view.colour for view in views])
    return frames, CameraPath(poses, lenses, scene.first.width, scene.first.height, scene.fps)


def mesh_ply(mesh: trimesh.Trimesh) -> bytes:
    """Binary PLY with vertex colours; axes as they are."""
    exported = mesh.export(file_type="ply")
    assert isinstance(exported, bytes)
    return exported


def mesh_glb(mesh: trimesh.Trimesh, dome: trimesh.Trimesh | None = None) -> bytes:
    """Binary glTF with vertex colours or a texture, turned to glTF's axes (x right, y up, z backward), so that viewers show it upright."""
    import trimesh

    whole = trimesh.Scene()
    for name, part in (("mesh", mesh), ("background", dome)):
        if part is not None:
            turned = part.copy()
            turned.apply_transform(np.diag([1.0, -1.0, -1.0, 1.0]))
            whole.add_geometry(turned, node_name=name, geom_name=name)
    return glb(whole)


def glb(scene: trimesh.Scene) -> bytes:
    """Binary glTF. Textures are read as they are: smaller copies, which viewers else make for what is far, would mix the
    colours of triangles that are neighbours only in the picture (see `pipelines.reconstruct.surface.texture`)."""
    exported = scene.export(file_type="glb", tree_postprocessor=_without_smaller_copies)
    assert isinstance(exported, bytes)
    return exported


def _without_smaller_copies(tree: dict) -> None:
    if "textures" in tree:
        tree["samplers"] = [{"magFilter": LINEAR, "minFilter": LINEAR, "wrapS": CLAMP, "wrapT": CLAMP}]
        for texture in tree["textures"]:
            texture["sampler"] = 0


def colmap_zip(frames: Frames, path: CameraPath, cloud: PointCloud | None = None) -> bytes:
    """images/ and sparse/0/ as text, as COLMAP's tools read them."""
    return zipped(colmap_files(frames, path, cloud))


def nerfstudio_zip(frames: Frames, path: CameraPath, cloud: PointCloud) -> bytes:
    """images/, transforms.json and the points it names, both in the world of ``path``."""
    values = json.loads(write_transforms(path)) | {"ply_file_path": "points.ply"}
    named = {"transforms.json": json.dumps(values).encode(), "points.ply": cloud.ply_bytes()}
    return zipped(_pictures(frames, path) | named)


def colmap_files(frames: Frames, path: CameraPath, cloud: PointCloud | None = None) -> dict[str, bytes]:
    model = {f"sparse/0/{name}": content for name, content in txt_files(path, cloud).items()}
    return _pictures(frames, path) | model


def _pictures(frames: Frames, path: CameraPath) -> dict[str, bytes]:
    """Frames as PNG under the names that COLMAP's and nerfstudio's cameras give them."""
    shape = (len(path), path.height, path.width, 3)
    if tuple(frames.shape) != shape:
        raise InputError(
            f"The path is for frames of shape {shape}, got {tuple(frames.shape)}; give the path they were shot on."
        )
    return {f"images/frame_{i:05d}.png": png(frame) for i, frame in enumerate(frames, 1)}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Pictures are stored as they are, all else is packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            packing = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, packing)
    return buffer.getvalue()
