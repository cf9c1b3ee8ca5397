"""Animated GLB files: keys, node trees, skins, morph targets; their materials; refused files."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image

from camera.errors import InputError
from camera.objects import gltf

HALF = 0.5**0.5


class Builder:
    """Writes a GLB with the arrays added to it."""

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


def test_a_skin_follows_its_joints():
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


def test_keys_are_sampled_as_step_linear_or_cubic_spline():
    times, keys = np.array([1.0, 3.0]), np.array([[0.0], [4.0]])
    assert [gltf.sample(times, keys, t, "LINEAR")[0] for t in (0, 1, 2, 3, 9)] == [0, 0, 2, 4, 4]
    assert [gltf.sample(times, keys, t, "STEP")[0] for t in (1, 2.9, 3)] == [0, 0, 4]
    flat = np.array([[0.0], [0.0], [0.0], [0.0], [4.0], [0.0]])
    assert [gltf.sample(times, flat, t, "CUBICSPLINE")[0] for t in (1, 1.5, 2, 3)] == [0, 0.625, 2, 4]
    straight = np.array([[2.0], [0.0], [2.0], [2.0], [4.0], [2.0]])
    assert gltf.sample(times, straight, 1.5, "CUBICSPLINE")[0] == pytest.approx(1.0)
    turn = gltf.sample(times, np.array([[0, 0, 0, 1.0], [0, 0, -HALF, -HALF]]), 2.0, "LINEAR", rotation=True)
    assert turn == pytest.approx([0, 0, np.sin(np.pi / 8), np.cos(np.pi / 8)])


def test_node_transforms_of_another_exporter_are_applied():
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
def test_unusable_files_are_refused(changed, words):
    with pytest.raises(InputError, match=words):
        gltf.read(arm(**changed), "arm.glb")


def test_arrays_larger_than_the_file_are_refused():
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


def test_too_many_instances_are_refused_before_allocation():
    made = Builder()
    points = made.add(np.zeros((60_000, 3), "f4") + np.arange(60_000, dtype="f4")[:, None], "VEC3")
    about = {"nodes": [{"mesh": 0}] * 1000, "meshes": [{"primitives": [{"attributes": {"POSITION": points}}]}]}
    with pytest.raises(InputError, match="20000000 triangles in all its instances"):
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


def smile(**mesh) -> bytes:
    """A triangle with two morph targets, the second stored as a sparse accessor, and animated weights."""
    made = Builder()
    points = made.add(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "f4"), "VEC3")
    up = made.add(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 1]], "f4"), "VEC3")
    where, far = made.add(np.array([2], "u2"), "SCALAR"), made.add(np.array([[0, 3, 0]], "f4"), "VEC3")
    views = [made.accessors[number]["bufferView"] for number in (where, far)]
    made.accessors.append({
        "componentType": 5126, "count": 3, "type": "VEC3",
        "sparse": {"count": 1, "indices": {"bufferView": views[0], "componentType": 5123}, "values": {"bufferView": views[1]}},
    })  # fmt: skip
    sparse = len(made.accessors) - 1
    times = made.add(np.array([0, 1], "f4"), "SCALAR")
    shares = made.add(np.array([0, 0, 1, 0.5], "f4"), "SCALAR")
    part = {"attributes": {"POSITION": points}, "targets": [{"POSITION": up}, {"POSITION": sparse}]}
    return made.write(
        nodes=[{"mesh": 0, "translation": [5, 0, 0]}],
        meshes=[{"primitives": [part], **mesh}],
        animations=[{"name": "smile", "samplers": [{"input": times, "output": shares}],
                     "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}]}],
    )  # fmt: skip


def test_morph_targets_move_vertices_by_their_weights():
    face = gltf.read(smile(), "face.glb")
    rest, half, whole = (face.surfaces("smile", seconds)[0].vertices for seconds in (0, 0.5, 1))
    assert rest == pytest.approx(np.array([[5, 0, 0], [6, 0, 0], [5, 1, 0]]))
    assert half == pytest.approx(np.array([[5, 0, 0.5], [6, 0, 0.5], [5, 1.75, 0.5]]))
    assert whole == pytest.approx(np.array([[5, 0, 1], [6, 0, 1], [5, 2.5, 1]]))
    (saved,) = gltf.read(smile(weights=[0.0, 1.0]), "face.glb").surfaces()
    assert saved.vertices[2] == pytest.approx([5, 4, 0])


def test_invalid_morph_targets_are_refused():
    made = Builder()
    points = made.add(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "f4"), "VEC3")
    short = made.add(np.array([[0, 0, 1]], "f4"), "VEC3")
    part = {"attributes": {"POSITION": points}, "targets": [{"POSITION": short}]}
    with pytest.raises(InputError, match=r"not a whole glTF|morph targets"):
        gltf.read(made.write(nodes=[{"mesh": 0}], meshes=[{"primitives": [part]}]), "face.glb")


def painted_square(material: dict, colours: np.ndarray | None = None, mode: int = 4) -> gltf.Gltf:
    """A square with a texture whose left half is red and right half blue."""
    made = Builder()
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "f4")
    given = {"POSITION": made.add(corners, "VEC3"), "TEXCOORD_0": made.add(corners[:, :2].copy(), "VEC2")}
    if colours is not None:
        given["COLOR_0"] = made.add(colours, "VEC3")
    indices = {4: [0, 1, 2, 1, 3, 2], 5: [0, 1, 2, 3], 6: [0, 1, 3, 2]}[mode]
    picture = io.BytesIO()
    Image.fromarray(np.repeat(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), 2, axis=0)).save(picture, "PNG")
    data = np.frombuffer(picture.getvalue() + b"\0" * (-len(picture.getvalue()) % 4), "u1")
    view = made.accessors[made.add(data, "SCALAR")]["bufferView"]
    part = {"attributes": given, "indices": made.add(np.array(indices, "u2"), "SCALAR"), "material": 0, "mode": mode}
    return gltf.read(
        made.write(
            nodes=[{"mesh": 0}], meshes=[{"primitives": [part]}], materials=[material], textures=[{"source": 0}],
            images=[{"bufferView": view, "mimeType": "image/png"}],
        ),
        "square.glb",
    )  # fmt: skip


def test_a_texture_is_tinted_and_transformed_by_its_material():
    moved = {
        "index": 0,
        "extensions": {"KHR_texture_transform": {"offset": [0.5, 0], "scale": [0.5, 2], "rotation": 0.0}},
    }
    tinted = {"baseColorTexture": moved, "baseColorFactor": [0.216, 1, 1, 1]}
    (square,) = painted_square({"pbrMetallicRoughness": tinted}).surfaces()
    assert square.texture is not None and square.uv is not None
    assert square.texture[0].tolist() == [[128, 0, 0], [0, 0, 255]], "factors are light, pictures are painted"
    assert square.uv[3] == pytest.approx([1.0, 2.0])
    turned = {"index": 0, "extensions": {"KHR_texture_transform": {"rotation": np.pi / 2}}}
    (square,) = painted_square({"pbrMetallicRoughness": {"baseColorTexture": turned}}).surfaces()
    assert square.uv is not None and square.uv[1] == pytest.approx([0, -1], abs=1e-6)


def test_vertex_colours_are_linear_and_cut_outs_are_detected():
    floats = np.full((4, 3), 0.216, "f4")
    (square,) = painted_square({}, floats).surfaces()
    assert square.colours[0].tolist() == [128] * 3
    made = painted_square({"alphaMode": "MASK", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}})
    assert made.has_cut_out and not painted_square({}).has_cut_out


@pytest.mark.parametrize("mode", [4, 5, 6])
def test_strips_and_fans_give_the_same_triangles(mode):
    (square,) = painted_square({}, mode=mode).surfaces()
    a, b, c = (square.vertices[square.triangles[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert areas == pytest.approx([0.5, 0.5]), "both turn the same way and fill the square"
