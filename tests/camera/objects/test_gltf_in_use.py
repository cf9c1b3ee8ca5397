"""glTF files as written by today's tools: instances, hidden nodes, emissive and older materials, embedded data, far origins."""

import base64

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.objects import gltf
from camera.objects.glb import chunks, pack_glb
from camera.objects.model import read_model
from tests.camera.objects.test_gltf import Builder

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "f4")


def triangle(
    node: dict | None = None, material: dict | None = None, colours: np.ndarray | None = None, **about
) -> bytes:
    made = Builder()
    attributes = {"POSITION": made.add(CORNERS, "VEC3")}
    if colours is not None:
        attributes["COLOR_0"] = made.add(colours, f"VEC{colours.shape[1]}")
        made.accessors[-1]["normalized"] = colours.dtype != np.float32
    part = {"attributes": attributes, **({} if material is None else {"material": 0})}
    places = made.add(np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0]], "f4"), "VEC3")
    sizes = made.add(np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3]], "f4"), "VEC3")
    assert (places, sizes) == (len(attributes), len(attributes) + 1)
    return made.write(
        **{"nodes": [{"mesh": 0, **(node or {})}], "meshes": [{"primitives": [part]}], "materials": [material or {}]}
        | about
    )


def colour(data: bytes) -> list[int]:
    return gltf.read(data, "x.glb").surfaces()[0].colours[0].tolist()


def test_instances_are_placed_by_their_transforms():
    given = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 1, "SCALE": 2}}}
    file = gltf.read(triangle({"extensions": given, "translation": [0, 0, 7]}), "x.glb")
    assert file.triangles == 3 and len(file.surfaces()) == 3
    corners = [surface.vertices[1].tolist() for surface in file.surfaces()]
    assert corners == [[1, 0, 7], [7, 0, 7], [3, 5, 7]]


def test_hidden_nodes_and_their_children_are_not_drawn():
    hidden = {"extensions": {"KHR_node_visibility": {"visible": False}}}
    nodes = [{"mesh": 0}, {"children": [2], **hidden}, {"mesh": 0, "translation": [3, 0, 0]}]
    file = gltf.read(triangle(nodes=nodes, scenes=[{"nodes": [0, 1]}]), "x.glb")
    assert file.triangles == 1 and file.surfaces()[0].vertices[1].tolist() == [1, 0, 0]


