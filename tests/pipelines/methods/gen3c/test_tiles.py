"""Decoding in tiles: the same picture if each pixel depends only on its neighbourhood, blended tiles otherwise."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCosmos
from torch.nn.functional import interpolate

from pipelines.method import Clip
from pipelines.methods.gen3c.method import METHOD, Gen3cMoves, Gen3cSettings, path
from pipelines.methods.gen3c.network import latents, tiles
from pipelines.options import RunOptions
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

from .conftest import GOLDEN_VAE


def _doubled(part):
    return interpolate(part.flatten(0, 1), scale_factor=2.0, mode="nearest").unflatten(0, part.shape[:2])


@pytest.mark.parametrize("size", [(5, 7), (8, 8), (9, 31), (17, 12)])
def test_what_is_local_is_the_same_in_tiles(size):
    whole = torch.rand(1, 3, 2, *size)
    asked = []

    def decode(part):
        asked.append(part.shape[3:])
        return _doubled(part)

    made = tiles.decode_tiles(decode, whole, tile=(8, 8), stride=(6, 6))
    torch.testing.assert_close(made, _doubled(whole))
    assert all(height <= 8 and width <= 8 for height, width in asked)


def test_tiles_that_disagree_are_blended_without_a_step():
    counter = iter(range(100))
    made = tiles.decode_tiles(
        lambda part: torch.full_like(part, next(counter)), torch.zeros(1, 1, 1, 8, 26), tile=(8, 8), stride=(6, 6)
    )
    row = made[0, 0, 0, 0]
    assert row[0] == 0 and row[-1] == 3 and (row.diff() >= 0).all() and row.diff().max() < 0.7


def test_the_tokenizer_decodes_in_tiles_when_told_to():
    torch.manual_seed(0)
    vae = AutoencoderKLCosmos(**GOLDEN_VAE).eval()
    made = torch.randn(1, 16, 2, 12, 20)
    whole = latents.decode(vae, made)
    vae.enable_tiling(64, 64, None, 48, 48)
    sizes = []
    vae.decoder.register_forward_pre_hook(lambda module, given: sizes.append(tuple(given[0].shape[3:])))
    cut = latents.decode(vae, made)
    assert cut.shape == whole.shape and set(sizes) == {(8, 8)} and len(sizes) == 6
    assert np.corrcoef(cut.flatten(), whole.flatten())[0, 1] > 0.8
    vae.disable_tiling()
    torch.testing.assert_close(latents.decode(vae, made), whole)


def test_the_option_reaches_the_decoder_and_is_noted(scene):
    settings = Gen3cSettings(steps=2, use_text=False, guidance=0.0)
    along = path(Gen3cMoves(width=96, height=64, frames=9), scene)
    runtime = Runtime()
    noted = {
        tiling: any(
            tiles.NOTE in item.notes
            for item in runtime.run(Shot(METHOD, scene, along, settings, options))
            if isinstance(item, Clip)
        )
        for tiling, options in (
            (t, RunOptions(weights="tiny", tiling=t)) for t in ("whole", "tiles", "as the method does")
        )
    }
    assert noted == {"whole": False, "tiles": True, "as the method does": False}
