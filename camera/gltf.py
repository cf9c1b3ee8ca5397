"""Animated GLB files: nodes and skins sampled at a moment, as surfaces in the file's world.

Mesh libraries drop what moves in a glTF file; here its JSON and binary parts are read directly. Understood: node animation
and linear blend skins, keys held, linear or cubic, embedded buffers and pictures, vertex colours. Not understood: morph
targets, compressed meshes and anything outside the file, of which an `InputError` tells.
Source: Khronos glTF 2.0 specification, sections 3.6, 3.7, 3.11 and appendix C.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.meshfile import MOST_READ, MOST_TRIANGLES, check_size
from camera.surface import Surface, thinner

_MAGIC, _JSON, _BINARY, _TRIANGLES = 0x46546C67, 0x4E4F534A, 0x004E4942, 4
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_REST = {"translation": [0.0, 0.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0], "scale": [1.0, 1.0, 1.0]}
_PARTS = tuple(_REST)
LARGEST_TEXTURE = 64_000_000
"""Pixels of one texture."""
MOST_NODES = 20_000


@dataclass(frozen=True, eq=False)
class _Primitive:
    """One mesh part as it is stored: ``bound`` in the mesh's own axes, ``joints`` (V,4) int and ``weights`` (V,4) where it
    hangs on a skin."""

    bound: Surface
    joints: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    def thinned(self, most: int) -> _Primitive:
        if len(self.bound.triangles) <= most:
            return self
        kept, triangles = thinner(self.bound.vertices, self.bound.triangles, most)
        of = self.bound
        uv = None if of.uv is None else of.uv[kept]
        bound = Surface(of.vertices[kept], triangles, of.colours[kept], uv, of.texture)
        joints = None if self.joints is None else self.joints[kept]
        return _Primitive(bound, joints, None if self.weights is None else self.weights[kept])


@dataclass(frozen=True, eq=False)
class Gltf:
    """A file's description, its binary part and its meshes; made by `read`, which checks what they refer to."""

    name: str
    about: dict[str, Any]
    binary: bytes
    meshes: dict[int, tuple[_Primitive, ...]] = field(default_factory=dict)

    @property
    def animations(self) -> dict[str, float]:
        """Names and lengths in seconds; unnamed ones are called by their number."""
        return {
            found.get("name") or str(number): max(float(self._array(s["input"]).max()) for s in found["samplers"])
            for number, found in enumerate(self.about.get("animations", []))
        }

    @property
    def has_skin(self) -> bool:
        return bool(self.about.get("skins"))

    def surfaces(self, animation: str = "", seconds: float = 0.0) -> tuple[Surface, ...]:
        """Every triangle mesh of the file's scene at a moment; an empty name is the pose in which it was saved.

        Before its first and after its last key a part stands still. Raises `InputError` for an unknown animation.
        """
        worlds = self._worlds(self._sampled(animation, seconds))
        made: list[Surface] = []
        for number, world in worlds.items():
            node = self.about["nodes"][number]
            if "mesh" in node:
                joints = self._joint_matrices(node["skin"], worlds) if "skin" in node else None
                made += [_posed(primitive, world, joints) for primitive in self.meshes[node["mesh"]]]
        if not made:
            raise InputError(f"{self.name} has no triangles; export it with faces, not as points or lines.")
        return tuple(made)

    @property
    def triangles(self) -> int:
        """Of the whole scene; a mesh that stands in several places counts as often."""
        nodes = self.about.get("nodes", [])
        shown = [nodes[number]["mesh"] for number in self._worlds({}) if "mesh" in nodes[number]]
        return sum(len(primitive.bound.triangles) for mesh in shown for primitive in self.meshes[mesh])

    def thinned(self, most: int) -> Gltf:
        """Every mesh with the same share of its triangles, so that the scene has at most about ``most``."""
        share = most / max(self.triangles, 1)
        if share >= 1:
            return self
        meshes = {
            number: tuple(part.thinned(max(int(len(part.bound.triangles) * share), 4)) for part in parts)
            for number, parts in self.meshes.items()
        }
        return replace(self, meshes=meshes)

    # animation

    def _sampled(self, name: str, seconds: float) -> dict[int, dict[str, NDArray]]:
        """By node, the parts of its transform that the animation sets at this moment."""
        if not name:
            return {}
        names = [*self.animations]
        if name not in names:
            known = ", ".join(names) if names else "none, the file holds no animation"
            raise InputError(f"{self.name} has no animation {name!r}; it has {known}.")
        found, values = self.about["animations"][names.index(name)], {}
        for channel in found["channels"]:
            node, part = channel["target"].get("node"), channel["target"]["path"]
            if node is not None and part in _PARTS:
                sampler = found["samplers"][channel["sampler"]]
                times, keys = self._array(sampler["input"])[:, 0], self._array(sampler["output"])
                way = sampler.get("interpolation", "LINEAR")
                values.setdefault(node, {})[part] = sample(times, keys, seconds, way, rotation=part == "rotation")
        return values

    def _worlds(self, sampled: dict[int, dict[str, NDArray]]) -> dict[int, NDArray[np.float64]]:
        """(4,4) world-from-node of every node in the scene."""
        nodes = self.about.get("nodes", [])
        scenes = self.about.get("scenes") or [{"nodes": [*range(len(nodes))]}]
        waiting = [(root, np.eye(4)) for root in scenes[self.about.get("scene", 0)].get("nodes", [])]
        worlds: dict[int, NDArray[np.float64]] = {}
        if len(nodes) > MOST_NODES:
            raise InputError(f"{self.name} has {len(nodes)} nodes; join its meshes before exporting it.")
        while waiting:
            number, parent = waiting.pop()
            if number in worlds:
                raise InputError(f"{self.name} names node {number} twice in its tree; export it again.")
            worlds[number] = parent @ _local(nodes[number], sampled.get(number, {}))
            waiting += [(child, worlds[number]) for child in nodes[number].get("children", [])]
        return worlds

    def _joint_matrices(self, skin: int, worlds: dict[int, NDArray]) -> NDArray[np.float64]:
        """(J,4,4) world-from-mesh of every joint."""
        found = self.about["skins"][skin]
        joints = np.stack([worlds[joint] for joint in found["joints"]])
        if "inverseBindMatrices" not in found:
            return joints
        return joints @ self._array(found["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)

    # meshes

    def _primitives(self) -> dict[int, tuple[_Primitive, ...]]:
        """By mesh; what is no triangle is left out."""
        stored = self.about.get("meshes", [])
        return {
            number: tuple(
                self._primitive(part) for part in mesh["primitives"] if part.get("mode", _TRIANGLES) == _TRIANGLES
            )
            for number, mesh in enumerate(stored)
        }

    def _primitive(self, primitive: dict[str, Any]) -> _Primitive:
        given = primitive["attributes"]
        points = np.array(self._array(given["POSITION"]), np.float32)
        corners = self._array(primitive["indices"]) if "indices" in primitive else np.arange(len(points))
        if len(corners) // 3 > MOST_READ:
            raise InputError(f"{self.name} has a mesh of {len(corners) // 3} triangles; reduce it to {MOST_READ}.")
        uv = np.array(self._array(given["TEXCOORD_0"]), np.float32) if "TEXCOORD_0" in given else None
        texture, tint = self._material(primitive.get("material"))
        colours = np.broadcast_to(tint, (len(points), 3))
        if "COLOR_0" in given:
            colours = colours * self._array(given["COLOR_0"])[:, :3]
        triangles = np.array(corners).reshape(-1)[: len(corners) // 3 * 3].reshape(-1, 3).astype(np.int32)
        shades = np.rint(np.clip(np.nan_to_num(colours), 0, 1) * 255).astype(np.uint8)
        bound = Surface(points, triangles, shades, uv, texture)
        if "JOINTS_0" not in given:
            return _Primitive(bound)
        weights = np.nan_to_num(np.array(self._array(given["WEIGHTS_0"]), np.float64))
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        return _Primitive(bound, self._array(given["JOINTS_0"]).astype(np.int64), weights)

    def _material(self, number: int | None) -> tuple[NDArray[np.uint8] | None, NDArray[np.float64]]:
        """Texture (h,w,3) uint8 or None, and the base colour (3,) in 0..1."""
        if number is None:
            return None, np.ones(3)
        base = self.about["materials"][number].get("pbrMetallicRoughness", {})
        tint = np.asarray(base.get("baseColorFactor", [1, 1, 1, 1]), dtype=np.float64)[:3]
        if "baseColorTexture" not in base:
            return None, tint
        source = self.about["textures"][base["baseColorTexture"]["index"]]["source"]
        return _picture(self._view(self.about["images"][source]["bufferView"]), self.name), tint

    # buffers

    def _view(self, number: int) -> bytes:
        view = self.about["bufferViews"][number]
        start = view.get("byteOffset", 0)
        return self.binary[start : start + view["byteLength"]]

    def _array(self, number: int) -> NDArray[Any]:
        """(N,width) of an accessor; normalised integers become 0..1 or -1..1."""
        accessor = self.about["accessors"][number]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise InputError(f"{self.name} stores sparse arrays, which are not read here; export it without them.")
        kind, width, count = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]], accessor["count"]
        view = self.about["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        stride = view.get("byteStride", kind.itemsize * width)
        whole = start >= 0 and stride >= kind.itemsize * width
        if count < 1 or not whole or start + (count - 1) * stride + kind.itemsize * width > len(self.binary):
            raise InputError(f"{self.name} is cut off: an array reaches beyond its end; export it again.")
        raw = np.ndarray((count, width), kind, self.binary, start, (stride, kind.itemsize))
        if accessor.get("normalized"):
            return np.maximum(raw / np.iinfo(kind).max, -1.0)
        return raw


def read(data: bytes, name: str, *, most: int = MOST_TRIANGLES) -> Gltf:
    """A GLB file of version 2 that holds everything itself, thinned to ``most`` triangles. Raises `InputError`."""
    check_size(data, name)
    about, binary = _chunks(data, name)
    try:
        for part in (*about.get("buffers", []), *about.get("images", [])):
            if "uri" in part:
                raise InputError(f"{name} refers to files outside itself; export it as one binary GLB.")
        if needed := about.get("extensionsRequired"):
            raise InputError(f"{name} needs {needed[0]}, which is not read here; export it without compression.")
        made = Gltf(name, about, binary)
        made = replace(made, meshes=made._primitives())
        if (count := made.triangles) > MOST_READ:
            raise InputError(f"{name} has {count} triangles in all its places; reduce it to {MOST_READ}.")
        made = made.thinned(most)
        made.surfaces()
        for animation in made.animations:
            made.surfaces(animation)
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{name} is not a whole glTF file ({type(error).__name__}); export it again.") from error
    return made


def _posed(primitive: _Primitive, world: NDArray, joints: NDArray | None) -> Surface:
    """In the file's world: carried by its node, or by the joints (J,4,4) of its skin."""
    if joints is None or primitive.joints is None or primitive.weights is None:
        return primitive.bound.moved(world)
    chosen = joints[primitive.joints, :3]  # (V,4,3,4)
    blended = (primitive.weights[..., None, None] * chosen).sum(axis=1)
    points = primitive.bound.vertices
    placed = (blended[..., :3] @ points[..., None])[..., 0] + blended[..., 3]
    return replace(primitive.bound, vertices=placed.astype(np.float32))


def sample(times: NDArray, keys: NDArray, seconds: float, way: str, *, rotation: bool = False) -> NDArray[np.float64]:
    """A value (C,) at a moment between keys (N,C) at ``times`` (N,); (3N,C) for "CUBICSPLINE": tangent in, value, tangent out.

    ``way``: "STEP", "LINEAR" (rotations, quaternions x y z w, along the shortest arc) or "CUBICSPLINE".
    """
    keys = np.asarray(keys, dtype=np.float64)
    cubic = way == "CUBICSPLINE"
    values = keys[1::3] if cubic else keys
    before = int(np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(times) - 1))
    after = min(before + 1, len(times) - 1)
    span = float(times[after] - times[before])
    share = float(np.clip((seconds - times[before]) / span, 0, 1)) if span > 0 else 0.0
    a, b = values[before], values[after]
    if way == "STEP" or share == 0.0:
        return a
    if cubic:
        out, into = keys[3 * before + 2] * span, keys[3 * after] * span
        t, t2, t3 = share, share**2, share**3
        mixed = (2 * t3 - 3 * t2 + 1) * a + (t3 - 2 * t2 + t) * out + (3 * t2 - 2 * t3) * b + (t3 - t2) * into
        return mixed / np.linalg.norm(mixed) if rotation else mixed
    return _slerp(a, b, share) if rotation else a * (1 - share) + b * share


def _slerp(a: NDArray, b: NDArray, share: float) -> NDArray[np.float64]:
    cosine = float(a @ b)
    b, cosine = (-b, -cosine) if cosine < 0 else (b, cosine)
    angle = np.arccos(min(cosine, 1.0))
    mixed = a + share * (b - a) if angle < 1e-4 else np.sin((1 - share) * angle) * a + np.sin(share * angle) * b
    return mixed / np.linalg.norm(mixed)


def _local(node: dict[str, Any], sampled: dict[str, NDArray]) -> NDArray[np.float64]:
    """(4,4) parent-from-node."""
    from scipy.spatial.transform import Rotation

    if "matrix" in node and not sampled:
        return np.asarray(node["matrix"], dtype=np.float64).reshape(4, 4).T
    place, turn, scale = (np.asarray(sampled.get(part, node.get(part, _REST[part])), np.float64) for part in _PARTS)
    made = np.eye(4)
    made[:3, :3] = Rotation.from_quat(turn).as_matrix() * scale
    made[:3, 3] = place
    return made


@lru_cache(maxsize=8)
def _picture(data: bytes, name: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > LARGEST_TEXTURE:
            raise InputError(f"A texture of {name} is {image.width} x {image.height}; scale it down to 8192 a side.")
        return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"A texture of {name} cannot be read; export it with PNG or JPEG textures.") from error


def _chunks(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    wrong = InputError(f"{name} is not a binary glTF 2 file; export it as GLB.")
    if len(data) < 20 or struct.unpack_from("<II", data) != (_MAGIC, 2):
        raise wrong
    parts, at = {}, 12
    while at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        parts.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length
    try:
        about = json.loads(parts[_JSON])
    except (KeyError, ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(about, dict):
        raise wrong
    return about, parts.get(_BINARY, b"")
