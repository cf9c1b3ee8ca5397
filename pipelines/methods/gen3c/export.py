"""Exports the 3D cache and its views as files that GEN3C reads."""

from __future__ import annotations

import io

import numpy as np

from camera.cloud import cloud_of
from camera.path import CameraPath, inverse
from camera.view import Scene


def views_npz(scene: Scene, path: CameraPath) -> bytes:
    """The views and the path as an npz in upstream's multi-view format, for `read_views` and upstream's script."""
    pictures = np.stack([view.colour for view in scene.views]).transpose(0, 3, 1, 2)
    arrays = {
        "images_key_frames": pictures.astype(np.float32) / 127.5 - 1,
        "depth_key_frames": np.stack([view.depth for view in scene.views])[:, None],
        "mask_key_frames": np.stack([view.known for view in scene.views])[:, None].astype(np.float32),
        "K_key_frames": np.stack([view.intrinsics for view in scene.views]).astype(np.float32),
        "w2cs_key_frames": np.stack([inverse(view.world_from_camera) for view in scene.views]).astype(np.float32),
        "w2cs_all": path.camera_from_world.astype(np.float32),
        "Ks_all": path.intrinsics.astype(np.float32),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def cache_files(scene: Scene, path: CameraPath) -> dict[str, bytes]:
    """Files of the cache: its points, and its pictures with their cameras in upstream's format; for a clip only the first frame's."""
    cloud = cloud_of(scene)
    name = "cache of the first frame" if scene.kind == "clip" else "cache"
    files = {f"{name}.ply": cloud.ply_bytes(), f"{name}.glb": cloud.glb_bytes()}
    return files if scene.kind == "clip" else files | {"views.npz": views_npz(scene, path)}
