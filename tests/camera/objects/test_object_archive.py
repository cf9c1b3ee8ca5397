"""Objects written to a zip and read back."""

import io
import json
import zipfile

import pytest
import trimesh

from camera.errors import InputError
from camera.objects.archive import pack_objects, unpack_objects
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject


@pytest.fixture(scope="module")
def objects():
    box, ball = (read_model(mesh.export(file_type="ply"), name) for mesh, name in (
        (trimesh.creation.box(), "box.ply"), (trimesh.creation.icosphere(1), "ball.ply")))  # fmt: skip
    way = (Key(0, Placement(0.1, 0.2, 3, 10, 20, 30, 0.7)), Key(0.5, Placement(size=1.5)))
    return SceneObject(box, way, "soft"), SceneObject(ball, speed=2.0), SceneObject(box)


def changed(data: bytes, **files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, files.get(name, old.read(name)))
    return stream.getvalue()


def test_objects_round_trip_and_a_shared_model_is_stored_once(objects):
    data = pack_objects(objects)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [name for name in archive.namelist() if name.startswith("models/")] == [
            "models/00-box.ply", "models/01-ball.ply",
        ]  # fmt: skip
    back = unpack_objects(data)
    assert [(item.keys, item.motion, item.speed, item.model.name) for item in back] == [
        (item.keys, item.motion, item.speed, item.model.name) for item in objects
    ]
    assert back[0].model is back[2].model and back[0].model.data == objects[0].model.data


def test_invalid_zips_are_refused(objects):
    data = pack_objects(objects)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        about = json.loads(archive.read("objects.json"))
    one = about["objects"][0]
    broken = [{}, [], about | {"objects": [one | {"model": 7}]}, about | {"objects": [one | {"keys": [["x"]]}]}]
    for values in broken:
        with pytest.raises(InputError, match="damaged"):
            unpack_objects(changed(data, **{"objects.json": json.dumps(values).encode()}))
    with pytest.raises(InputError, match="up to 50"):
        unpack_objects(changed(data, **{"objects.json": json.dumps(about | {"objects": [one] * 51}).encode()}))
    with pytest.raises(InputError, match="unpacks to more than 16 MB"):
        unpack_objects(changed(data, **{"objects.json": b" " * (1 << 25)}))
    with pytest.raises(InputError, match=r"no extent|no triangles|cannot be read"):
        unpack_objects(changed(data, **{"models/00-box.ply": b"ply\nformat ascii 1.0\nend_header\n"}))
    with pytest.raises(InputError, match="damaged"):
        unpack_objects(b"no zip")
