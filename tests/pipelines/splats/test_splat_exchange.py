"""SPZ, SOG, compressed PLY and glTF splats: round trips, files of another tool, the axes, and refused files."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import gsply
import numpy as np
import pytest
import trimesh
from exchanged_splats import apart, covariances, some
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.objects.glb import open_glb, pack_glb
from pipelines.splats.formats import NAMES, encode, encode_all, kind_of, read, sog
from pipelines.splats.formats.axes import turn_splats, world_from_file
from pipelines.splats.formats.gltf import EXTENSION
from pipelines.splats.splats import Splats

GOLDEN = Path(__file__).parents[2] / "golden" / "splats"
"""Written by PlayCanvas' splat-transform from `some()`, see the README there."""
PACKED = ["compressed.ply", "spz", "sog", "glb"]


def plain(means: list[list[float]]) -> Splats:
    n = len(means)
    return Splats(np.array(means), np.tile([1.0, 0, 0, 0], (n, 1)), np.zeros((n, 3)), np.zeros(n), np.zeros((n, 1, 3)))


@pytest.mark.parametrize("degree", [0, 2, 3])
@pytest.mark.parametrize("kind", ["ply", *PACKED])
def test_splats_come_back_to_half_a_pixel_and_two_levels(kind, degree):
    splats = some(degree=degree)
    data = encode(splats, kind)
    assert kind_of(data, "a file") == kind
    back, words = read(data, NAMES[kind])
    found = apart(splats, back)
    assert found.pixels < 0.5 and found.levels <= 2 and found.opacity < 0.005 and found.shape < 0.08
    assert found.harmonics < 0.02 and back.degree == degree
    assert "the convention of" in words


@pytest.mark.parametrize(("kind", "harmonics"), [("compressed.ply", 0.02), ("spz", 0.07), ("sog", 0.4), ("glb", 1e-6)])
def test_files_of_splat_transform_hold_the_same_splats(kind, harmonics):
    """Its glTF is rotated by half a turn about the vertical relative to ours: it assumes 3DGS files to be upside down about z.

    Its SPZ stores harmonics in 4 bits, its SOG 256 sets of them for these 300 Gaussians.
    """
    back, _ = read(
        (GOLDEN / f"splat-transform.{kind}").read_bytes(), f"room.{kind}", up="y-down" if kind == "spz" else "auto"
    )
    if kind == "glb":
        back = turn_splats(back, np.diag([-1.0, 1, -1]))
    found = apart(some(), back)
    assert found.pixels < 0.5 and found.levels <= 2 and found.opacity < 0.005 and found.shape < 0.08
    assert found.harmonics < harmonics


def test_plain_ply_is_read_by_gsply(tmp_path):
    splats = some()
    (tmp_path / "a.ply").write_bytes(encode(splats, "ply"))
    theirs = gsply.plyread(tmp_path / "a.ply")
    np.testing.assert_array_equal(theirs.means, splats.means)
    np.testing.assert_array_equal(theirs.shN, splats.sh[:, 1:])


@pytest.mark.parametrize("kind", PACKED)
def test_splat_transform_reads_ours(kind, tmp_path):
    """Runs if node and the tool are available: `npm install @playcanvas/splat-transform` in a folder above this one."""
    tool = next((each for each in (Path(__file__), *Path(__file__).parents)
                 if (each / "node_modules/@playcanvas/splat-transform/bin/cli.mjs").is_file()), None)  # fmt: skip
    if tool is None or shutil.which("node") is None or kind == "glb":
        pytest.skip("splat-transform is not installed, or does not read this format")
    splats = some()
    (tmp_path / f"ours.{kind}").write_bytes(encode(splats, kind))
    command = ["node", str(tool / "node_modules/@playcanvas/splat-transform/bin/cli.mjs"), "-q"]
    subprocess.run([*command, f"ours.{kind}", "theirs.ply"], cwd=tmp_path, check=True, timeout=120)
    back, _ = read((tmp_path / "theirs.ply").read_bytes(), "theirs.ply", up="y-up" if kind == "spz" else "auto")
    found = apart(splats, back)
    assert found.pixels < 0.5 and found.levels <= 2 and found.shape < 0.08 and found.harmonics < 0.02


