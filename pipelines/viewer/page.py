"""The single HTML file: script, description and arrays in one, without external requests."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath

if TYPE_CHECKING:
    import trimesh

    from pipelines.splats.splats import Splats

MOST_BYTES = 160 << 20
"""Maximum bytes of arrays that browsers open at once from one file."""
MOST_POINTS = 1_000_000
_HERE = Path(__file__).parent
_SHADERS = {"f4": "<f4", "f2": "<f2", "u1": "u1", "u4": "<u4"}


def page_of_points(cloud: PointCloud, path: CameraPath, *, title: str = "Points") -> bytes:
    """A page of points as discs that touch their neighbours; at most `MOST_POINTS`, evenly selected."""
    from camera.render.point_discs import Dots

    dots = Dots.of(cloud.thinned(MOST_POINTS))
    arrays = {"position": dots.cloud.points, "colour": dots.cloud.colours, "radius": dots.radii}
    return _page("points", arrays, path, title, f"{len(dots.cloud):,} points.", dots.cloud.points)


def page_of_mesh(meshes: list[trimesh.Trimesh], path: CameraPath, *, title: str = "Mesh") -> bytes:
    """A page of meshes with colours at their vertices, unlit, drawn from both sides."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    corners = [np.asarray(mesh.faces, np.uint32) + np.uint32(start) for mesh, start in zip(meshes, starts)]
    arrays = {
        "position": np.concatenate([np.asarray(mesh.vertices, np.float32) for mesh in meshes]),
        "colour": np.concatenate([np.asarray(mesh.visual.vertex_colors)[:, :3] for mesh in meshes]),  # type: ignore[union-attr]
        "index": np.concatenate(corners),
    }
    words = f"{len(arrays['index']):,} triangles."
    return _page("mesh", arrays, path, title, words, arrays["position"][: len(meshes[0].vertices)])


def page_of_splats(splats: Splats, path: CameraPath, *, title: str = "Splats") -> bytes:
    """A page of Gaussian splats, sorted and drawn as `pipelines.splats.rasterizer` does; harmonics in 16 bits."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_quat(np.roll(splats.quaternions, -1, axis=1)).as_matrix()
    spread = turn * splats.scales[:, None]
    covariance = spread @ spread.transpose(0, 2, 1)
    rows, columns = np.triu_indices(3)
    shapes = np.zeros((len(splats), 12), np.float32)
    shapes[:, :3], shapes[:, 3] = splats.means, splats.opacities
    shapes[:, 4:10] = covariance[:, rows, columns]
    colours = np.pad(splats.sh, ((0, 0), (0, 0), (0, 1))).astype(np.float16)
    facts = {"count": len(splats), "coefficients": splats.sh.shape[1]}
    words = f"{len(splats):,} Gaussians."
    return _page("splats", {"shapes": shapes, "colours": colours}, path, title, words, splats.means, facts)


def _page(
    kind: str,
    arrays: dict[str, NDArray],
    path: CameraPath,
    title: str,
    words: str,
    places: NDArray,
    facts: dict[str, Any] | None = None,
) -> bytes:
    about, body = _pack_arrays(arrays)
    if len(body) > MOST_BYTES:
        raise InputError(
            f"A page of {len(body) >> 20} MB is more than browsers open from one file; thin it to {MOST_BYTES >> 20} MB."
        )
    distance = float(np.median(np.linalg.norm(places - path.centres.mean(axis=0), axis=1)))
    described = {
        "kind": kind,
        "arrays": about,
        "distance": max(distance, 1e-6),
        "path": {
            "poses": path.world_from_camera.ravel().tolist(),
            "lenses": path.intrinsics.ravel().tolist(),
            "width": path.width,
            "height": path.height,
            "fps": path.fps,
        },
        **(facts or {}),
    }
    text = Template((_HERE / "viewer.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        words=words,
        about=json.dumps(described).replace("<", "\\u003c"),
        data=base64.b64encode(body).decode("ascii"),
        script=(_HERE / "viewer.js").read_text("utf-8"),
    )
    return text.encode("utf-8")


def _pack_arrays(arrays: dict[str, NDArray]) -> tuple[dict[str, Any], bytes]:
    """Offsets of the arrays in the bytes, aligned to 4."""
    kinds = {"float32": "f4", "float16": "f2", "uint8": "u1", "uint32": "u4"}
    about: dict[str, Any] = {}
    parts: list[bytes] = []
    at = 0
    for name, values in arrays.items():
        kind = kinds[values.dtype.name]
        data = np.ascontiguousarray(values, _SHADERS[kind]).tobytes()
        about[name] = {"kind": kind, "offset": at, "count": values.size}
        parts.append(data + b"\0" * (-len(data) % 4))
        at += len(parts[-1])
    return about, b"".join(parts)
