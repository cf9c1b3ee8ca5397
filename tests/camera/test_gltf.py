"""GLB files that move: keys, node trees, skins; and files that cannot be used."""

import json
import struct

import numpy as np
import pytest
import trimesh

from camera import gltf
from camera.errors import InputError

HALF = 0.5**0.5


class Builder:
    """Writes a GLB with the arrays it is given."""

    def __init__(self):
        self.binary, self.views, self.accessors = b"", [], []

    def add(self, values, kind: str) -> int:
        values = np.asarray(values)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": values.nbytes})
        code = {np.dtype("f4"): 5126, np.dtype("u2"): 5123, np.dtype("u1"): 5121}[values.dtype]
        count = len(values)
        self.accessors.append({"bufferView": len(self.views) - 1, "componentType": code, "count": count, "type": kind})
        self.binary += values.tobytes() + b"\0" * (-values.nbytes % 4)
        return len(self.accessors) - 1

    def write(self, **about) -> bytes:
        head = {"asset": {"version": "2.0"}, "buffers": [{"byteLength": len(self.binary)}]}
        text = json.dumps(head | {"bufferViews": self.views, "accessors": self.accessors} | about).encode()
        text += b" " * (-len(text) % 4)
        body = struct.pack("<II", len(text), 0x4E4F534A) + text
        body += struct.pack("<II", len(self.binary), 0x004E4942) + self.binary
        return struct.pack("<III", 0x46546C67, 2, 12 + len(body)) + body


def arm(**changed) -> bytes:
    """Two bones along x, the second at (1,0,0) turning by 90 degrees about z in two seconds; one triangle at its tip."""
    made = Builder()
    points = made.add(np.array([[0, 0, 0], [2, 0, 0], [1.5, 0, 0]], "f4"), "VEC3")
    joints = made.add(np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], "u1"), "VEC4")
    weights = made.add(np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0.5, 0.5, 0, 0]], "f4"), "VEC4")
    corners = made.add(np.array([0, 1, 2], "u2"), "SCALAR")
    bind = np.stack([np.eye(4), np.eye(4)]).astype("f4")
    bind[1, 0, 3] = -1
    inverse = made.add(bind.transpose(0, 2, 1).reshape(2, 16).copy(), "MAT4")
    times = made.add(np.array([0, 2], "f4"), "SCALAR")
    turns = made.add(np.array([[0, 0, 0, 1], [0, 0, HALF, HALF]], "f4"), "VEC4")
    attributes = {"POSITION": points, "JOINTS_0": joints, "WEIGHTS_0": weights}
    about = {
        "nodes": [{"children": [1]}, {"translation": [1, 0, 0]}, {"mesh": 0, "skin": 0, "translation": [9, 9, 9]}],
        "scenes": [{"nodes": [0, 2]}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": corners}]}],
        "skins": [{"joints": [0, 1], "inverseBindMatrices": inverse}],
        "animations": [
            {
                "name": "bend",
                "samplers": [{"input": times, "output": turns}],
                "channels": [{"sampler": 0, "target": {"node": 1, "path": "rotation"}}],
            }
        ],
    }
    return made.write(**about | changed)


def test_a_skin_follows_its_bones():
    rig = gltf.read(arm(), "arm.glb")
    assert rig.animations == {"bend": 2.0}
    (rest,) = rig.surfaces()
    assert rest.vertices == pytest.approx(
        np.array([[0, 0, 0], [2, 0, 0], [1.5, 0, 0]])
    )  # the mesh's own node is ignored
    for seconds, angle in ((0.0, 0.0), (1.0, np.pi / 4), (2.0, np.pi / 2), (5.0, np.pi / 2)):
        (posed,) = rig.surfaces("bend", seconds)
        tip = [1 + np.cos(angle), np.sin(angle), 0]
        middle = [1.25 + 0.25 * np.cos(angle), 0.25 * np.sin(angle), 0]
        assert posed.vertices[1] == pytest.approx(tip, abs=1e-6) and posed.vertices[2] == pytest.approx(
            middle, abs=1e-6
        )


def test_keys_are_held_joined_or_curved():
    times, keys = np.array([1.0, 3.0]), np.array([[0.0], [4.0]])
    assert [gltf.sample(times, keys, t, "LINEAR")[0] for t in (0, 1, 2, 3, 9)] == [0, 0, 2, 4, 4]
    assert [gltf.sample(times, keys, t, "STEP")[0] for t in (1, 2.9, 3)] == [0, 0, 4]
    flat = np.array([[0.0], [0.0], [0.0], [0.0], [4.0], [0.0]])
    assert [gltf.sample(times, flat, t, "CUBICSPLINE")[0] for t in (1, 1.5, 2, 3)] == [0, 0.625, 2, 4]
    straight = np.array([[2.0], [0.0], [2.0], [2.0], [4.0], [2.0]])
    assert gltf.sample(times, straight, 1.5, "CUBICSPLINE")[0] == pytest.approx(1.0)
    turn = gltf.sample(times, np.array([[0, 0, 0, 1.0], [0, 0, -HALF, -HALF]]), 2.0, "LINEAR", rotation=True)
    assert turn == pytest.approx([0, 0, np.sin(np.pi / 8), np.cos(np.pi / 8)])


def test_a_file_of_another_program_is_where_that_program_puts_it():
    box = trimesh.creation.box()
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile([[10, 200, 30, 255]], (8, 1)))
    scene = trimesh.Scene()
    transform = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3], [0.5, 0, 0])
    scene.add_geometry(box, transform=transform)
    (surface,) = gltf.read(scene.export(file_type="glb"), "box.glb").surfaces()
    expected = box.vertices @ transform[:3, :3].T + transform[:3, 3]
    ours = surface.vertices[np.lexsort(surface.vertices.round(4).T)]
    assert ours == pytest.approx(expected[np.lexsort(expected.round(4).T)], abs=1e-5)
    assert surface.colours[0].tolist() == [10, 200, 30] and len(surface.triangles) == 12


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"images": [{"uri": "wall.png"}]}, "outside itself"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "KHR_draco"),
        ({"nodes": [{"children": [0]}], "scenes": [{"nodes": [0]}]}, "twice"),
        ({"meshes": []}, "not a whole glTF"),
        ({"nodes": [{}], "scenes": [{"nodes": [0]}]}, "no triangles"),
        ({"nodes": [{"mesh": -1.5}], "scenes": [{"nodes": [0]}]}, "not a whole glTF"),
        ({"nodes": [{}] * 30_000}, "30000 nodes"),
    ],
)
def test_files_that_cannot_be_used_are_refused(changed, words):
    with pytest.raises(InputError, match=words):
        gltf.read(arm(**changed), "arm.glb")


