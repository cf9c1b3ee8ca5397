"""Animated GLB files: nodes, skins and morph targets sampled at a time, as surfaces in the file's world.

Mesh libraries drop the animation of a glTF file, so this reads it directly. Supported: node animation, linear blend skins and
morph targets, step, linear or cubic keys, embedded buffers and pictures, vertex colours, sparse arrays, strips and fans,
instances (EXT_mesh_gpu_instancing) and hidden nodes (KHR_node_visibility). Compressed meshes and anything outside the file raise
`InputError`. Transparent parts are drawn opaque; `camera.objects.file_notes` reports this and everything else that is ignored.
Vertex colours in 8 bits are read as sRGB, as scanning programs write them, unless the file is quantised or comes from a program
that follows the specification; all others are linear, as specified.
Source: Khronos glTF 2.0 specification, sections 3.6, 3.7, 3.11 and appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.objects.glb import GltfFile, open_glb
from camera.objects.material import srgb_from_linear
from camera.objects.obj_ply import MOST_READ, MOST_TRIANGLES, check_size
from camera.objects.surface import Surface, far_origin, thin_surface

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_BYTE, MOST_SETS = 5121, 4
_REST = {"translation": [0.0, 0.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0], "scale": [1.0, 1.0, 1.0]}
_PARTS, _SHARES = tuple(_REST), "weights"
MOST_NODES = 20_000
INSTANCING, VISIBILITY, QUANTIZED = "EXT_mesh_gpu_instancing", "KHR_node_visibility", "KHR_mesh_quantization"
FOLLOWING = (
    "gltf-transform", "gltfpack", "khronos", "three.js", "blender", "fbx2gltf", "babylon", "cesium", "obj2gltf",
)  # fmt: skip
"""Substrings of ``asset.generator`` of programs that store linear vertex colours in bytes too."""
MOST_TARGET_NUMBERS = 1 << 27
"""Coordinates in all morph targets of one mesh part."""


@dataclass(frozen=True, eq=False)
class _Primitive:
    """One mesh part as stored: ``bound`` in the mesh's own axes; ``joints`` (V,J) int and ``weights`` (V,J) if it has a skin;
    ``targets`` (M,V,3) float32: displacements of every vertex by each morph target."""

    bound: Surface
    joints: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    targets: NDArray[np.float32] | None = None
    cut_out: bool = False
    note: str = ""

    def thinned(self, most: int) -> _Primitive:
        if len(self.bound.triangles) <= most:
            return self
        indices, triangles = thin_surface(self.bound.vertices, self.bound.triangles, most)
        of = self.bound
        uv = None if of.uv is None else of.uv[indices]
        bound = Surface(of.vertices[indices], triangles, of.colours[indices], uv, of.texture)
        joints = None if self.joints is None else self.joints[indices]
        weights = None if self.weights is None else self.weights[indices]
        targets = None if self.targets is None else self.targets[:, indices]
        return _Primitive(bound, joints, weights, targets, self.cut_out, self.note)

    def morphed(self, shares: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """(V,3): the vertices displaced by every target times its weight (M,)."""
        points = self.bound.vertices
        if self.targets is None or shares is None or not shares.any():
            return points
        moved = points + np.einsum("m,mvc->vc", shares[: len(self.targets)], self.targets[: len(shares)])
        return moved.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Gltf:
    """A file and its meshes; created by `read`, which checks all references.

    ``origin`` (3,): subtracted from all positions before they are stored in 32 bits; zero unless the scene is far from zero.
    """

    file: GltfFile
    meshes: dict[int, tuple[_Primitive, ...]] = field(default_factory=dict)
    origin: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def about(self) -> dict[str, Any]:
        return self.file.about

    @property
    def animations(self) -> dict[str, float]:
        """Names and lengths in seconds; unnamed animations are named by their number."""
        return {
            animation.get("name") or str(number): max(
                float(self.file.array(s["input"]).max()) for s in animation["samplers"]
            )
            for number, animation in enumerate(self.about.get("animations", []))
        }

    @property
    def bytes_are_light(self) -> bool:
        """Whether 8-bit vertex colours are linear, as the specification says, rather than sRGB."""
        generator = str(self.about.get("asset", {}).get("generator", "")).lower()
        return QUANTIZED in self.about.get("extensionsUsed", []) or any(word in generator for word in FOLLOWING)

    @property
    def has_skin(self) -> bool:
        return bool(self.about.get("skins"))

    @property
    def has_cut_out(self) -> bool:
        return any(part.cut_out for parts in self.meshes.values() for part in parts)

    def surfaces(self, animation: str = "", seconds: float = 0.0) -> tuple[Surface, ...]:
        """Every triangle mesh of the file's scene at a time, relative to `origin`; an empty name means the saved pose.

        A part is static before its first and after its last key. Raises `InputError` for an unknown animation.
        """
        sampled = self._sample_animation(animation, seconds)
        worlds = self._worlds(sampled)
        surfaces: list[Surface] = []
        for number, world in worlds.items():
            node = self.about["nodes"][number]
            if "mesh" not in node or number in self.hidden:
                continue
            joints = self._joint_matrices(node["skin"], worlds) if "skin" in node else None
            shares = self._shares(node, sampled.get(number, {}))
            for place in self._places(node, world):
                surfaces += [_pose(primitive, place, joints, shares) for primitive in self.meshes[node["mesh"]]]
        if not surfaces:
            raise InputError(f"{self.name} has no triangles; export it with faces, not as points or lines.")
        return tuple(surfaces)

    @property
    def triangles(self) -> int:
        """Triangles in the whole scene; a mesh with several instances counts several times."""
        nodes, count = self.about.get("nodes", []), 0
        for number in self._worlds({}):
            if "mesh" in nodes[number] and number not in self.hidden:
                each = sum(len(primitive.bound.triangles) for primitive in self.meshes[nodes[number]["mesh"]])
                count += each * self._copies(nodes[number])
        return count

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Nodes hidden by KHR_node_visibility, with all their descendants."""
        nodes = self.about.get("nodes", [])
        waiting = [
            number
            for number, node in enumerate(nodes)
            if not node.get("extensions", {}).get(VISIBILITY, {}).get("visible", True)
        ]
        hidden: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number not in hidden:
                hidden.add(number)
                waiting += nodes[number].get("children", [])
        return frozenset(hidden)

    def thinned(self, most: int) -> Gltf:
        """Every mesh simplified by the same factor, so that the scene has at most about ``most`` triangles."""
        share = most / max(self.triangles, 1)
        if share >= 1:
            return self
        meshes = {
            number: tuple(part.thinned(max(int(len(part.bound.triangles) * share), 4)) for part in parts)
            for number, parts in self.meshes.items()
        }
        return replace(self, meshes=meshes)

    # animation

    def _sample_animation(self, name: str, seconds: float) -> dict[int, dict[str, NDArray]]:
        """By node, the components of its transform that the animation sets at this time."""
        if not name:
            return {}
        names = [*self.animations]
        if name not in names:
            known = ", ".join(names) if names else "none, the file holds no animation"
            raise InputError(f"{self.name} has no animation {name!r}; it has {known}.")
        animation, values = self.about["animations"][names.index(name)], {}
        for channel in animation["channels"]:
            node, part = channel["target"].get("node"), channel["target"]["path"]
            if node is not None and part in (*_PARTS, _SHARES):
                sampler = animation["samplers"][channel["sampler"]]
                times, keys = self.file.array(sampler["input"])[:, 0], self.file.array(sampler["output"])
                way = sampler.get("interpolation", "LINEAR")
                if part == _SHARES:  # stored as one flat array
                    keys = keys.reshape(len(times) * (3 if way == "CUBICSPLINE" else 1), -1)
                values.setdefault(node, {})[part] = sample(times, keys, seconds, way, rotation=part == "rotation")
        return values

    def _worlds(self, sampled: dict[int, dict[str, NDArray]]) -> dict[int, NDArray[np.float64]]:
        """(4,4) world-from-node of every node in the scene."""
        nodes = self.about.get("nodes", [])
        scenes = self.about.get("scenes") or [{"nodes": [*range(len(nodes))]}]
        near = np.eye(4)
        near[:3, 3] = -self.origin
        waiting = [(root, near) for root in scenes[self.about.get("scene", 0)].get("nodes", [])]
        worlds: dict[int, NDArray[np.float64]] = {}
        if len(nodes) > MOST_NODES:
            raise InputError(f"{self.name} has {len(nodes)} nodes; join its meshes before exporting it.")
        while waiting:
            number, parent = waiting.pop()
            if number in worlds:
                raise InputError(f"{self.name} names node {number} twice in its tree; export it again.")
            worlds[number] = parent @ local_matrix(nodes[number], sampled.get(number, {}))
            waiting += [(child, worlds[number]) for child in nodes[number].get("children", [])]
        return worlds

    def _copies(self, node: dict[str, Any]) -> int:
        """The number of instances of a node's mesh."""
        given = node.get("extensions", {}).get(INSTANCING, {}).get("attributes", {})
        counts = [self.about["accessors"][number]["count"] for number in given.values()]
        if any(count != counts[0] for count in counts) or not all(0 < count <= MOST_NODES for count in counts):
            raise InputError(f"{self.name} has a mesh in {max(counts)} places; 1 to {MOST_NODES} are read.")
        return counts[0] if counts else 1

    def _places(self, node: dict[str, Any], world: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """(4,4) world-from-mesh of every instance of EXT_mesh_gpu_instancing; without it, the node's own transform."""
        given = node.get("extensions", {}).get(INSTANCING, {}).get("attributes", {})
        parts = {part: self.file.array(given[part.upper()]) for part in _PARTS if part.upper() in given}
        if not parts:
            return [world]
        each = ({part: rows[copy] for part, rows in parts.items()} for copy in range(self._copies(node)))
        return [world @ local_matrix({}, place) for place in each]

    def _shares(self, node: dict[str, Any], sampled: dict[str, NDArray]) -> NDArray[np.float64] | None:
        """(M,): weights of the node's morph targets: animated, else the node's own, else the mesh's."""
        own = node.get(_SHARES, self.about["meshes"][node["mesh"]].get(_SHARES))
        weights = sampled.get(_SHARES, own)
        return None if weights is None else np.asarray(weights, dtype=np.float64).reshape(-1)

    def _joint_matrices(self, skin: int, worlds: dict[int, NDArray]) -> NDArray[np.float64]:
        """(J,4,4): world-from-mesh of every joint."""
        binding = self.about["skins"][skin]
        joints = np.stack([worlds[joint] for joint in binding["joints"]])
        if "inverseBindMatrices" not in binding:
            return joints
        return joints @ self.file.array(binding["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)

    # meshes

    def _primitives(self) -> dict[int, tuple[_Primitive, ...]]:
        """Primitives by mesh, triangles only."""
        stored = self.about.get("meshes", [])
        return {
            number: tuple(
                self._primitive(part)
                for part in mesh["primitives"]
                if part.get("mode", _TRIANGLES) in (_TRIANGLES, _STRIP, _FAN)
            )
            for number, mesh in enumerate(stored)
        }

    def _primitive(self, primitive: dict[str, Any]) -> _Primitive:
        given, array = primitive["attributes"], self.file.array
        points = np.array(array(given["POSITION"]), np.float32)
        corners = array(primitive["indices"]).reshape(-1) if "indices" in primitive else np.arange(len(points))
        triangles = _triangles(corners, primitive.get("mode", _TRIANGLES))
        if len(triangles) > MOST_READ:
            raise InputError(f"{self.name} has a mesh of {len(triangles)} triangles; reduce it to {MOST_READ}.")
        material = self.file.material(primitive.get("material"))
        uv, key = None, f"TEXCOORD_{material.uv_set}"
        if key in given:
            uv = np.array(array(given[key]), np.float32)[:, :2]
            if material.uv_transform is not None:
                turn = material.uv_transform
                uv = (uv @ turn[:2, :2].T + turn[:2, 2]).astype(np.float32)
        own = np.ones((len(points), 3)) if material.shining else self._colours(given, len(points))
        shades = np.rint(np.clip(own * material.tint, 0, 1) * 255).astype(np.uint8)
        bound = Surface(points, triangles, shades, uv, material.texture if uv is not None else None)
        joints, weights = self._read_skin(given)
        targets = self._targets(primitive, len(points))
        note = material.note
        if material.texture is not None and uv is None:
            note = f"A part of {self.name} has a picture but no {key} to place it; it is shown in one colour. {note}".rstrip()
        return _Primitive(bound, joints, weights, targets, material.cut_out, note)

    def _colours(self, given: dict[str, int], count: int) -> NDArray[np.float64]:
        """(V,3) in 0..1, sRGB."""
        if "COLOR_0" not in given:
            return np.ones((count, 3))
        stored = np.nan_to_num(self.file.array(given["COLOR_0"])[:, :3].astype(np.float64))
        fine = self.about["accessors"][given["COLOR_0"]]["componentType"] != _BYTE
        return srgb_from_linear(stored) if fine or self.bytes_are_light else stored

    def _read_skin(self, given: dict[str, int]) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
        """Joints and weights (V,J), all sets of four concatenated."""
        sets = [number for number in range(MOST_SETS) if f"JOINTS_{number}" in given]
        if not sets:
            return None, None
        joints = np.concatenate([self.file.array(given[f"JOINTS_{number}"]) for number in sets], axis=1)
        weights = np.concatenate([self.file.array(given[f"WEIGHTS_{number}"]) for number in sets], axis=1)
        weights = np.nan_to_num(weights.astype(np.float64))
        return joints.astype(np.int64), weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)

    def _targets(self, primitive: dict[str, Any], count: int) -> NDArray[np.float32] | None:
        stored = primitive.get("targets", [])
        if not stored:
            return None
        if len(stored) * count * 3 > MOST_TARGET_NUMBERS:
            raise InputError(f"{self.name} has {len(stored)} morph targets of {count} points; export fewer of them.")
        moves = [
            np.array(self.file.array(target["POSITION"]), np.float32)
            if "POSITION" in target
            else np.zeros((count, 3), np.float32)
            for target in stored
        ]
        targets = np.stack(moves)
        if targets.shape != (len(stored), count, 3) or not np.isfinite(targets).all():
            raise InputError(f"{self.name} has morph targets that do not fit its mesh; export it again.")
        return targets


def read(data: bytes, name: str, *, most: int = MOST_TRIANGLES) -> Gltf:
    """Read a self-contained GLB file of version 2, thinned to ``most`` triangles. Raises `InputError`."""
    check_size(data, name)
    with reading(f"{name} is not a whole glTF file; export it again."):
        model = Gltf(open_glb(data, name))
        model = replace(model, meshes=model._primitives())
        if (count := model.triangles) > MOST_READ:
            raise InputError(f"{name} has {count} triangles in all its instances; reduce it to {MOST_READ}.")
        model = model.thinned(most)
        model = replace(model, origin=far_origin([part.vertices for part in model.surfaces()]))
        for animation in model.animations:
            model.surfaces(animation)
    return model


def _triangles(corners: NDArray, mode: int) -> NDArray[np.int32]:
    """(T,3): triangles of a list, strip or fan of corners."""
    if mode == _STRIP:
        number = np.arange(max(len(corners) - 2, 0))
        odd = number % 2
        places = np.stack([number, number + 1 + odd, number + 2 - odd], axis=1)
        return corners[places].astype(np.int32)
    if mode == _FAN:
        number = np.arange(max(len(corners) - 2, 0))
        return np.stack([corners[number + 1], corners[number + 2], corners[0 * number]], axis=1).astype(np.int32)
    return corners[: len(corners) // 3 * 3].reshape(-1, 3).astype(np.int32)


def _pose(primitive: _Primitive, world: NDArray, joints: NDArray | None, shares: NDArray[np.float64] | None) -> Surface:
    """Vertices in the file's world: morphed, then transformed by their node or by the joints (J,4,4) of their skin."""
    points = primitive.morphed(shares)
    if joints is None or primitive.joints is None or primitive.weights is None:
        return replace(primitive.bound, vertices=points).moved(world)
    chosen = joints[primitive.joints, :3]  # (V,J,3,4)
    blended = (primitive.weights[..., None, None] * chosen).sum(axis=1)
    placed = (blended[..., :3] @ points[..., None])[..., 0] + blended[..., 3]
    return replace(primitive.bound, vertices=placed.astype(np.float32))


def sample(times: NDArray, keys: NDArray, seconds: float, way: str, *, rotation: bool = False) -> NDArray[np.float64]:
    """A value (C,) at a time between keys (N,C) at ``times`` (N,); (3N,C) for "CUBICSPLINE": in-tangent, value, out-tangent.

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


def local_matrix(node: dict[str, Any], sampled: dict[str, NDArray]) -> NDArray[np.float64]:
    """(4,4): parent-from-node."""
    from scipy.spatial.transform import Rotation

    if "matrix" in node and not sampled.keys() & set(_PARTS):
        return np.asarray(node["matrix"], dtype=np.float64).reshape(4, 4).T
    place, turn, scale = (np.asarray(sampled.get(part, node.get(part, _REST[part])), np.float64) for part in _PARTS)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(turn).as_matrix() * scale
    matrix[:3, 3] = place
    return matrix
