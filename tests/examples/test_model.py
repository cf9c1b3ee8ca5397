"""The rigged fox: a self-contained glTF 2.0 binary with valid accessors, skin and animations."""

import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from examples import EXAMPLES

FILE = next(example.mesh for example in EXAMPLES if example.kind == "mesh")
TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@pytest.fixture(scope="module")
def glb() -> tuple[dict, bytes]:
    data = FILE.read_bytes()
    magic, version, total = struct.unpack("<4sII", data[:12])
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON" and length % 4 == 0
    binary_length, kind = struct.unpack("<I4s", data[20 + length : 28 + length])
    assert kind == b"BIN\0" and 28 + length + binary_length == total
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def values(glb: tuple[dict, bytes], index: int) -> np.ndarray:
    document, binary = glb
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    kind, width = TYPES[accessor["componentType"]], WIDTHS[accessor["type"]]
    assert view["byteOffset"] % np.dtype(kind).itemsize == 0
    assert accessor["count"] * width * np.dtype(kind).itemsize == view["byteLength"]
    return np.frombuffer(binary, kind, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)


def test_trimesh_loads_it_textured():
    scene = trimesh.load(FILE)
    (mesh,) = scene.geometry.values()
    assert 0.95 < scene.extents[1] < 1.1
    assert mesh.visual.material.baseColorTexture.size[0] > 256
    assert mesh.volume > 0.02, "triangles look inwards"
    merged = trimesh.Trimesh(np.round(mesh.vertices, 6), mesh.faces)
    merged.merge_vertices(merge_tex=True, merge_norm=True)
    _, faces_per_edge = np.unique(merged.edges_sorted, axis=0, return_counts=True)
    assert (faces_per_edge % 2 == 0).all(), "the surface has holes"


def test_the_file_is_self_contained(glb):
    document, _ = glb
    assert "uri" not in json.dumps(document)
    assert all(value["bufferView"] < len(document["bufferViews"]) for value in document["images"])


def test_the_skin_is_valid(glb):
    document, _ = glb
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    skin = document["skins"][0]
    joints, weights = values(glb, attributes["JOINTS_0"]), values(glb, attributes["WEIGHTS_0"])
    assert joints.max() < len(skin["joints"])
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-5
    assert {*np.unique(joints[weights > 0.5])} == {*range(len(skin["joints"]))}, "a joint that moves nothing"
    binds = values(glb, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    rest = [_world(document, node, {}) for node in skin["joints"]]
    np.testing.assert_allclose(np.stack(rest) @ binds, np.broadcast_to(np.eye(4), binds.shape), atol=1e-6)


def test_animations_are_valid_and_loop(glb):
    document, _ = glb
    assert [motion["name"] for motion in document["animations"]] == ["walk", "wave"]
    for motion in document["animations"]:
        targets = [(channel["target"]["node"], channel["target"]["path"]) for channel in motion["channels"]]
        assert len({*targets}) == len(targets)
        for channel in motion["channels"]:
            sampler = motion["samplers"][channel["sampler"]]
            times, keys = values(glb, sampler["input"])[:, 0], values(glb, sampler["output"])
            entry = document["accessors"][sampler["input"]]
            assert times[0] == 0 and (np.diff(times) > 0).all() and len(times) == len(keys)
            assert (entry["min"], entry["max"]) == ([float(times[0])], [float(times[-1])])
            assert keys.shape[1] == (4 if channel["target"]["path"] == "rotation" else 3)
            if channel["target"]["path"] == "rotation":
                np.testing.assert_allclose(np.linalg.norm(keys, axis=1), 1, atol=1e-5)
            np.testing.assert_allclose(keys[0], keys[-1], atol=1e-5)


def test_waving_lifts_the_left_paw_only(glb):
    document, _ = glb
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    rest = values(glb, attributes["POSITION"])
    posed = _posed(glb, document["animations"][1], 16)
    left, right = rest[:, 0] > 0.33, rest[:, 0] < -0.33
    assert (posed - rest)[left, 1].mean() > 0.2
    assert (posed - rest)[right, 1].mean() < 0.05
    feet = rest[:, 1] < 0.05
    assert np.abs(posed - rest)[feet].max() < 1e-4


def _world(document: dict, node: int, moved: dict[int, np.ndarray]) -> np.ndarray:
    """World transform (4,4) of a node; ``moved`` overrides the local transforms (4,4) of some nodes."""
    matrix = np.eye(4)
    matrix[:3, 3] = document["nodes"][node].get("translation", [0, 0, 0])
    matrix = moved.get(node, matrix)
    parents = [i for i, other in enumerate(document["nodes"]) if node in other.get("children", ())]
    return _world(document, parents[0], moved) @ matrix if parents else matrix


def _posed(glb: tuple[dict, bytes], motion: dict, key: int) -> np.ndarray:
    """Vertices (V,3) skinned as by a glTF player."""
    document, _ = glb
    moved: dict[int, np.ndarray] = {}
    for channel in motion["channels"]:
        node = channel["target"]["node"]
        matrix = moved.setdefault(node, np.eye(4))
        if not matrix[:3, 3].any():
            matrix[:3, 3] = document["nodes"][node]["translation"]
        value = values(glb, motion["samplers"][channel["sampler"]]["output"])[key]
        if channel["target"]["path"] == "rotation":
            matrix[:3, :3] = Rotation.from_quat(value).as_matrix()
        else:
            matrix[:3, 3] = value
    skin, attributes = document["skins"][0], document["meshes"][0]["primitives"][0]["attributes"]
    binds = values(glb, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    bones = np.stack([_world(document, node, moved) for node in skin["joints"]]) @ binds
    places = np.c_[values(glb, attributes["POSITION"]), np.ones(len(values(glb, attributes["POSITION"])))]
    blend = np.einsum("vk,vkij->vij", values(glb, attributes["WEIGHTS_0"]), bones[values(glb, attributes["JOINTS_0"])])
    return np.einsum("vij,vj->vi", blend, places)[:, :3]