BLACK = {"baseColorFactor": [0, 0, 0, 1]}
MATERIALS = [
    ({"pbrMetallicRoughness": BLACK, "emissiveFactor": [0.216, 0, 1]}, [128, 0, 255]),
    ({"pbrMetallicRoughness": BLACK, "emissiveFactor": [0.108, 0, 0],
      "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 2.0}}}, [128, 0, 0]),
    ({"pbrMetallicRoughness": {"baseColorFactor": [0.108, 0, 0, 1]}, "emissiveFactor": [0.108, 0, 1]}, [128, 0, 255]),
    ({"extensions": {"KHR_materials_pbrSpecularGlossiness": {"diffuseFactor": [0.05, 0.6, 0.05, 1]}}}, [63, 203, 63]),
]  # fmt: skip


@pytest.mark.parametrize(("material", "shown"), MATERIALS)
def test_emissive_and_specular_glossiness_materials_give_their_colours(material, shown):
    assert colour(triangle(material=material)) == shown


BYTES = np.full((3, 4), [55, 13, 133, 255], "u1")


@pytest.mark.parametrize(
    ("about", "shown", "said"),
    [
        ({}, [55, 13, 133], True),
        ({"extensionsUsed": ["KHR_mesh_quantization"], "extensionsRequired": ["KHR_mesh_quantization"]}, [128, 64, 191], False),
        ({"asset": {"version": "2.0", "generator": "glTF-Transform v4.5.1"}}, [128, 64, 191], False),
        ({"asset": {"version": "2.0", "generator": "Khronos glTF Blender I/O v4.4"}}, [128, 64, 191], False),
    ],
)  # fmt: skip
def test_byte_vertex_colours_are_linear_where_the_specification_is_followed(about, shown, said):
    data = triangle(colours=BYTES, **about)
    assert colour(data) == pytest.approx(shown, abs=1)
    assert any("taken as painted" in note for note in read_model(data, "x.glb").notes) is said


def test_data_uri_buffers_are_read():
    about, binary = chunks(triangle(), "x.glb")
    about["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    (surface,) = gltf.read(pack_glb(about, b""), "x.glb").surfaces()
    assert surface.vertices.tolist() == CORNERS.tolist()


@pytest.mark.parametrize(
    "needed", ["KHR_materials_transmission", "KHR_texture_basisu", "EXT_meshopt_compression", "ACME_what"]
)
def test_unsupported_required_extensions_are_refused_by_name(needed):
    with pytest.raises(InputError, match=needed):
        gltf.read(triangle(extensionsRequired=[needed]), "x.glb")


def test_positions_far_from_the_origin_keep_their_shape():
    far = read_model(triangle({"translation": [500_000.3, 4_000_000.7, 30.1]}), "x.glb")
    near = read_model(triangle(), "x.glb")
    assert np.abs(far.surfaces()[0].vertices - near.surfaces()[0].vertices).max() < 1e-6
    corner = far.model_from_file @ [500_001.3, 4_000_000.7, 30.1, 1]  # where Blender places the file
    assert corner[:3] == pytest.approx(far.surfaces()[0].vertices[1], abs=1e-6)


WRITTEN = {
    "KHR_draco_mesh_compression": {"extensionsUsed": ["KHR_draco_mesh_compression"]},
    "KHR_materials_clearcoat": {"extensionsUsed": ["KHR_materials_clearcoat"]},
    "cameras": {"cameras": [{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}]},
    "scenes": {"scenes": [{"nodes": [0]}, {"nodes": []}]},
    "placed meshes": {"nodes": [{"mesh": 0}, {"mesh": 0}], "scenes": [{"nodes": [0]}]},
    "KHR_animation_pointer": {"animations": [{"samplers": [{"input": 0, "output": 0}],
                                              "channels": [{"sampler": 0, "target": {"path": "pointer"}}]}]},
}  # fmt: skip


@pytest.mark.parametrize("named", WRITTEN)
def test_unused_parts_of_a_file_are_named(named):
    assert read_model(triangle(material={"name": "plain"}), "x.glb").notes == ()
    notes = " ".join(read_model(triangle(**WRITTEN[named]), "x.glb").notes)
    assert named in notes


OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nvn 0 0 1\nf 1 2 3\n"
PLY = b"""ply
format ascii 1.0
comment TextureFile wall.png
element vertex 3
property double x
property double y
property double z
property float nx
property float heat
element face 1
property list uchar int vertex_indices
element camera 1
property float fov
end_header
0 0 0 1 2
1 0 0 1 2
0 1 0 1 2
3 0 1 2
55
"""


def test_undrawn_statements_and_properties_are_named():
    assert read_model(OBJ, "a.obj").notes == ()
    notes = read_model(OBJ + b"l 1 2\nbump x\n", "a.obj").notes
    assert "The lines of a.obj are left out; only its faces are drawn." in notes and "bump (statements)" in notes[-1]
    notes = " ".join(read_model(PLY, "a.ply").notes)
    assert all(words in notes for words in ("wall.png", "heat (vertex), which is not known", "1 camera elements"))
    for alpha in (255, 9):
        assert any("transparent" in note for note in read_model(coloured(alpha), "a.ply").notes) is (alpha < 255)


def coloured(alpha: int) -> bytes:
    """An ascii PLY of one triangle in RGBA."""
    names = [f"property float {axis}" for axis in "xyz"] + [
        f"property uchar {c}" for c in ("red", "green", "blue", "alpha")
    ]
    head = [
        "ply",
        "format ascii 1.0",
        "element vertex 3",
        *names,
        "element face 1",
        "property list uchar int vertex_indices",
    ]
    rows = [f"{x} {y} 0 9 9 9 {alpha}" for x, y in ((0, 0), (1, 0), (0, 1))]
    return "\n".join([*head, "end_header", *rows, "3 0 1 2", ""]).encode()


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ({"diffuseFactor": [0, 0, 0, 1], "specularFactor": [1, 0.8, 0.3]}, True),
        ({"diffuseFactor": [0.5, 0.5, 0.5, 1], "specularFactor": [0.04, 0.04, 0.04]}, False),
        ({"diffuseFactor": [0.5, 0.5, 0.5, 1]}, False),
        ({"diffuseFactor": [0.5, 0.5, 0.5, 1], "specularGlossinessTexture": {"index": 0}}, True),
    ],
)
def test_metallic_specular_glossiness_materials_are_reported(old, said):
    material = {"extensions": {"KHR_materials_pbrSpecularGlossiness": old}}
    notes = " ".join(read_model(triangle(material=material), "x.glb").notes)
    assert ("drawn in their diffuse colour alone" in notes) == said


def test_a_texture_without_coordinates_is_reported():
    png = cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
    image = {"uri": "data:image/png;base64," + base64.b64encode(png).decode()}
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 1}}}
    data = triangle(material=material, textures=[{"source": 0}], images=[image])
    notes = " ".join(read_model(data, "x.glb").notes)
    assert "A part of x.glb has a picture but no TEXCOORD_1 to place it; it is shown in one colour." in notes
