"""Losses, weights and ellipse against the arrays of DimensionX's code."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from pipelines.media.image_metrics import psnr, ssim
from pipelines.reconstruct.gaussians.ellipse_path import ellipse
from pipelines.reconstruct.gaussians.loss import l1, perceptual, photometric, photometric_reference, weights_of


@pytest.fixture(scope="module")
def upstream(golden):
    with np.load(golden / "dimensionx" / "gs3d.npz") as file:
        return {name: file[name] for name in file.files}


def test_the_weighted_loss_and_its_gradient_are_upstreams(upstream):
    render, frame, weight = (torch.tensor(upstream[name]) for name in ("render", "gt", "conf"))
    render.requires_grad_()
    for value, name in (
        (l1(render, frame), "l1"), (ssim(render, frame), "ssim"), (l1(render, frame, weight), "conf_l1"),
        (ssim(render, frame, weight), "conf_ssim"), (photometric(render, frame), "loss_plain"),
    ):  # fmt: skip
        assert abs(value.item() - float(upstream[name])) < 1e-5, name
    loss = photometric(render, frame, weight)
    loss.backward()
    assert abs(loss.item() - float(upstream["loss_conf"])) < 1e-5
    assert render.grad is not None
    np.testing.assert_allclose(render.grad.numpy(), upstream["grad_render"], atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_compiled_loss_and_its_gradient_are_the_readable_ones(weighted):
    generator = torch.Generator().manual_seed(0)
    frame, weight = torch.rand(3, 23, 31, generator=generator), torch.rand(23, 31, generator=generator)
    weight[5:9] = 0
    render = (frame + 0.2 * torch.randn(3, 23, 31, generator=generator)).requires_grad_()
    found = []
    for loss in (photometric, photometric_reference):
        render.grad = None
        value = loss(render, frame, weight if weighted else None)
        (3 * value).backward()
        assert render.grad is not None
        found.append((value.item(), render.grad.clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-4 * float(found[1][1].abs().max()), rtol=1e-4)


def test_the_weight_of_a_confidence(upstream):
    given = torch.tensor(upstream["conf_map_in"])
    np.testing.assert_array_equal(weights_of(given, "upstream").numpy(), upstream["conf_weight_out"])
    linear = weights_of(given)
    assert float(linear.min()) == 0 and float(linear.max()) == 1
    assert bool((linear.flatten()[given.flatten().argsort()].diff() >= 0).all())


def test_psnr_of_a_known_error():
    assert psnr(torch.full((3, 4, 4), 0.6), torch.full((3, 4, 4), 0.5)) == pytest.approx(20, abs=1e-3)


def test_lpips_is_asked_for_the_pictures_as_they_are_where_the_package_is(monkeypatch):
    """Upstream passes it pictures in 0..1; the network's own weights are unchanged. A substitute replaces the package."""

    class LPIPS(torch.nn.Conv2d):
        def __init__(self, net: str, verbose: bool) -> None:
            super().__init__(3, 4, 3)
            assert net == "vgg" and not verbose

        def forward(self, first, second):
            assert first.shape == second.shape == (1, 3, 8, 9) and first.min() >= 0 and first.max() <= 1
            return (super().forward(first) - super().forward(second)).square().mean((1, 2, 3), keepdim=True)

    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=LPIPS))
    perceptual.cache_clear()
    distance = perceptual("cpu")
    perceptual.cache_clear()
    render = torch.rand(3, 8, 9).requires_grad_()
    value = distance(render, torch.rand(3, 8, 9))
    value.backward()
    assert value.shape == () and render.grad is not None and float(render.grad.abs().sum()) > 0
    assert float(distance(render, render.detach())) == 0


def test_the_fly_through_is_upstreams_up_to_where_it_begins(upstream):
    given = CameraPath(np.linalg.inv(upstream["ellipse_in_w2c"]), pinhole(64, 48, 60), 64, 48)
    flight = ellipse(given)
    turn, shift = upstream["ellipse_out_R_T"][:, :, :3], upstream["ellipse_out_R_T"][:, :, 3]
    centres = -(turn @ shift[..., None])[..., 0]
    apart = np.linalg.norm(centres[:, None] - flight.centres, axis=2)
    which = apart.argmin(axis=1)
    assert sorted(which) == list(range(120)) and apart.min(axis=1).max() < 1e-4
    np.testing.assert_allclose(flight.world_from_camera[which, :3, :3], turn, atol=1e-4)
    assert np.argmin(np.linalg.norm(flight.centres - given.centres[0], axis=1)) == 0


def test_cameras_in_a_line_have_no_ellipse():
    poses = np.repeat(np.eye(4)[None], 5, axis=0)
    poses[:, 0, 3] = np.arange(5)
    with pytest.raises(InputError, match="are not on one line"):
        ellipse(CameraPath(poses, pinhole(64, 48, 60), 64, 48))