# --- axes ------------------------------------------------------------------------------------------------------------


def test_spz_is_y_up_and_the_others_keep_the_axes_of_3dgs():
    splats = plain([[1.0, 2, 3], [0, 0, 1]])
    raw = gzip.decompress(encode(splats, "spz"))
    assert raw[:4] == b"NGSP"
    x, y, z = (int.from_bytes(raw[16 + 3 * i : 19 + 3 * i], "little", signed=True) / 4096 for i in range(3))
    assert (x, y, z) == (1, -2, -3)
    np.testing.assert_allclose(
        gsply.decompress_from_bytes(encode(splats, "compressed.ply")).means[0], [1, 2, 3], atol=2e-3
    )


@pytest.mark.parametrize(
    ("up", "above"), [("y-down", [0, -1, 0]), ("y-up", [0, 1, 0]), ("z-up", [0, 0, 1]), ("z-down", [0, 0, -1])]
)
def test_what_points_up_in_the_file_points_up_in_the_world(up, above):
    turn = world_from_file(up, "ply")
    assert np.linalg.det(turn) == 1
    data = encode(plain([above, [5.0, 0, 0]]), "ply")
    back, words = read(data, "a.ply", up=up)
    np.testing.assert_allclose(back.means[0], [0, -1, 0], atol=1e-6)
    assert "(chosen)" in words
    with pytest.raises(InputError, match="The up axis"):
        read(data, "a.ply", up="left")  # type: ignore[arg-type]


def test_a_turn_turns_shapes_and_colours_with_the_places():
    """Seen from a rotated direction, rotated splats have their previous colours."""
    import torch

    from pipelines.splats.rasterizer import radiance

    splats, rotation = some(degree=3), Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    after = turn_splats(splats, rotation)
    np.testing.assert_allclose(covariances(after), rotation @ covariances(splats) @ rotation.T, atol=1e-6)
    towards = np.random.default_rng(1).normal(size=(len(splats), 3)).astype(np.float32)
    seen = radiance(torch.tensor(splats.sh), torch.tensor(towards))
    seen_after = radiance(torch.tensor(after.sh), torch.tensor((towards @ rotation.T).astype(np.float32)))
    np.testing.assert_allclose(seen_after, seen, atol=1e-5)


# --- glTF ------------------------------------------------------------------------------------------------------------


def test_gltf_splats_are_points_upright_to_another_reader():
    splats = some()
    scene = trimesh.load(io.BytesIO(encode(splats, "glb")), file_type="glb")
    (cloud,) = scene.dump()
    np.testing.assert_allclose(cloud.vertices, splats.means * [1, -1, -1], atol=1e-6)
    assert np.abs(np.asarray(cloud.colors)[:, :3] / 255.0 - splats.colours).max() < 0.003


def test_gltf_scales_are_lengths_and_opacities_shares():
    splats = some()
    file = open_glb(encode(splats, "glb"), "a.glb")
    (primitive,) = file.about["meshes"][0]["primitives"]
    assert primitive["mode"] == 0 and primitive["extensions"][EXTENSION]["kernel"] == "ellipse"

    def values(name: str) -> np.ndarray:
        return file.array(primitive["attributes"][f"{EXTENSION}:{name}"])

    np.testing.assert_array_equal(values("SCALE"), splats.scales)
    np.testing.assert_array_equal(values("OPACITY")[:, 0], splats.opacities)
    np.testing.assert_array_equal(values("SH_DEGREE_2_COEF_4"), splats.sh[:, 8])
    np.testing.assert_allclose(np.linalg.norm(values("ROTATION"), axis=1), 1, atol=1e-6)


