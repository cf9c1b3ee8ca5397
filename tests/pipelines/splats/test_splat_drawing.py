"""Which rasteriser draws; and that gsplat, whose kernels need a GPU, is called as its own code expects."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import gsplat
import gsplat.rendering
import numpy as np
import pytest
import torch
from gsplat.cuda import _torch_impl
from torch.nn import functional as F

from pipelines.reconstruct.gaussians import fit
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.splats import drawing as splat_drawing
from pipelines.splats.drawing import Drawing, drawing_on
from pipelines.splats.kernel import composite_spans
from pipelines.splats.rasterizer import Gaussians, ProjectedGaussians, draw
from tests.scenes.splat_room import room

LENS = torch.tensor([[30.0, 0, 15.5], [0, 30.0, 11.5], [0, 0, 1]])


def some() -> Gaussians:
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(40, 3, generator=generator) + torch.tensor([-0.5, -0.5, 1])
    quaternions, sh = torch.randn(40, 4, generator=generator), torch.randn(40, 4, 3, generator=generator) * 0.3
    means[0, 2] = -1  # behind the camera
    return Gaussians(means, quaternions, torch.randn(40, 3, generator=generator) * 0.4 - 3, torch.ones(40), sh)


@pytest.fixture
def real_gsplat(monkeypatch):
    """gsplat's own `rasterization`, with torch functions in place of its kernels, and our compositing for the last of them."""

    def project(means, covars, quats, scales, viewmats, lenses, width, height, **given):
        assert covars is None and not given["packed"] and not given["sparse_grad"]
        spread, _ = _torch_impl._quat_scale_to_covar_preci(F.normalize(quats, dim=-1), scales, compute_preci=False)
        return _torch_impl._fully_fused_projection(
            means, spread, viewmats, lenses, width, height, given["eps2d"], given["near_plane"], given["far_plane"]
        )

    def tiles(means2d, radii, depths, size, columns, rows, **_):
        drawn["radii"] = radii
        return radii, radii, radii

    def to_pixels(means2d, conics, colours, opacities, width, height, *_, backgrounds, **__):
        assert backgrounds is None and colours.shape[-1] == 4  # colour and depth
        flat = ProjectedGaussians(means2d[0] - 0.5, conics[0], colours[0, :, 3], drawn["radii"][0].float())
        picture = composite_spans(flat, opacities[0], colours[0], width, height)
        return picture[None, ..., :4], picture[None, ..., 4:]

    drawn: dict[str, torch.Tensor] = {}
    real = gsplat.rendering
    monkeypatch.setattr(real, "fully_fused_projection", project)
    monkeypatch.setattr(real, "isect_tiles", tiles)
    monkeypatch.setattr(
        real, "isect_offset_encode", lambda ids, images, columns, rows: torch.zeros(images, rows, columns)
    )
    monkeypatch.setattr(
        real, "spherical_harmonics", lambda degree, dirs, sh, masks: _torch_impl._spherical_harmonics(degree, dirs, sh)
    )
    monkeypatch.setattr(real, "rasterize_to_pixels", to_pixels)


@pytest.mark.parametrize("background", [torch.tensor([0.1, 0.2, 0.3]), torch.rand(24, 32, 3)])
def test_gsplat_draws_the_same_picture(real_gsplat, background):
    g = some()
    ours = draw(g, torch.eye(4), LENS, 32, 24, background=background)
    theirs = splat_drawing._draw_gsplat(g, torch.eye(4), LENS, 32, 24, background=background)
    torch.testing.assert_close(theirs.colour, ours.colour, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(theirs.alpha, ours.alpha, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(theirs.depth, ours.depth, atol=1e-3, rtol=1e-3)
    assert bool((theirs.seen == ours.seen).all()) and 0 < int(ours.seen.sum()) < 40


def test_what_a_fit_learns_from_gsplat_is_what_it_learns_from_us(real_gsplat):
    learnt = []
    for drawer in (draw, splat_drawing._draw_gsplat):
        g = Gaussians(*(tensor.clone().requires_grad_() for tensor in some()))
        camera = torch.eye(4).requires_grad_()
        drawn = drawer(g, camera, LENS, 32, 24)
        drawn.places.retain_grad()
        (drawn.colour * torch.linspace(0, 1, 32)[:, None]).sum().backward()
        learnt.append([*(tensor.grad for tensor in g), camera.grad[:3], drawn.places.grad.reshape(-1, 2)])
    for ours, theirs in zip(*learnt):
        torch.testing.assert_close(theirs, ours, atol=2e-3 * float(ours.abs().max()), rtol=1e-2)


def test_a_whole_fit_runs_through_gsplat(real_gsplat, monkeypatch):
    frames, path, cloud = room()
    drawing = Drawing(splat_drawing._draw_gsplat, torch.device("cpu"), "drawn by gsplat", 20, 36, 400)
    monkeypatch.setattr(fit, "drawing_on", lambda device: drawing)
    settings = SplatSettings(iterations=20, refine_poses=True, harmonics=1)
    made = [step for step in fit.fit(frames, path, cloud, settings=settings) if isinstance(step, fit.SplatFit)]
    assert made[-1].psnr > made[0].psnr + 1 and made[-1].drawn_by == "drawn by gsplat"
    assert len(made[-1].splats) > 200 and not np.allclose(made[-1].path.centres, path.centres)


def test_who_draws_on_a_gpu_is_said(monkeypatch):
    """This machine has no GPU: only the choice is tested."""
    kernels = "gsplat.cuda._backend"
    monkeypatch.setitem(sys.modules, kernels, SimpleNamespace(_C=object()))
    ready = drawing_on("cuda")
    assert (
        ready.draw is splat_drawing._draw_gsplat and gsplat.__version__ in ready.words and ready.most_splats == 300_000
    )
    monkeypatch.setitem(sys.modules, kernels, SimpleNamespace(_C=None))
    bare = drawing_on("cuda")
    assert bare.draw is draw and "has no kernels for this GPU" in bare.words
    monkeypatch.setitem(sys.modules, kernels, None)
    assert "could not be compiled" in drawing_on("cuda").words
    monkeypatch.setitem(sys.modules, "gsplat", None)
    assert "install gsplat" in drawing_on("cuda").words


def test_the_processor_draws_itself_and_says_so():
    drawing = drawing_on("cpu")
    assert "own rasteriser on the CPU" in drawing.words and drawing.device.type == "cpu"
    picture = drawing.draw(some(), torch.eye(4), LENS, 32, 24).colour
    torch.testing.assert_close(picture, draw(some(), torch.eye(4), LENS, 32, 24).colour, atol=1e-5, rtol=1e-4)
