"""SPZ and glTF splats: round trips within the format's precision, the axes, the drawn picture, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from pipelines.reconstruct.gaussians.formats import every, read
from pipelines.reconstruct.gaussians.formats.gltf import EXTENSION, glb_bytes
from pipelines.reconstruct.gaussians.formats.spz import read_spz, spz_bytes
from pipelines.reconstruct.gaussians.splats import Splats


def some(n: int = 60, degree: int = 3) -> Splats:
    rng = np.random.default_rng(degree)
    return Splats(
        rng.normal(size=(n, 3)), rng.normal(size=(n, 4)), rng.normal(-3, 0.5, (n, 3)), rng.normal(size=n),
        np.clip(rng.normal(0, 0.3, (n, (degree + 1) ** 2, 3)), -0.9, 0.9),
    )  # fmt: skip


def covariances(splats: Splats) -> np.ndarray:
    turn = Rotation.from_quat(np.roll(splats.quaternions, -1, axis=1)).as_matrix()
    return turn @ (splats.scales[:, :, None] ** 2 * turn.transpose(0, 2, 1))


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_spz_comes_back_within_its_steps(degree):
    splats = some(degree=degree)
    back = read_spz(spz_bytes(splats))
    assert np.abs(back.means - splats.means).max() <= 0.5 / 4096 + 1e-6
    assert np.abs(back.opacities - splats.opacities).max() < 0.003
    assert np.abs(back.sh[:, 0] - splats.sh[:, 0]).max() <= 0.5 / 255 / 0.15 + 1e-5
    assert np.abs(back.sh[:, 1:] - splats.sh[:, 1:]).max(initial=0) <= 0.5 / 128 + 1e-5
    size = np.trace(covariances(splats), axis1=1, axis2=2)
    assert (np.abs(covariances(back) - covariances(splats)).max(axis=(1, 2)) / size).max() < 0.08


def test_spz_lies_in_axes_of_y_up():
    splats = Splats(
        np.array([[1.0, 2, 3]]), np.array([[1.0, 0, 0, 0]]), np.zeros((1, 3)), np.zeros(1), np.zeros((1, 1, 3))
    )
    raw = gzip.decompress(spz_bytes(splats))
    assert raw[:4] == b"NGSP" and len(raw) == 16 + 9 + 1 + 3 + 3 + 3
    x, y, z = (int.from_bytes(raw[16 + 3 * i : 19 + 3 * i], "little", signed=True) / 4096 for i in range(3))
    assert (x, y, z) == (1, -2, -3)


def test_spz_of_version_3_packs_rotations_in_ten_bits():
    """A quarter turn about x: x and w are the root of a half; the half turn of the axes keeps it."""
    raw = bytearray(gzip.decompress(spz_bytes(some(1, 0))))
    raw[4] = 3
    root = round(511 * 1.0)  # the largest part, w, is left out; x is the root of a half, the top of its range
    word = 3 << 30 | root << 20
    data = gzip.compress(bytes(raw[:32]) + struct.pack("<I", word))
    quaternion = read_spz(data).quaternions[0]
    np.testing.assert_allclose(quaternion, [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=1e-3)


def test_what_is_no_spz_is_refused_in_a_sentence():
    whole = spz_bytes(some())
    raw = gzip.decompress(whole)
    for data, words in (
        (b"no gzip at all", "not packed"),
        (gzip.compress(raw[:10]), "cut off"),
        (gzip.compress(raw[:-50]), "cut off"),
        (gzip.compress(b"GLTF" + raw[4:]), "version 2 or 3"),
        (gzip.compress(raw[:8] + struct.pack("<I", 2**31) + raw[12:]), "at most"),
    ):
        with pytest.raises(InputError, match=words):
            read_spz(data)
    far = Splats(np.array([[3000.0, 0, 0]]), np.ones((1, 4)), np.zeros((1, 3)), np.zeros(1), np.zeros((1, 1, 3)))
    with pytest.raises(InputError, match="2048 scene units"):
        spz_bytes(far)
    assert set(every(far)) == {"splats.ply", "scene.splat", "splats.glb"}
    with pytest.raises(InputError, match=r"\.ply, \.splat and \.spz"):
        read(b"", "scene.txt")


def test_gltf_splats_are_points_upright_to_another_reader():
    splats = some(degree=2)
    data = glb_bytes(splats)
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    (cloud,) = scene.dump()
    np.testing.assert_allclose(cloud.vertices, splats.means * [1, -1, -1], atol=1e-6)
    assert np.abs(np.asarray(cloud.colors)[:, :3] / 255.0 - splats.colours).max() < 0.003


def test_gltf_splats_say_everything_the_extension_wants():
    splats = some(degree=2)
    data = glb_bytes(splats)
    length, kind = struct.unpack_from("<II", data, 12)
    document, start = json.loads(data[20 : 20 + length]), 28 + length
    (primitive,) = document["meshes"][0]["primitives"]
    assert kind == 0x4E4F534A and document["extensionsUsed"] == [EXTENSION] and primitive["mode"] == 0
    assert primitive["extensions"][EXTENSION]["kernel"] == "ellipse"

    def values(name: str, width: int) -> np.ndarray:
        accessor = document["accessors"][primitive["attributes"][f"{EXTENSION}:{name}"]]
        view = document["bufferViews"][accessor["bufferView"]]
        return np.frombuffer(data, "<f4", accessor["count"] * width, start + view["byteOffset"]).reshape(-1, width)

    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True)
    np.testing.assert_allclose(values("ROTATION", 4), np.roll(unit, -1, axis=1), atol=1e-6)
    np.testing.assert_array_equal(values("SCALE", 3), splats.log_scales)
    np.testing.assert_array_equal(values("OPACITY", 1)[:, 0], splats.opacities)
    np.testing.assert_array_equal(values("SH_DEGREE_2_COEF_4", 3), splats.sh[:, 8])
    assert f"{EXTENSION}:SH_DEGREE_3_COEF_0" not in primitive["attributes"]
