"""Wrong, damaged or hostile path files are refused in one sentence, and writers refuse what their format cannot hold."""

import contextlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import InputError
from camera.formats import read, write
from camera.path import CameraPath
from tests.camera.formats.test_formats import CENTRED, COLMAP_TXT, path_of, zipped


def _json(**values) -> bytes:
    return json.dumps(values).encode()


def _colmap(**changes) -> bytes:
    return zipped({**COLMAP_TXT, **{name.replace("_", "."): text for name, text in changes.items()}})


EYE = np.eye(4).tolist()
ROW = "0 0.5 0.75 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0"
BAD = [
    ("a.json", b"", "a.json is empty"),
    ("a.fbx", b"x", "no kind that is read"),
    ("a.json", b"{", "line 1, column 2"),
    ("a.json", b"[1]", "JSON object"),
    ("a.json", b"\xff\xfe", "byte 0 is not UTF-8"),
    ("a.json", _json(hello=1), "one of the fields"),
    ("a.json", b'{"frames": [NaN]}', "holds NaN"),
    ("a.json", b'{"frames": [-Infinity]}', "holds -Infinity"),
    ("a.json", b'{"frames": ' + b"[" * 5000 + b"]" * 5000 + b"}", "deeper than 32"),
    ("a.json", b'{"frames": ' + b"9" * 10_000 + b"}", "too long to read|1 to 100000"),
    ("a.json", _json(world_from_camera=[EYE], intrinsics=[[[1]]], width=9, height=9), "'intrinsics' of a.json"),
    ("a.json", _json(world_from_camera=[EYE], width=9), "no field 'height'"),
    ("a.json", _json(world_from_camera=[EYE], width=9, height=9, intrinsics=[np.eye(3).tolist()], version=2), "newer"),
    ("a.json", _json(world_from_camera=[EYE], width=1e99, height=9), "picture size"),
    ("a.json", _json(world_from_camera="abc"), "list of 1 to"),
    ("a.json", _json(frames=[{"transform_matrix": [[1]], "file_path": "x"}]), "transform_matrix of frame 0"),
    ("a.json", _json(frames=[{"transform_matrix": np.diag([2, 2, 2, 1]).tolist()}]), "scaled, sheared"),
    ("a.json", _json(frames=[{"transform_matrix": EYE}], w=9, h=9), "'camera_angle_x'|camera_angle_x"),
    ("a.json", _json(frames=[{"transform_matrix": EYE}], fl_x=9), "picture size"),
    ("a.json", _json(frames=[{"transform_matrix": EYE}], fl_x=9, w=9, h=9, is_fisheye=True), "is_fisheye"),
    ("a.json", _json(frames=[{"transform_matrix": EYE}], fl_x=9, w=9, h=9, camera_model="EQUIRECTANGULAR"), "EQUIRECT"),
    ("a.json", _json(frames=[7], fl_x=9, w=9, h=9), "frame 0"),
    ("a.json", _json(camera_path=[{"fov": 50}], render_width=9, render_height=9), "camera_to_world"),
    ("a.json", _json(camera_path=[{"fov": 500, "camera_to_world": EYE}], render_width=9, render_height=9), "camera 0"),
    ("a.json", _json(path=[{"R": [0, 0, 0], "T": [0, 0, 0], "fov": 50}]), "'R' of key frame 0"),
    ("a.json", _json(path=[{"R": [0, 0, 0, 0], "T": [0, 0, 0], "fov": 50}]), "quaternion"),
    ("a.json", _json(path=[{"R": [0, 0, 0, 1], "T": [0, 0, 0], "fov": 50, "timestamp": t} for t in (9e4, 9.1e4)]), "frames; 1 to"),
    ("a.json", _json(cameras=[{"start": EYE}]), "does not say the lens"),
    ("a.json", _json(start_pos=[[0, 0, 0]], end_pos=[[0, 0, 1]], up_pos=[[0, 0, 2]], fov=50), "on one line"),
    ("a.json", _json(start_pos=[[0, 0, 0]], end_pos=[[0, 0, 1]], fov=50), "'up_pos'"),
    ("a.txt", b"1 2 3\n", "8 numbers per line"),
    ("a.txt", b"# nothing\n", "1 to 100000 lines"),
    ("a.txt", b"0 1 2 3 0 0 0 1\n1 1 2 x 0 0 0 1\n", "Line 2 of a.txt"),
    ("a.txt", b"0 1 2 3 0 0 0 1\n1 1 2\n0 1 2 3 0 0 0 1\n", "Line 2 of a.txt should hold 8"),
    ("a.txt", f"x\n{ROW}\n{ROW[:-2]}\n{ROW}\n".encode(), "Line 3 of a.txt should hold 19"),
    ("a.txt", f"x\n{ROW.replace('0.75', 'inf')}\n".encode(), "Line 2 of a.txt"),
    ("a.txt", f"x\n{ROW.replace('1 0 0 0 0', '3 0 0 0 0')}\n".encode(), "camera 0 of a.txt"),
    ("cameras.txt", b"1 PINHOLE 9 9 1 1 1 1", "zip it with images.txt"),
    ("a.zip", b"PK\3\4 not a zip", "damaged"),
    ("a.zip", zipped({"readme.txt": "x"}), "no COLMAP model"),
    ("a.zip", _colmap(images_txt="1 1 0 0 0 0 0 0\n\n"), "Line 1 of images.txt"),
    ("a.zip", _colmap(images_txt="1 1 0 0 0 0 0 0 9 a.png\n\n"), "uses camera 9"),
    ("a.zip", _colmap(cameras_txt="1 FISHEYE 9 9 1 1 1 1\n"), "undistort"),
    ("a.zip", _colmap(cameras_txt="1 PINHOLE 9 9 1 1 1\n"), "parameters of Line 1"),
    ("a.zip", zipped({"cameras.bin": struct.pack("<Q", 2**40), "images.bin": b"x"}), "announces 1099511627776"),
    ("a.zip", zipped({"cameras.bin": struct.pack("<QiiQQ", 1, 1, 1, 9, 9), "images.bin": b"x"}), "announces 1 cameras|cut off"),
    ("cameras.bin", b"x", "in one zip"),
    ("a.npz", b"x", "not a readable npz"),
    ("a.torch", b"x", "no file of torch.save"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "words"), BAD, ids=[f"{i}-{each[2][:20]}" for i, each in enumerate(BAD)])