def test_arrays_that_promise_more_than_the_file_holds_are_refused():
    made = Builder()
    points = made.add(np.array([[0, 0, 0], [2, 0, 0], [1.5, 0, 0]], "f4"), "VEC3")
    about = {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": points}}]}]}
    for view, accessor in (({"byteStride": 0}, {"count": 10**9}), ({}, {"byteOffset": -12}), ({}, {"count": 10**9})):
        broken = Builder()
        broken.binary, broken.views, broken.accessors = (
            made.binary,
            [made.views[0] | view],
            [made.accessors[0] | accessor],
        )
        with pytest.raises(InputError, match="cut off"):
            gltf.read(broken.write(**about), "arm.glb")


def test_one_mesh_in_very_many_places_is_refused_before_it_is_laid_out():
    made = Builder()
    points = made.add(np.zeros((60_000, 3), "f4") + np.arange(60_000, dtype="f4")[:, None], "VEC3")
    about = {"nodes": [{"mesh": 0}] * 1000, "meshes": [{"primitives": [{"attributes": {"POSITION": points}}]}]}
    with pytest.raises(InputError, match="20000000 triangles in all its places"):
        gltf.read(made.write(**about), "forest.glb")


def test_damaged_files_and_unknown_animations_are_refused():
    whole = arm()
    with pytest.raises(InputError, match="it has bend"):
        gltf.read(whole, "arm.glb").surfaces("walk")
    with pytest.raises(InputError, match="holds no animation"):
        gltf.read(arm(animations=[]), "still.glb").surfaces("walk")
    for data, words in (
        (whole[:-60], "cut off"),
        (b"PK" + whole, "not a binary glTF"),
        (whole[:30], "not a binary glTF"),
    ):
        with pytest.raises(InputError, match=words):
            gltf.read(data, "arm.glb")
