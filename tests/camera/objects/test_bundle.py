"""Models of several files: OBJ with material and texture, glTF with its parts, zips of them; refused files."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.objects import bundle
from camera.objects.archive import pack_objects, unpack_objects
from camera.objects.model import read_model, read_models
from camera.objects.scene import SceneObject

OBJ = b"""mtllib house.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 2 0 0
v 2 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl wall
f 1/1 2/2 3/3 4/4
usemtl door
f 2/1 5/2 6/3 3/4
"""
MTL = b"newmtl wall\nmap_Kd ..\\pictures\\Wall.PNG\nnewmtl door\nKd 0.2 0.5 0.8\n"


@pytest.fixture(scope="module")
def wall() -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)).save(made, "PNG")
    return made.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_an_obj_has_its_material_and_texture(wall, packed):
    files = {"house.obj": OBJ, "house.mtl": MTL, "wall.png": wall}
    if packed:
        files = {"house.zip": zipped({f"house/{name}": data for name, data in files.items()} | {"notes.txt": b"hi"})}
    model = read_models(files)
    assert model.name == "house.glb" and not model.notes
    first, second = sorted(model.still, key=lambda part: part.texture is None)
    assert first.texture is not None and first.texture[:, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert first.uv is not None
    lowest = first.uv[first.vertices[:, 1].argmin()]
    assert lowest[1] == pytest.approx(1.0), "the foot of the wall is the picture's lowest row"
    assert second.colours[0].tolist() == pytest.approx([51, 128, 204], abs=1)
    (back,) = unpack_objects(pack_objects([SceneObject(model)]))
    assert back.model.still[0].texture is not None, "what is kept holds the picture too"


def test_an_obj_alone_names_its_missing_files():
    assert "give the OBJ with its MTL" in read_models({"house.obj": OBJ}).notes[0]


def test_a_gltf_with_its_parts_is_packed_into_a_glb():
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0]], "f4").tobytes()
    about = {
        "asset": {"version": "2.0"}, "buffers": [{"uri": "folder/my%20data.bin", "byteLength": 36}], "nodes": [{"mesh": 0}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
    }  # fmt: skip
    model = read_models({"thing.gltf": json.dumps(about).encode(), "my data.bin": points})
    assert model.name == "thing.glb" and struct.unpack_from("<I", model.data)[0] == 0x46546C67
    assert np.ptp(model.still[0].vertices[:, 0]) == pytest.approx(2.0)
    with pytest.raises(InputError, match=r"needs my data\.bin, which was not given"):
        read_models({"thing.gltf": json.dumps(about).encode()})


def test_unsupported_files_are_refused_with_advice(wall):
    broken = zipped({"a.obj": OBJ})
    for files, words in (
        ({"dancer.fbx": b"Kaydara FBX Binary"}, r"dancer\.fbx is not read here; open it in Blender"),
        ({"set.zip": zipped({"dancer.fbx": b"Kaydara"})}, "export it as glTF Binary"),
        ({"a.obj": OBJ, "b.obj": OBJ}, r"one model at a time.*a\.obj, b\.obj"),
        ({"wall.png": wall}, r"no model .* among the files: wall\.png"),
        ({"a.obj": OBJ, "a.mtl": MTL, "wall.png": b"junk"}, "texture of a.obj cannot be read"),
        ({"a.zip": broken[:-30]}, "damaged or encrypted zip"),
        ({}, "among the files: nothing"),
    ):
        with pytest.raises(InputError, match=words):
            read_models(files)


def test_a_zip_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST_BYTES", 1 << 20)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.png", "w") as part:
        part.write(bytes(3 << 20))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_models({"bomb.zip": stream.getvalue()})


def test_a_thinned_display_model_still_moves():
    fox = read_model((Path(__file__).parents[3] / "examples" / "fox" / "fox.glb").read_bytes(), "fox.glb")
    rough = fox.thinned(300)
    assert 50 < rough.triangles <= 300 and fox.thinned(10**6) is fox
    whole, few = (np.concatenate([part.vertices for part in one.surfaces("walk", 0.4)]) for one in (fox, rough))
    assert few.min(axis=0) == pytest.approx(whole.min(axis=0), abs=0.12)
    assert few.max(axis=0) == pytest.approx(whole.max(axis=0), abs=0.12)
    assert fox.sha256 == rough.sha256
