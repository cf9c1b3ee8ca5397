"""Encoding and decoding of pictures, texts and videos, against the original's arrays."""

import copy

import numpy as np
import pytest
import torch

from pipelines.methods.dualcamctrl.network import encoders
from pipelines.methods.dualcamctrl.network import vae as wan
from pipelines.weights.components import byte_tokenizer

from .conftest import golden_file


@pytest.fixture(scope="module")
def golden():
    return golden_file("encoders_preprocess")


def _close(ours, expected, atol=1e-4):
    torch.testing.assert_close(ours, expected, atol=atol, rtol=0)


@torch.no_grad()
def test_video_to_latents(vae, golden):
    _close(wan.encode_video(vae, golden["vae.video"]), golden["vae.latents"])


@torch.no_grad()
def test_latents_to_video(vae, golden):
    _close(wan.decode_video(vae, golden["vae.z"]), golden["vae.decoded"])


@pytest.fixture
def tiling(vae):
    """The same network with tiles of 32x40 pixels."""
    vae.enable_tiling(32, 40, 16, 24)
    yield vae
    vae.disable_tiling()


@torch.no_grad()
def test_tiles(tiling, golden):
    expected = golden["vae.decoded_first_latent_tiled_size4x5_stride2x3"]
    _close(wan.decode_video(tiling, golden["vae.z"][:, :, :1]), expected)


@torch.no_grad()
def test_pictures_are_encoded_whole_even_with_tiles(tiling, golden):
    _close(wan.encode_video(tiling, golden["vae.video"]), golden["vae.latents"])
    assert tiling.use_tiling


def test_mask(golden):
    _close(wan.ramp_mask(32, 40, (True, False, False, True), (16, 16)), golden["vae.mask_example"][0, 0, 0], atol=1e-6)


def test_default_tiles_at_the_demo_size(golden):
    rows, columns = (wan.tile_starts(length, wan.TILE[i] // 8, wan.STRIDE[i] // 8) for i, length in enumerate((40, 60)))
    ours = [[r, min(r + 30, 40), c, min(c + 52, 60)] for r in rows for c in columns]
    assert ours == golden["vae.default_tiles_latent_40x60"].tolist()
    weights = torch.zeros(320, 480)
    for top, bottom, left, right in ours:
        inner = (top > 0, bottom < 40, left > 0, right < 60)
        mask = wan.ramp_mask((bottom - top) * 8, (right - left) * 8, inner, (120, 208))
        weights[top * 8 : bottom * 8, left * 8 : right * 8] += mask
    _close(weights[::8, ::8], golden["vae.default_tiles_weight_sum_stride8"], atol=1e-5)


@torch.no_grad()
def test_text(text_encoder, golden):
    _close(encoders.encode_tokens(text_encoder, golden["t5.ids"], golden["t5.mask"]), golden["t5.out"])
    assert not golden["t5.out"][0, 23:].any()


@torch.no_grad()
def test_text_through_the_tokenizer(text_encoder):
    tokenizer = byte_tokenizer(300)
    short = encoders.encode_text(tokenizer, _wider(text_encoder, 300), "a  red&amp;amp;blue door", "cpu")
    assert short.shape == (1, 512, 32)
    assert short[0, : len("a red&blue door") + 1].any(dim=1).all() and not short[0, len("a red&blue door") + 1 :].any()


def _wider(encoder, vocabulary: int):
    wider = copy.deepcopy(encoder)
    wider.resize_token_embeddings(vocabulary)
    return wider


def test_prompts_are_cleaned():
    assert encoders.clean_prompt(" a\n\t“red” &amp;lt; door ") == 'a "red" < door'


def test_clip_pixels(golden):
    pixels = encoders.clip_pixels(golden["clip.image01"] * 2 - 1)
    _close(pixels[..., ::8, ::8], golden["clip.pixel_values_stride8"])


@torch.no_grad()
def test_clip_tokens(image_encoder, golden):
    _close(encoders.encode_clip(image_encoder, golden["clip.image01"] * 2 - 1), golden["clip.out"])


def test_pictures_are_stretched(golden):
    width, height = golden["pre.target_wh"].tolist()
    rgb = encoders.resize_picture(golden["pre.rgb_src"].numpy(), width, height)
    np.testing.assert_allclose(rgb.astype(int), golden["pre.rgb_resized_u8"].numpy().astype(int), atol=1)
    _close(encoders.picture_tensor(rgb, torch.float32, "cpu") / 2 + 0.5, golden["pre.input_image"], atol=5e-3)
    grey = golden["pre.depth_resized_u8"].numpy()
    _close(encoders.picture_tensor(grey, torch.float32, "cpu") / 2 + 0.5, golden["pre.input_control"], atol=1e-6)


@pytest.mark.parametrize(("source", "expected"), [("pre.input_image", "pre.y"), ("pre.input_control", "pre.control_y")])
@torch.no_grad()
def test_picture_latents_beside_the_noise(vae, golden, source, expected):
    latent = wan.encode_picture(vae, golden[source] * 2 - 1)
    _close(encoders.beside_noise(latent, 2), golden[expected])


def test_bytes(golden):
    assert torch.equal(wan.to_bytes(golden["u8.in"]), golden["u8.out_thwc"])
