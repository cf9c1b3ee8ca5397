"""Curation of a rendered clip with known path, objects and motion."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from pipelines.__main__ import main
from pipelines.estimation import sfm, sparse_depth
from pipelines.inputs.colmap_model import read_model
from pipelines.inputs.datasets.genxd import read_camvid
from pipelines.inputs.open import read_material
from pipelines.media.video import write_mp4
from pipelines.methods.genxd.curation import camvid, motion_strength
from tests.scenes.rendered_clip import BOARD, HEIGHT, WIDTH, render

SPEED = 0.06


@pytest.fixture(scope="module")
def truth():
    return render(8, speed=SPEED, travel=1.0)


@pytest.fixture(scope="module")
def true_strength(truth):
    """100 x mean over frames of the board's own movement in the picture, as a fraction of its height."""
    away = BOARD - truth.path.centres[:-1, 2]
    return 100 * float(np.mean(truth.path.intrinsics[0, 0, 0] * SPEED / away / HEIGHT))


@pytest.fixture(scope="module")
def entry(truth, tmp_path_factory):
    """An entry made by the command from a video file."""
    folder = tmp_path_factory.mktemp("curated")
    write_mp4(folder / "clip.mp4", truth.frames, 12)
    assert main(["curate", str(folder / "clip.mp4"), str(folder / "entry")]) == 0
    return folder / "entry"


def nearness(found, truth):
    """Largest errors of a path: of positions as fractions of the path length, of rotations in degrees."""
    a, b = found.relative_to_first(), truth.relative_to_first()
    way = np.linalg.norm(b.centres[-1])
    scale = way / np.linalg.norm(a.centres[-1])
    trace = np.einsum("fij,fij->f", a.world_from_camera[:, :3, :3], b.world_from_camera[:, :3, :3])
    turned = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    return np.abs(a.centres * scale - b.centres).max() / way, turned.max(), scale


def test_the_entry_has_the_layout_of_the_data_set(entry, truth):
    assert sorted(p.name for p in entry.iterdir()) == ["0", "images", "motion.json"]
    assert sorted(p.name for p in (entry / "0").iterdir()) == [
        "cameras.bin",
        "images.bin",
        "points3D.bin",
        "project.ini",
    ]
    assert [p.name for p in sorted((entry / "images").iterdir())] == [f"{i:05d}.jpg" for i in range(len(truth.frames))]


def test_cameras_and_motion_strength_are_the_true_ones(entry, truth, true_strength):
    import pycolmap

    model = pycolmap.Reconstruction(entry / "0")
    images = sorted(model.images.values(), key=lambda image: image.name)
    assert [image.name for image in images] == [f"{i:05d}.jpg" for i in range(len(truth.frames))]
    poses = np.repeat(np.eye(4)[None], len(images), axis=0)
    poses[:, :3] = [image.cam_from_world().inverse().matrix() for image in images]
    away, turned, _ = nearness(truth.path.with_poses(poses), truth.path)
    assert away < 0.02 and turned < 0.5
    found = json.loads((entry / "motion.json").read_text())
    assert found["motion_strength"] == pytest.approx(true_strength, rel=0.2)
    assert len(found["things"]) == 1 and found["frames_without_camera"] == 0


@pytest.mark.parametrize("packed", [False, True])
def test_an_entry_is_read_as_posed_pictures(entry, truth, tmp_path, packed):
    path = entry
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "entry"), "zip", entry.parent, entry.name))
    found = read_camvid(path)
    away, turned, _ = nearness(found.path, truth.path)
    assert away < 0.02 and turned < 0.5 and len(found.pictures) == len(truth.frames)
    assert np.abs(found.pictures.astype(int) - truth.frames).mean() < 10
    assert "sparse points" in found.scene().source
    pixels, _ = found.seen_points(0)
    assert len(pixels) > 200


def test_a_reader_written_for_the_format_agrees_with_colmap(entry):
    import pycolmap

    ours, theirs = read_model(entry / "0"), pycolmap.Reconstruction(entry / "0")
    for name, placed, lens in zip(ours.names, ours.poses, ours.lenses):
        image = theirs.find_image_with_name(name)
        np.testing.assert_allclose(np.linalg.inv(placed)[:3], image.cam_from_world().matrix(), atol=1e-12)
        np.testing.assert_allclose(lens.matrix[:2, 2] + 0.5, image.camera.calibration_matrix()[:2, 2])
    assert len(ours.points) == theirs.num_points3D()
    np.testing.assert_allclose(np.sort(ours.points, 0), np.sort([p.xyz for p in theirs.points3D.values()], 0))


