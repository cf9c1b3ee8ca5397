"""Learned matches from a tiny network of the real class: one index per place, and matches between the given pictures."""

import numpy as np
import pytest
import torch

from camera.errors import InputError
from pipelines.estimation import matching


@pytest.fixture(scope="module")
def network():
    from transformers import LightGlueConfig, SuperPointConfig
    from transformers.models.lightglue.modeling_lightglue import LightGlueForKeypointMatching

    torch.manual_seed(0)
    detector = SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 8, 8], decoder_hidden_size=8, descriptor_decoder_dim=16, keypoint_threshold=0.0,
        max_keypoints=40,
    )  # fmt: skip
    config = LightGlueConfig(
        keypoint_detector_config=detector, descriptor_dim=16, num_hidden_layers=2, num_attention_heads=2,
        filter_threshold=0.0, depth_confidence=-1.0, width_confidence=-1.0,
    )  # fmt: skip
    return LightGlueForKeypointMatching(config).eval()


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), dtype=np.uint8)
    return np.stack([noise[0], noise[0], noise[1]])


def test_a_picture_matches_itself_place_by_place(network, pictures):
    places, found = matching.matches(network, pictures, [(0, 1), (0, 2), (1, 2)])
    assert len(places) == 3 and all(one.shape[1] == 2 for one in places) and set(found) == {(0, 1), (0, 2), (1, 2)}
    np.testing.assert_array_equal(places[0], places[1])
    same = found[0, 1]
    assert len(same) >= 1
    np.testing.assert_array_equal(places[0][same[:, 0]], places[1][same[:, 1]])
    for (i, j), pairs in found.items():
        assert pairs[:, 0].max(initial=0) < len(places[i]) and pairs[:, 1].max(initial=0) < len(places[j])
    assert ((places[0] >= -0.5) & (places[0] < [95.5, 63.5])).all()


def test_a_folder_is_read_and_a_broken_one_is_said(network, pictures, tmp_path):
    network.save_pretrained(tmp_path / "whole")
    again = matching.load(tmp_path / "whole")
    np.testing.assert_array_equal(
        matching.matches(again, pictures[:2], [(0, 1)])[1][0, 1],
        matching.matches(network, pictures[:2], [(0, 1)])[1][0, 1],
    )
    (tmp_path / "broken").mkdir()
    with pytest.raises(InputError, match="incomplete"):
        matching.load(tmp_path / "broken")


def test_missing_weights_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("RESHOOT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="lightglue"):
        matching.lightglue()
