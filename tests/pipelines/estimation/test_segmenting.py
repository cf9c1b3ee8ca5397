"""A user's own SAM. The network here is tiny and random, of the real class: its masks are meaningless, but their positions count."""

import json

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from pipelines.estimation.segmenting import own_sam, segmenter_of

SIDE = 64


@pytest.fixture(scope="module")
def tiny_sam(tmp_path_factory):
    import torch
    from transformers import SamConfig, SamModel

    vision = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16,
        "output_channels": 16, "window_size": 2, "global_attn_indexes": [0], "mlp_dim": 16, "num_pos_feats": 8,
        "initializer_range": 0.2,
    }  # fmt: skip
    prompts = {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
    decoder = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "mlp_dim": 16,
        "iou_head_hidden_dim": 16,
    }
    torch.manual_seed(0)
    network = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    folder = tmp_path_factory.mktemp("sam")
    network.save_pretrained(folder)
    return folder


def picture(width: int, height: int) -> np.ndarray:
    noise = np.random.default_rng(2).integers(0, 255, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def test_its_mask_lies_where_the_network_drew_it(tiny_sam):
    """In a picture twice as large: cropped to the part without padding and scaled to the picture, for a click and a box."""
    import torch
    from transformers import SamModel

    colour = picture(2 * SIDE, SIDE)
    small = cv2.resize(colour, (SIDE, SIDE // 2), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    pixels = np.zeros((1, 3, SIDE, SIDE), np.float32)
    pixels[0, :, : SIDE // 2] = ((small - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
    network = SamModel.from_pretrained(tiny_sam).eval()
    asked = [
        ((40, 20), {"input_points": torch.tensor([[[[20.0, 10.0]]]])}),
        ((100, 50, 20, 10), {"input_boxes": torch.tensor([[[10.0, 5.0, 50.0, 25.0]]])}),
    ]
    for place, prompt in asked:
        with torch.no_grad():
            truth = network(pixel_values=torch.from_numpy(pixels), **prompt)
        logits = truth.pred_masks[0, 0, int(truth.iou_scores[0, 0].argmax())].numpy()
        level = cv2.resize(logits, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_LINEAR)[:SIDE]
        mask = segmenter_of(tiny_sam)(colour, *place)
        assert mask.shape == (SIDE, 2 * SIDE) and 0 < mask.mean() < 1
        assert (mask == (level > 0)).mean() > 0.95, place


def test_the_page_chooses_by_it_and_says_so(tiny_sam, monkeypatch):
    from camera.view import Scene, View
    from tabs.project.project import Project
    from tabs.scene_parts.section import choose_part

    colour = picture(2 * SIDE, SIDE)
    view = View.of(
        colour, np.full(colour.shape[:2], 2.0, np.float32), np.array([[90.0, 0, 64], [0, 90, 32], [0, 0, 1]])
    )
    project = Project().opened(Scene((view,)))
    monkeypatch.setenv("RESHOOT_SAM", str(tiny_sam))
    chosen, _, words = choose_part(project, 40, 20)
    assert "chosen by SAM" in words
    np.testing.assert_array_equal(chosen.mask, segmenter_of(tiny_sam)(colour, 40, 20))
    monkeypatch.delenv("RESHOOT_SAM")
    assert own_sam() is None


def test_what_is_no_whole_sam_is_said(tiny_sam, tmp_path):
    from safetensors.numpy import load_file, save_file

    with pytest.raises(InputError, match="must name a folder with a SamModel"):
        segmenter_of(tmp_path)
    config = json.loads((tiny_sam / "config.json").read_text())
    weights = load_file(tiny_sam / "model.safetensors")
    weights.pop("mask_decoder.mask_tokens.weight")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="1 of its weights are missing"):
        segmenter_of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "sam2"}))
    with pytest.raises(InputError, match="'sam2' where 'sam' is expected"):
        segmenter_of(tmp_path)