def test_nodes_place_gltf_splats():
    splats = some()
    file = open_glb(encode(splats, "glb"), "a.glb")
    about = json.loads(json.dumps(file.about))
    about["nodes"] = [{"children": [1], "scale": [2, 2, 2], "translation": [1, 0, 0]}, about["nodes"][0]]
    back, _ = read(pack_glb(about, file.binary), "a.glb")
    expected = replace(splats, means=splats.means * 2 + [1, 0, 0], log_scales=splats.log_scales + np.log(2))
    np.testing.assert_allclose(back.means, expected.means, atol=1e-5)
    np.testing.assert_allclose(covariances(back), covariances(expected), rtol=1e-3, atol=1e-6)
    about["nodes"][0]["scale"] = [2, 1, 2]
    with pytest.raises(InputError, match="stretches"):
        read(pack_glb(about, file.binary), "a.glb")


# --- refused files ---------------------------------------------------------------------------------------------------


def test_what_is_no_spz_is_refused_in_a_sentence():
    whole = encode(some(), "spz")
    raw = gzip.decompress(whole)
    for data, words in (
        (b"\x1f\x8bno gzip at all", "not compressed"),
        (gzip.compress(raw[:10]), "truncated"),
        (gzip.compress(raw[:-50]), "not a complete SPZ"),
        (gzip.compress(b"GLTF" + raw[4:]), "not an SPZ file"),
        (gzip.compress(raw[:8] + struct.pack("<I", 2**31) + raw[12:]), "at most"),
        (gzip.compress(raw + b"\0" * (4 << 20)), "more than its Gaussians need"),
    ):
        with pytest.raises(InputError, match=words):
            read(data, "room.spz")
    far = plain([[3000.0, 0, 0]])
    with pytest.raises(InputError, match="2048 scene units"):
        encode(far, "spz")
    assert set(encode_all(far)) == set(NAMES.values()) - {"splats.spz"}


def test_what_is_no_compressed_ply_is_refused_in_a_sentence():
    whole = encode(some(), "compressed.ply")
    for data, words in (
        (whole[:-50], "truncated"),
        (whole.replace(b"element chunk 2", b"element chunk 1"), "wrong number"),
        (whole.replace(b"element vertex 300", b"element vertex 900"), "another layout|wrong number"),
        (whole.replace(b"property float max_b\n", b""), "another layout"),
    ):
        with pytest.raises(InputError, match=words):
            read(data, "room.compressed.ply")


def test_what_is_no_sog_is_refused_in_a_sentence():
    whole = encode(some(), "sog")

    def changed(**meta: object) -> bytes:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        about = json.loads(files.pop("meta.json")) | meta
        return sog._zip_files(about, files)

    for data, words in (
        (whole[:-400], "not a complete SOG"),
        (changed(version=3), "version 3"),
        (changed(count=10**9), "10+ Gaussians"),
        (changed(count=5000), "not a complete SOG"),
        (changed(means={}), "not a complete SOG"),
    ):
        with pytest.raises(InputError, match=words):
            read(data, "room.sog")


def test_what_is_no_file_of_splats_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"\.ply, \.splat, \.spz, \.sog, \.glb"):
        read(b"nothing", "scene.txt")
    mesh = trimesh.creation.box().export(file_type="glb")
    with pytest.raises(InputError, match="contains no splats"):
        read(mesh, "box.glb")


def test_harmonics_beyond_the_palette_are_shared(monkeypatch):
    splats = some(9000, 1)
    monkeypatch.setattr(sog, "PALETTE", 6000)
    back, _ = read(encode(splats, "sog"), "room.sog")
    off = np.abs(back.sh[:, 1:] - splats.sh[:, 1:]).mean() / np.abs(splats.sh[:, 1:]).mean()
    assert 0.01 < off < 0.5
