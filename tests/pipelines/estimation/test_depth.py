"""Depth sources: tiny random networks of the real classes, given depth maps, and a guess that is labelled as one."""

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from pipelines.estimation.depth import MODELS, Depth, estimate, load_model
from pipelines.inputs.picture import guess_layout, scene_from
from pipelines.media.image import Picture


@pytest.fixture(scope="module")
def picture() -> Picture:
    colour = np.random.default_rng(1).integers(0, 255, (60, 90, 3), np.uint8)
    return Picture(cv2.GaussianBlur(colour, (0, 0), 3), fov_degrees=48.0)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    """A random Depth Anything with four narrow layers, in the published folder layout."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=8, patch_size=14,
    )  # fmt: skip
    torch.manual_seed(0)
    network = DepthAnythingForDepthEstimation(config)
    torch.nn.init.constant_(network.head.conv3.bias, 1.0)
    folder = tmp_path_factory.mktemp("depth")
    network.save_pretrained(folder)
    return folder


def test_a_network_gives_a_scene_of_the_pictures_size(picture, tiny_folder):
    from dataclasses import replace

    model = replace(MODELS["small"], side=56)
    depth = estimate(picture, model, load_model(tiny_folder))
    assert depth.values.shape == (60, 90) and depth.unit == "relative"
    assert depth.values.min() == pytest.approx(1.0, rel=1e-3), "the nearest point of a disparity map lies at 1"
    scene = scene_from(picture, depth)
    assert scene.source == "Depth Anything V2 Small"
    assert scene.first.camera.fov_degrees[0, 0] == pytest.approx(48.0)


def test_a_broken_folder_is_refused_in_words(tiny_folder, tmp_path):
    (tmp_path / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="download it again"):
        load_model(tmp_path)


def test_the_guess_says_that_it_is_one(picture):
    scene = scene_from(picture, guess_layout(picture.colour))
    assert "not measured" in scene.source
    column = scene.first.depth[:, 40]
    assert column[-1] < column[40] < column[0] and (np.diff(column) <= 0).all()


def test_a_lens_given_by_hand_wins(picture):
    depth = Depth(np.ones((60, 90), np.float32), "metres", "given", fov_degrees=30.0)
    assert scene_from(picture, depth).first.camera.fov_degrees[0, 0] == pytest.approx(30)
    assert scene_from(picture, depth, fov_degrees=75).first.camera.fov_degrees[0, 0] == pytest.approx(75)


def test_depth_of_another_picture_is_refused(picture):
    with pytest.raises(InputError, match="same picture"):
        scene_from(picture, Depth(np.ones((90, 60), np.float32), "metres", "given"))
