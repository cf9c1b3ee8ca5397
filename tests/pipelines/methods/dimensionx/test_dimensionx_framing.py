"""Pictures are framed as in upstream's three programs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.methods.dimensionx.framing import crop_frame_bytes, fit_to_frame


@pytest.fixture(scope="module")
def pictures(golden):
    with np.load(golden / "dimensionx" / "preprocess_images.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("k", range(5))
def test_crop_is_that_of_the_long_orbit(pictures, k):
    got = fit_to_frame(pictures[f"img{k}"], 48, 32)
    np.testing.assert_allclose(got[0], pictures[f"sat_crop{k}"], atol=1e-5)


@pytest.mark.parametrize("k", range(5))
def test_crop_of_bytes_is_that_of_the_training_data(pictures, k):
    picture = torch.from_numpy(pictures[f"img{k}"]).permute(2, 0, 1)
    frames = crop_frame_bytes(torch.stack([picture, picture.flip(-1)]), 48, 32)
    np.testing.assert_allclose((frames.float() - 127.5) / 127.5, pictures[f"train_crop{k}"], atol=1e-6)


@pytest.mark.parametrize("k", range(5))
@pytest.mark.parametrize(("stretch_by", "name"), [("bicubic", "pipe_from_gradio"), ("lanczos", "pipe_direct")])
def test_stretch_is_that_of_the_demo_and_of_the_script(pictures, k, stretch_by, name):
    got = fit_to_frame(pictures[f"img{k}"], 72, 48, fit="stretch", stretch_by=stretch_by)
    np.testing.assert_allclose(got, pictures[f"{name}{k}"], atol=1e-6)


def test_padding_shows_the_whole_picture_between_black_bars():
    got = fit_to_frame(np.full((40, 40, 3), 255, np.uint8), 48, 32, fit="pad")[0]
    assert (got[:, :, :8] == -1).all() and (got[:, :, 40:] == -1).all()
    np.testing.assert_allclose(got[:, :, 8:40], 1, atol=1e-5)