def test_damaged_and_foreign_entries_are_refused(entry, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(entry, broken)
    for name in ("cameras.bin", "images.bin", "points3D.bin"):
        whole = (broken / "0" / name).read_bytes()
        for content in (whole[: len(whole) // 2], b"\xff" * 64):
            (broken / "0" / name).write_bytes(content)
            with pytest.raises(InputError, match=r"damaged|model|announces|cut off"):
                read_camvid(broken)
        (broken / "0" / name).write_bytes(whole)
    (broken / "images" / "00003.jpg").unlink()
    with pytest.raises(InputError, match="not in images/"):
        read_camvid(broken)
    with pytest.raises(InputError, match="no images/ and 0/"):
        read_camvid(tmp_path / "broken" / "0")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../images/../x.jpg", b"")
        archive.writestr("../0/../../../cameras.bin", b"")
    with pytest.raises(InputError, match="no images/ and 0/"):
        read_camvid(tmp_path / "evil.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken", "evil.zip"]


def test_a_still_scene_has_no_motion(truth, tmp_path):
    still = render(4, speed=0, travel=0.6)
    *_, found = camvid.curate(still.frames, tmp_path / "entry", fps=12)
    assert found.motion_strength == 0 and found.things == {}
    with pytest.raises(InputError, match="exists already"):
        list(camvid.curate(still.frames, tmp_path / "entry", fps=12))


def test_no_camera_path_is_refused_and_leaves_nothing(tmp_path):
    flat = np.full((6, 64, 64, 3), 128, np.uint8)
    with pytest.raises(InputError, match="No camera path"):
        list(camvid.curate(flat, tmp_path / "entry", fps=12))
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_nothing(truth, tmp_path):
    run = camvid.curate(truth.frames, tmp_path / "entry", fps=12, masks=truth.moving)
    assert "still parts" in next(run)
    run.close()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def found(truth):
    return sfm.reconstruct(truth.frames, masks=truth.moving)


def test_structure_from_motion_finds_path_lens_and_depth(found, truth):
    away, turned, scale = nearness(found.path, truth.path)
    assert away < 0.02 and turned < 0.5 and found.frames == tuple(range(len(truth.frames)))
    np.testing.assert_allclose(found.path.intrinsics[0], truth.path.intrinsics[0], atol=2)
    pixels, depths = found.depths(4)
    column, row = pixels.round().astype(int).T
    np.testing.assert_allclose(np.median(depths * scale / truth.depth[4][row, column]), 1, atol=0.02)
    assert not truth.moving[4][row, column].any(), "points were found on what was masked"


def test_things_are_found_where_they_are(truth):
    labels = motion_strength.moving_things(truth.frames, truth.path)
    inside = (labels > 0) & truth.moving
    assert inside.sum() > 0.85 * truth.moving.sum()
    assert ((labels > 0) & ~truth.moving).mean() < 0.02
    assert len(np.unique(labels[labels > 0])) == 1, "the board must keep its number"


def test_motion_is_exact_with_true_cameras_masks_and_depth(truth, true_strength):
    labels = truth.moving.astype(np.int32)
    moved = motion_strength.motion_of_things(truth.frames, labels, truth.path, truth.depth)
    assert motion_strength.motion_strength(moved) == pytest.approx(true_strength, rel=0.05)


def test_relative_depth_is_aligned_by_medians(truth):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, [WIDTH, HEIGHT], (200, 2)).astype(float)
    depths = truth.depth[0][pixels[:, 1].astype(int), pixels[:, 0].astype(int)]
    relative = truth.depth[0] / truth.depth[0].max()
    np.testing.assert_allclose(sparse_depth.align_depth(relative, pixels, depths), truth.depth[0], rtol=1e-9)


def test_spread_depth_keeps_what_is_known():
    pixels = np.array([[2.0, 3.0], [10.0, 8.0]])
    spread = sparse_depth.spread_depth(pixels, np.array([1.5, 4.0]), 12, 16)
    assert spread[3, 2] == spread[0, 0] == 1.5 and spread[8, 10] == spread[11, 15] == 4.0


def test_a_missing_pycolmap_is_said_in_a_sentence(monkeypatch, truth):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(InputError, match="pip install pycolmap"):
        sfm.reconstruct(truth.frames)


def test_the_command_refuses_in_words(truth, tmp_path, capsys):
    assert main(["curate", str(tmp_path / "none.mp4"), str(tmp_path / "entry")]) == 1
    assert capsys.readouterr().err.strip()
    write_mp4(tmp_path / "clip.mp4", truth.frames[:4], 12)
    command = ["curate", str(tmp_path / "clip.mp4"), str(tmp_path / "entry")]
    assert main([*command, "--mask-folder", str(tmp_path)]) == 1
    assert "needs 4 png files" in capsys.readouterr().err
    assert main([*command, "--every", "3"]) == 1
    assert "at least 3" in capsys.readouterr().err


def test_an_entry_is_packed_as_the_data_set_is(entry, tmp_path):
    zipped = camvid.pack_entry(entry, tmp_path / "entry.zip")
    with zipfile.ZipFile(zipped) as archive:
        names = set(archive.namelist())
    assert {"entry/images/00000.jpg", "entry/0/cameras.bin", "entry/motion.json"} <= names
    material = read_material([zipped])
    assert material.scene.kind == "views" and len(material.points) > 100 and "data set" in material.note


def test_segmentation_masks_what_might_move():
    """A tiny Mask2Former with random weights: static classes must not be masked, others may."""
    import torch
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    from pipelines.methods.genxd.curation import segment

    backbone = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=6,
        num_labels=80,
    )
    torch.manual_seed(0)
    network = Mask2FormerForUniversalSegmentation(config).eval()
    pictures = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), dtype=np.uint8)
    head = network.class_predictor
    with torch.no_grad():
        head.weight.zero_()
        for kind, expected in ((0, True), (60, False)):  # person, dining table
            head.bias.fill_(-20)[kind] = 20
            masks = segment.movable_mask(pictures, network)
            assert masks.shape == (2, 48, 64) and masks.any() == expected
