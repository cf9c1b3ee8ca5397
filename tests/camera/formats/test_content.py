"""Files without a telling name are recognised by their content."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from camera.formats import FORMATS, read, write
from camera.formats.account import Account
from camera.formats.content import kind_of, kind_of_bytes, with_suffix
from camera.formats.parsing import npz_shapes
from camera.path import CameraPath, pinhole

POSES = np.repeat(np.eye(4)[None], 4, axis=0)
POSES[:, 0, 3] = np.arange(4)
PATH = CameraPath(POSES, pinhole(96, 64, 50), 96, 64, 24.0)


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.readable])
def test_every_path_file_is_recognised_without_a_suffix(name):
    _, data = write(name, PATH)
    path = read("blob", data, like=PATH, account=Account("blob"))
    np.testing.assert_allclose(path.world_from_camera, read(*write(name, PATH), like=PATH).world_from_camera, atol=1e-9)


def picture(kind: str) -> bytes:
    box = io.BytesIO()
    Image.new("RGB", (16, 16)).save(box, kind)
    return box.getvalue()


def npy() -> bytes:
    box = io.BytesIO()
    np.save(box, POSES)
    return box.getvalue()


def npz() -> bytes:
    box = io.BytesIO()
    np.savez(box, depth=POSES)
    return box.getvalue()


def zipped(name: str) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr(name, b"x")
    return box.getvalue()


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (picture("PNG"), ".png"), (picture("JPEG"), ".jpg"), (picture("WEBP"), ".webp"), (picture("AVIF"), ".avif"),
        (picture("TIFF"), ".tif"), (npy(), ".npy"), (npz(), ".npz"), (zipped("a.png"), ".zip"), (zipped("x/data.pkl"), ".torch"),
        (b"\0\0\0\x20ftypisom", ".mp4"), (b"\0\0\0\x20ftypqt  ", ".mov"), (b"\x1a\x45\xdf\xa3", ".webm"), (b"v 0 0 1\nv 1 0 0\n", ".obj"),
        (json.dumps({"asset": {"version": "2.0"}}).encode(), ".gltf"), (b"\xef\xbb\xbf[1]", ".json"), (b"\0\1\2\3", ""), (b"", ""),
        ("é".encode() * 4096, ".txt"),
    ],
)  # fmt: skip
def test_the_first_bytes_decide_the_type(tmp_path, data, suffix):
    assert kind_of_bytes(data) == suffix and with_suffix("blob", data) == f"blob{suffix}"
    (tmp_path / "blob").write_bytes(data)
    assert kind_of(tmp_path / "blob") == suffix
    assert with_suffix("a.json", data) == "a.json", "a name that says something is believed"


def test_oversized_numpy_headers_are_not_read_in_full():
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("depth.npy", b"\x93NUMPY\x02\x00" + (0xF0000000).to_bytes(4, "little") + bytes(16 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match="not a readable npz"):
        npz_shapes(box.getvalue(), "a.npz")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20
