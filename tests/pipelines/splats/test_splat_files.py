"""Splat files: complete round trips, the layout that other programs expect, and refused files."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from pipelines.splats.files import ply_bytes, read_ply, read_splat, splat_bytes
from pipelines.splats.splats import Splats

FIELDS = ("means", "quaternions", "log_scales", "logit_opacities", "sh")


def some(n: int = 50, degree: int = 3) -> Splats:
    rng = np.random.default_rng(degree)
    return Splats(
        rng.normal(size=(n, 3)), rng.normal(size=(n, 4)), rng.normal(-3, 0.5, (n, 3)), rng.normal(size=n),
        rng.normal(0, 0.4, (n, (degree + 1) ** 2, 3)),
    )  # fmt: skip


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_ply_comes_back_exactly(degree):
    splats = some(degree=degree)
    back = read_ply(ply_bytes(splats))
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(back, name), getattr(splats, name))


def test_another_reader_finds_the_properties_of_3dgs():
    splats = some(degree=3)
    raw = trimesh.load(io.BytesIO(ply_bytes(splats)), file_type="ply", process=False)
    data = raw.metadata["_ply_raw"]["vertex"]["data"]
    names = data.dtype.names
    assert names[:9] == ("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2") and len(names) == 62
    assert names[-8:] == ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")
    np.testing.assert_array_equal(data["f_rest_15"], splats.sh[:, 1, 1])  # green follows the 15 values of red


def test_properties_may_come_in_another_order_and_others_beside():
    splats = some(degree=0)
    plain = np.frombuffer(ply_bytes(splats).split(b"end_header\n")[1], "<f4").reshape(len(splats), -1)
    names = [
        "extra",
        "rot_0",
        "rot_1",
        "rot_2",
        "rot_3",
        "opacity",
        "scale_0",
        "scale_1",
        "scale_2",
        "f_dc_0",
        "f_dc_1",
    ]
    names += ["f_dc_2", "z", "y", "x"]
    columns = np.stack([np.zeros(len(splats)), *plain[:, [13, 14, 15, 16, 9, 10, 11, 12, 6, 7, 8, 2, 1, 0]].T], axis=1)
    header = "ply\nformat binary_little_endian 1.0\ncomment made elsewhere\n" + f"element vertex {len(splats)}\n"
    header += "".join(f"property float {name}\n" for name in names) + "end_header\n"
    back = read_ply(header.encode() + columns.astype("<f4").tobytes())
    np.testing.assert_array_equal(back.means, splats.means)
    np.testing.assert_array_equal(back.quaternions, splats.quaternions)


def test_a_splat_file_comes_back_to_within_its_bytes():
    splats = some(degree=2)
    data = splat_bytes(splats)
    assert len(data) == 32 * len(splats)
    back = read_splat(data)
    visible = splats.opacities * np.exp(splats.log_scales.sum(axis=1))
    order = np.argsort(-visible, kind="stable")
    np.testing.assert_array_equal(back.means, splats.means[order])
    np.testing.assert_allclose(back.log_scales, splats.log_scales[order], atol=1e-5)
    np.testing.assert_allclose(back.opacities, splats.opacities[order], atol=1 / 255)
    np.testing.assert_allclose(back.colours, splats.colours[order], atol=1 / 255)
    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True)
    np.testing.assert_allclose(back.quaternions, unit[order], atol=1 / 100)


def test_what_is_no_splat_file_is_refused_in_words():
    whole = ply_bytes(some(degree=1))
    for data, words in (
        (b"solid", "binary little-endian PLY"), (whole[:-1], "truncated"), (whole.replace(b"rot_3", b"rot_9"), "no rot_3"),
        (whole.replace(b"rot_3", b"rot_2"), "twice"), (whole.replace(b"f_rest_8", b"f_else_8"), "harmonics"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            read_ply(data)
    for data, words in ((b"123", "32 for each"), (bytes(64), "without size")):
        with pytest.raises(InputError, match=words):
            read_splat(data)
    with pytest.raises(InputError, match="not finite"):
        read_ply(ply_bytes(some(degree=0))[:-4] + np.float32(np.nan).tobytes())
