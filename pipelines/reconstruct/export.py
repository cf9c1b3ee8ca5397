"""Files of a reconstruction: points, mesh, and folders of posed frames for COLMAP's and nerfstudio's tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from camera.cloud import PointCloud
from camera.objects.vertex_light import with_light_colours
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Frames
from pipelines.results.posed_folders import colmap_zip, nerfstudio_zip

if TYPE_CHECKING:
    import trimesh

LINEAR, CLAMP = 9729, 33071
"""glTF's codes for texture sampling: linear filtering, and clamping at the edge."""


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
    as a separate mesh and as ``background.ply``. ``textured``: the mesh with fewer triangles and a texture, as
    ``textured.glb``. GLB has glTF's axes, everything else the world's. Raises `InputError` if frames and path do not match.
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


def posed_frames(scene: Scene) -> tuple[Frames, CameraPath]:
    """The pictures (F,H,W,3) of a scene and their cameras, for `exports`."""
    views = scene.views
    poses, lenses = (np.stack([getattr(view, name) for view in views]) for name in ("world_from_camera", "intrinsics"))
    frames = np.stack([view.colour for view in views])
    return frames, CameraPath(poses, lenses, scene.first.width, scene.first.height, scene.fps)


def mesh_ply(mesh: trimesh.Trimesh) -> bytes:
    """Binary PLY with vertex colours, in the mesh's own axes."""
    exported = mesh.export(file_type="ply")
    assert isinstance(exported, bytes)
    return exported


def mesh_glb(mesh: trimesh.Trimesh, dome: trimesh.Trimesh | None = None) -> bytes:
    """Binary glTF with vertex colours or a texture, converted to glTF's axes (x right, y up, z backward), so that viewers show it upright."""
    import trimesh

    whole = trimesh.Scene()
    for name, part in (("mesh", mesh), ("background", dome)):
        if part is not None:
            turned = part.copy()
            turned.apply_transform(np.diag([1.0, -1.0, -1.0, 1.0]))
            whole.add_geometry(turned, node_name=name, geom_name=name)
    return glb(whole)


def glb(scene: trimesh.Scene) -> bytes:
    """Binary glTF with unlit vertex colours. Disables mipmaps of textures: they would blend colours of triangles that are
    neighbours only in the texture (see `pipelines.reconstruct.surface.texture`)."""
    exported = scene.export(file_type="glb", tree_postprocessor=_disable_mipmaps)
    assert isinstance(exported, bytes)
    return with_light_colours(exported)


def _disable_mipmaps(tree: dict) -> None:
    if "textures" in tree:
        tree["samplers"] = [{"magFilter": LINEAR, "minFilter": LINEAR, "wrapS": CLAMP, "wrapT": CLAMP}]
        for texture in tree["textures"]:
            texture["sampler"] = 0
