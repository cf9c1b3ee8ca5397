"""Foreground masking by a rasteriser against brute-force ray casting."""

from __future__ import annotations

import time

import numpy as np
import torch

from bench import Row, Scale, cpu_milliseconds, in_threads, milliseconds, subject
from bench.room import front, orbit
from camera.cache3d.occlusion import foreground_mesh, mesh_depth
from camera.depth_edges import reliable_depth
from camera.render import reference_warp
from camera.unproject import points_of

RAYS = 8192
"""Brute force takes half a minute for a full picture, so it is timed and compared on this many evenly spread rays."""


@subject
def foreground_masking(scale: Scale) -> list[Row]:
    view, path = front(scale.height, scale.width), orbit(scale.height, scale.width)
    pose, lens = path.camera_from_world[0].astype(np.float32), path.intrinsics[0].astype(np.float32)
    mesh = foreground_mesh(points_of(view), ~reliable_depth(view.depth))
    size = (scale.height, scale.width)
    (threaded,) = milliseconds(
        in_threads(lambda: mesh_depth(mesh, pose, lens, size), scale.frames), rounds=scale.rounds
    )
    (alone,) = cpu_milliseconds(lambda: mesh_depth(mesh, pose, lens, size), rounds=scale.rounds)
    pixels = scale.height * scale.width
    chosen = np.linspace(0, pixels - 1, min(RAYS, pixels)).astype(int)
    rays = reference_warp.ray_directions(*size, torch.from_numpy(lens)).reshape(-1, 3)[chosen]
    vertices = torch.from_numpy(mesh.vertices @ pose[:3, :3].T + pose[:3, 3])
    triangles = torch.from_numpy(mesh.triangles)
    torch.set_num_threads(1)
    start = time.thread_time()
    distance = reference_warp.mesh_distance(vertices, triangles, rays)
    slow = 1e3 * (time.thread_time() - start) * pixels / len(chosen)
    theirs, ours = (distance * rays[:, 2]).numpy(), mesh_depth(mesh, pose, lens, size).reshape(-1)[chosen]
    differing = int(((ours > 0) != (theirs > 0)).sum())
    words = f"{differing} of {len(chosen)} rays differ, depth max {np.abs(ours - theirs).max():.0e}"
    threaded /= scale.frames
    what = f"foreground mask, {len(mesh.triangles)} triangles"
    return [
        Row(what, threaded, slow, words, "1000x, 0 differ", slow / threaded >= 1000 and differing == 0),
        Row("foreground mask, one thread", alone, slow),
    ]
