"""A user's own diffusers inpainting pipeline. The one here is tiny and random, of the real classes: it paints noise."""

import numpy as np
import pytest

from camera.errors import InputError
from pipelines.estimation.inpainting import inpainter_of


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory):
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from pipelines.weights.components import byte_tokenizer

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=9, out_channels=4, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8, attention_head_dim=4,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 4), norm_num_groups=2, latent_channels=4,
    )  # fmt: skip
    words = CLIPTextConfig(
        vocab_size=300, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    made = StableDiffusionInpaintPipeline(
        autoencoder, CLIPTextModel(words), byte_tokenizer(300, max_length=16), unet, DDIMScheduler(steps_offset=1, clip_sample=False), None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("inpaint")
    made.save_pretrained(folder)
    return folder


def test_it_paints_in_the_pictures_size_and_the_same_each_time(tiny_pipeline, monkeypatch):
    from diffusers import StableDiffusionInpaintPipeline

    asked, shoot = [], StableDiffusionInpaintPipeline.__call__

    def brief(self, **given):
        asked.append(given)
        return shoot(self, **given, num_inference_steps=2)

    monkeypatch.setattr(StableDiffusionInpaintPipeline, "__call__", brief)
    colour = np.random.default_rng(0).integers(60, 200, (27, 40, 3), dtype=np.uint8)
    holes = np.zeros((27, 40), bool)
    holes[8:20, 10:30] = True
    one, two = (inpainter_of(tiny_pipeline)(colour, holes) for _ in range(2))
    assert one.shape == colour.shape and one.dtype == np.uint8 and one.std() > 1
    np.testing.assert_array_equal(one, two)
    given = asked[0]
    assert given["image"].size == given["mask_image"].size == (40, 32) and given["prompt"] == ""
    assert np.asarray(given["mask_image"])[12, 20] == 255 and np.asarray(given["mask_image"])[2, 2] == 0


def test_a_folder_without_one_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="must be the folder of a diffusers inpainting pipeline"):
        inpainter_of(tmp_path)
