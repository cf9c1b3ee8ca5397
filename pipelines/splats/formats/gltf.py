"""Splats as binary glTF with ``KHR_gaussian_splatting`` (Khronos): lossless, and shown as points by viewers without the extension.

glTF is y up, the world here y down: a node rotates everything by 180 degrees about x, and the Gaussians are unchanged.
The extension's scales are lengths, its opacities 0..1, its rotations xyzw; colours are the harmonics of 3DGS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from pipelines.splats.splats import MOST_DEGREE, Splats

EXTENSION = "KHR_gaussian_splatting"
FLOAT, BYTE, POINTS = 5126, 5121, 0
HOW = {
    "kernel": "ellipse",
    "colorSpace": "srgb_rec709_display",
    "projection": "perspective",
    "sortingMethod": "cameraDistance",
}
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
_DEEPEST = 64


def glb_bytes(splats: Splats) -> bytes:
    """The file of ``splats``, all in float32; ``COLOR_0`` is for viewers that show points."""
    from camera.objects.glb import pack_glb

    about, binary = document(splats)
    return pack_glb(about, binary)


def document(splats: Splats) -> tuple[dict[str, Any], bytes]:
    """The description of a glTF with one node of splats, and its binary part, a multiple of 4 bytes."""
    arrays = _arrays(splats)
    views: list[dict[str, int]] = []
    accessors: list[dict[str, Any]] = []
    body = b""
    for values in arrays.values():
        data = np.ascontiguousarray(values).tobytes()
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        accessors.append(_accessor(values, len(accessors)))
        body += data
    means = splats.means
    accessors[0] |= {"min": means.min(axis=0).tolist(), "max": means.max(axis=0).tolist()}
    primitive = {
        "attributes": {name: index for index, name in enumerate(arrays)},
        "mode": POINTS,
        "extensions": {EXTENSION: HOW},
    }
    about = {
        "asset": {"version": "2.0", "generator": "Reshoot"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "splats", "mesh": 0, "rotation": [1.0, 0.0, 0.0, 0.0]}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": len(body)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    return about, body


def read_glb(data: bytes, name: str = "splats.glb") -> Splats:
    """All splats of a GLB, transformed by their nodes, in glTF's axes. Raises `InputError` for a file without splats or with compressed ones."""
    from camera.objects.glb import GltfFile, chunks

    about, binary = chunks(data, name)
    packed = [each for each in about.get("extensionsUsed", []) if str(each).startswith(f"{EXTENSION}_")]
    if packed:
        raise InputError(
            f"{name} compresses its splats with {packed[0]}, which is not supported; export it without that extension."
        )
    file = GltfFile(name, about, binary)
    with reading(f"{name} is not a complete glTF file; export it again."):
        parts = [
            _place(_splats(file, primitive), world, name)
            for world, primitive in _primitives(about)
            if EXTENSION in primitive.get("extensions", {})
        ]
    if not parts:
        raise InputError(f"{name} contains no splats ({EXTENSION}); open meshes as objects.")
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    return whole


def _arrays(splats: Splats) -> dict[str, NDArray]:
    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True)
    shown = np.concatenate([splats.colours, splats.opacities[:, None]], axis=1)
    arrays: dict[str, NDArray] = {
        "POSITION": splats.means,
        "COLOR_0": np.rint(shown * 255).astype(np.uint8),
        f"{EXTENSION}:ROTATION": np.roll(unit, -1, axis=1).astype(np.float32),
        f"{EXTENSION}:SCALE": splats.scales,
        f"{EXTENSION}:OPACITY": splats.opacities,
    }
    names = _harmonics(splats.degree)
    return arrays | {each: splats.sh[:, index] for index, each in enumerate(names)}


def _harmonics(degree: int) -> list[str]:
    """Names of the coefficients in 3DGS order."""
    return [f"{EXTENSION}:SH_DEGREE_{each}_COEF_{n}" for each in range(degree + 1) for n in range(2 * each + 1)]


def _accessor(values: NDArray, view: int) -> dict[str, Any]:
    of_bytes = values.dtype == np.uint8
    about = {
        "bufferView": view,
        "componentType": BYTE if of_bytes else FLOAT,
        "count": len(values),
        "type": _TYPES[1 if values.ndim == 1 else values.shape[1]],
    }
    return about | ({"normalized": True} if of_bytes else {})


def _primitives(about: dict[str, Any]) -> Iterator[tuple[NDArray[np.float64], dict[str, Any]]]:
    """Every primitive of the scene with its node's world matrix (4,4)."""
    from camera.objects.gltf import local_matrix

    nodes = about["nodes"]
    waiting = [(number, np.eye(4), 0) for number in about["scenes"][about.get("scene", 0)]["nodes"]]
    while waiting:
        number, above, depth = waiting.pop(0)
        if depth > _DEEPEST:
            raise ValueError("nodes are nested in a cycle")
        world = above @ local_matrix(nodes[number], {})
        if "mesh" in nodes[number]:
            yield from ((world, primitive) for primitive in about["meshes"][nodes[number]["mesh"]]["primitives"])
        waiting += [(child, world, depth + 1) for child in nodes[number].get("children", [])]


def _splats(file: Any, primitive: dict[str, Any]) -> Splats:
    accessors = primitive["attributes"]
    degree = max(each for each in range(MOST_DEGREE + 1) if _harmonics(each)[-1] in accessors)

    def values(name: str) -> NDArray[np.float32]:
        return np.asarray(file.array(accessors[name]), np.float32)

    opacity = np.clip(values(f"{EXTENSION}:OPACITY")[:, 0].astype(np.float64), 1e-6, 1 - 1e-6)
    return Splats(
        values("POSITION"),
        np.roll(values(f"{EXTENSION}:ROTATION"), 1, axis=1),
        np.log(np.maximum(values(f"{EXTENSION}:SCALE"), 1e-12)),
        np.log(opacity / (1 - opacity)),
        np.stack([values(each) for each in _harmonics(degree)], axis=1),
    )


def _place(splats: Splats, world: NDArray[np.float64], name: str) -> Splats:
    """Transform splats by a node's matrix, which must not shear or mirror."""
    from dataclasses import replace

    from pipelines.splats.formats.axes import turn_splats

    scale = float(np.cbrt(np.linalg.det(world[:3, :3])))
    if scale <= 0 or not np.allclose(world[:3, :3] @ world[:3, :3].T, scale**2 * np.eye(3), atol=1e-4 * scale**2):
        raise InputError(f"{name} stretches or mirrors its splats, which is not supported; apply the transform first.")
    placed = turn_splats(splats, world[:3, :3] / scale)
    means = (placed.means * scale + world[:3, 3]).astype(np.float32)
    return replace(placed, means=means, log_scales=placed.log_scales + np.float32(np.log(scale)))