def test_each_bad_file_is_refused_in_its_own_sentence(name, data, words):
    with pytest.raises(InputError, match=words) as caught:
        read(name, data)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def _npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_an_npz_with_huge_declared_arrays_is_refused_before_it_is_unpacked():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 4, 4)})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w2c.npy", header.getvalue())
        archive.writestr("intrinsics.npy", header.getvalue())
    with pytest.raises(InputError, match="1 to 100000 cameras"):
        read("a.npz", buffer.getvalue())
    with pytest.raises(InputError, match="no plain numbers"):
        read("a.npz", _npz(w2c=np.array([{"a": 1}], dtype=object)))
    with pytest.raises(InputError, match="neither w2cs_all nor w2c"):
        read("a.npz", _npz(poses=np.eye(4)))
    with pytest.raises(InputError, match="shape Nx4x4, got 4x4"):
        read("a.npz", _npz(w2c=np.eye(4)))
    with pytest.raises(InputError, match="not finite"):
        read("a.npz", _npz(w2c=np.full((2, 4, 4), np.nan), intrinsics=np.ones((2, 3, 3))))


def test_torch_files_cannot_execute_code():
    import torch

    class Harm:
        def __reduce__(self):
            return (print, ("harm",))

    buffer = io.BytesIO()
    torch.save({"cameras": Harm()}, buffer)
    with pytest.raises(InputError, match="more than tensors"):
        read("a.torch", buffer.getvalue())
    for wrong, words in (({"a": torch.zeros(1)}, "no field 'cameras'"), ({"cameras": torch.zeros(2, 5)}, "shape Nx18"),
                         ({"cameras": torch.zeros(0, 18)}, "1 to 100000"), ({"cameras": 3}, "tensor of shape")):  # fmt: skip
        buffer = io.BytesIO()
        torch.save(wrong, buffer)
        with pytest.raises(InputError, match=words):
            read("a.pt", buffer.getvalue())


@given(st.sampled_from(["colmap_bin", "gen3c_npz", "dualcamctrl", "reshoot", "realestate10k"]), st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_files_raise_nothing_but_input_errors(name, data):
    file_name, content = write(name, path_of(0, 3))
    at = data.draw(st.integers(0, len(content) - 1))
    damaged = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
    for broken in (damaged, content[:at]):
        with contextlib.suppress(InputError):
            read(file_name, broken)


@pytest.mark.parametrize("name", CENTRED)
def test_formats_without_lens_fields_refuse_zoom_shift_and_skew(name):
    with pytest.raises(InputError, match="choose"):
        shifted = path_of(0, 3, zoom=True, shift=True)
        skewed = shifted.intrinsics.copy()
        skewed[:, 0, 1] = 3
        write(name, CameraPath(shifted.world_from_camera, skewed, 96, 64))


def test_i2v3d_refuses_a_zoom():
    with pytest.raises(InputError, match="one lens for all frames"):
        write("i2v3d", path_of(0, 3, zoom=True))
