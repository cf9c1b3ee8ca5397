"""A small writer of self-contained glTF 2.0 binaries: one skinned, textured mesh with animations."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.media.video import complete

_COMPONENTS = {
    np.dtype(np.float32): 5126,
    np.dtype(np.uint8): 5121,
    np.dtype(np.uint16): 5123,
    np.dtype(np.uint32): 5125,
}
_SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_VERTICES, _INDICES = 34962, 34963


@dataclass(frozen=True, eq=False)
class Joint:
    """``parent``: index of the parent joint, or -1. ``place`` (3,): rest position in metres of the model."""

    name: str
    parent: int
    place: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Skinned:
    """A mesh in glTF axes (y up, z towards the viewer): V vertices, T triangles, four joints per vertex."""

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    texture_places: NDArray[np.float32]
    joints: NDArray[np.uint8]
    weights: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    skeleton: tuple[Joint, ...]
    texture: bytes
    """JPEG."""


@dataclass(frozen=True, eq=False)
class Motion:
    """``seconds`` (K,); ``rotations`` by joint index (K,4) xyzw; ``lift`` (K,3): metres added to the first joint's position."""

    name: str
    seconds: NDArray[np.float32]
    rotations: dict[int, NDArray[np.float32]]
    lift: NDArray[np.float32]


class _Binary:
    """The growing binary chunk, with the views and accessors that describe it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, content: bytes, target: int = 0) -> int:
        self.data += bytes(-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)})
        if target:
            self.views[-1]["target"] = target
        self.data += content
        return len(self.views) - 1

    def accessor(self, values: NDArray, target: int = 0, *, bounds: bool = False) -> int:
        values = np.ascontiguousarray(values)
        width = int(np.prod(values.shape[1:])) if values.ndim > 1 else 1
        entry = {
            "bufferView": self.view(values.tobytes(), target),
            "componentType": _COMPONENTS[values.dtype],
            "count": len(values),
            "type": _SHAPES[width],
        }
        if bounds:
            flat = values.reshape(len(values), -1)
            entry["min"], entry["max"] = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        self.accessors.append(entry)
        return len(self.accessors) - 1


def write_glb(file: Path, mesh: Skinned, motions: list[Motion], name: str) -> None:
    """Write ``mesh`` with its skeleton and ``motions`` to ``file``, as a self-contained GLB."""
    binary = _Binary()
    attributes = {
        "POSITION": binary.accessor(mesh.vertices, _VERTICES, bounds=True),
        "NORMAL": binary.accessor(mesh.normals, _VERTICES),
        "TEXCOORD_0": binary.accessor(mesh.texture_places, _VERTICES),
        "JOINTS_0": binary.accessor(mesh.joints, _VERTICES),
        "WEIGHTS_0": binary.accessor(mesh.weights, _VERTICES),
    }
    indices = binary.accessor(mesh.triangles.reshape(-1), _INDICES)
    count = len(mesh.skeleton)
    document = {
        "asset": {"version": "2.0", "generator": "Reshoot examples", "copyright": "CC0 1.0"},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [0, count]}],
        "nodes": [*_nodes(mesh.skeleton), {"name": name, "mesh": 0, "skin": 0}],
        "meshes": [
            {"name": name, "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]},
        ],
        "materials": [
            {
                "name": "cloth",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                },
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": binary.view(mesh.texture), "mimeType": "image/jpeg"}],
        "skins": [
            {
                "inverseBindMatrices": binary.accessor(_inverse_binds(mesh.skeleton)),
                "joints": list(range(count)),
                "skeleton": 0,
            }
        ],
        "animations": [_animation(binary, motion, mesh.skeleton) for motion in motions],
        "accessors": binary.accessors,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": len(binary.data)}],
    }
    with complete(file) as part:
        part.write_bytes(_chunks(document, bytes(binary.data)))


def _nodes(skeleton: tuple[Joint, ...]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for index, joint in enumerate(skeleton):
        origin = skeleton[joint.parent].place if joint.parent >= 0 else (0.0, 0.0, 0.0)
        node: dict[str, Any] = {"name": joint.name, "translation": [a - b for a, b in zip(joint.place, origin)]}
        children = [k for k, other in enumerate(skeleton) if other.parent == index]
        nodes.append({**node, "children": children} if children else node)
    return nodes


def _inverse_binds(skeleton: tuple[Joint, ...]) -> NDArray[np.float32]:
    """(J,4,4) in glTF's column order: translations only, because joints rest without rotation."""
    matrices = np.repeat(np.eye(4, dtype=np.float32)[None], len(skeleton), axis=0)
    matrices[:, 3, :3] = [[-value for value in joint.place] for joint in skeleton]
    return matrices


def _animation(binary: _Binary, motion: Motion, skeleton: tuple[Joint, ...]) -> dict[str, Any]:
    times = binary.accessor(motion.seconds.astype(np.float32), bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def channel(node: int, target: str, values: NDArray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": target}})
        samplers.append(
            {"input": times, "output": binary.accessor(values.astype(np.float32)), "interpolation": "LINEAR"}
        )

    for node, rotations in motion.rotations.items():
        channel(node, "rotation", rotations)
    channel(0, "translation", motion.lift + np.array(skeleton[0].place))
    return {"name": motion.name, "channels": channels, "samplers": samplers}


def _chunks(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\x00"),
            binary,
        )
    )
