"""OBJ and PLY files as surfaces, in their own axes and units; GLB files are read by `camera.objects.gltf`.

Nothing outside the file is opened. An OBJ with companion files is first converted to a GLB, see `camera.objects.bundle`.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.surface import Surface, far_origin

LARGEST_BYTES = 1 << 28
"""Maximum size of a mesh file."""
MOST_READ = 10_000_000
"""Maximum number of triangles in a file."""
MOST_TRIANGLES = 200_000
"""Number of triangles to which an object is simplified."""
KINDS = (".glb", ".obj", ".ply")
_ELEMENT = re.compile(rb"^element\s+\S+\s+(\d+)", re.MULTILINE)


def check_size(data: bytes, name: str) -> None:
    if len(data) > LARGEST_BYTES:
        raise InputError(f"{name} is larger than {LARGEST_BYTES >> 20} MB; reduce the mesh or its textures.")


@dataclass(frozen=True, eq=False)
class Shapes:
    """``origin`` (3,): subtracted from all positions, see `far_origin`. ``cut_out``: some colours are transparent."""

    surfaces: tuple[Surface, ...]
    origin: NDArray[np.float64]
    cut_out: bool


def read(data: bytes, name: str) -> Shapes:
    """Surfaces of an OBJ or PLY file. Raises `InputError`."""
    import trimesh

    kind = PurePath(name).suffix.lower()
    if kind not in KINDS[1:]:
        raise InputError(f"{name} is not a supported mesh; give {', '.join(KINDS)}.")
    check_size(data, name)
    if kind == ".ply":
        check_counts(data, name)
    try:
        loaded = trimesh.load_scene(io.BytesIO(data), file_type=kind[1:], process=False)
        parts = loaded.dump()
    except Exception as error:  # trimesh passes on any exception of its parsers
        raise InputError(f"{name} cannot be read; export it with everything inside one file.") from error
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if any(np.shape(mesh.vertices)[1:] != (3,) for mesh in meshes):
        raise InputError(f"{name} has points without three numbers each; export it again.")
    if not meshes:
        raise InputError(f"{name} has no triangles; export it with faces, not as points or lines.")
    if (count := sum(len(mesh.faces) for mesh in meshes)) > MOST_READ:
        raise InputError(f"{name} has {count} triangles; reduce it to {MOST_READ} or fewer.")
    origin = far_origin([np.asarray(mesh.vertices) for mesh in meshes])
    return Shapes(tuple(_surface(mesh, origin) for mesh in meshes), origin, any(map(_see_through, meshes)))


def _see_through(mesh: Any) -> bool:
    colours = getattr(mesh.visual, "vertex_colors", None)
    return colours is not None and colours.shape[-1] == 4 and bool((np.asarray(colours)[..., 3] < 255).any())


def check_counts(data: bytes, name: str) -> None:
    """Raise `InputError` for a PLY header that announces more than the file contains, since parsers allocate memory for it."""
    head = data[: data.find(b"end_header") + 1]
    if any(int(count) > len(data) for count in _ELEMENT.findall(head)):
        raise InputError(f"{name} announces more points or faces than it contains; export it again.")


def _surface(mesh: Any, origin: NDArray[np.float64]) -> Surface:
    vertices, triangles = np.array(mesh.vertices - origin, np.float32), np.array(mesh.faces, np.int32)
    uv, texture = getattr(mesh.visual, "uv", None), _texture(mesh.visual)
    if uv is not None and texture is not None:
        flipped = np.asarray(uv, np.float32) * [1, -1] + [0, 1]  # trimesh counts from the bottom
        grey = np.full((len(vertices), 3), 128, np.uint8)
        return Surface(vertices, triangles, grey, flipped.astype(np.float32), texture)
    visual = mesh.visual.to_color() if hasattr(mesh.visual, "to_color") else mesh.visual
    return Surface(vertices, triangles, np.array(visual.vertex_colors[:, :3], dtype=np.uint8))


def _texture(visual: Any) -> NDArray[np.uint8] | None:
    picture = getattr(getattr(visual, "material", None), "image", None)
    return None if picture is None else np.array(picture.convert("RGB"), np.uint8)
