"""Which rasteriser draws; and that gsplat, which needs a GPU, would be asked as its interface wants."""

from __future__ import annotations

import inspect

import gsplat
import pytest
import torch

from pipelines.reconstruct import splat_drawing
from pipelines.reconstruct.splat_drawing import drawing_on
from pipelines.reconstruct.splat_rasteriser import Gaussians, draw

LENS = torch.tensor([[30.0, 0, 15.5], [0, 30.0, 11.5], [0, 0, 1]])


def some() -> Gaussians:
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(40, 3, generator=generator) + torch.tensor([-0.5, -0.5, 1])
    quaternions, sh = torch.randn(40, 4, generator=generator), torch.randn(40, 4, 3, generator=generator) * 0.3
    return Gaussians(means, quaternions, torch.full((40, 3), -3.0), torch.ones(40), sh)


@pytest.fixture
def as_gsplat(monkeypatch):
    """In gsplat's place: our formulas behind its signature, conventions and answers."""
    signature = inspect.signature(gsplat.rasterization)

    def rasterization(*args, **options):
        given = signature.bind(*args, **options)
        given.apply_defaults()
        asked = given.arguments
        assert asked["render_mode"] == "RGB+ED" and not asked["packed"] and asked["sh_degree"] == 1
        half = torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        g = Gaussians(
            asked["means"], asked["quats"], asked["scales"].log(), asked["opacities"].logit(), asked["colors"]
        )  # fmt: skip
        drawn = draw(g, asked["viewmats"][0], asked["Ks"][0] - half, asked["width"], asked["height"])
        picture = torch.cat([drawn.colour, drawn.depth[..., None]], dim=2)
        about = {"means2d": drawn.places[None], "radii": drawn.seen[None, :, None].expand(1, -1, 2).int()}
        return picture[None], drawn.alpha[None, ..., None], about

    monkeypatch.setattr(gsplat, "rasterization", rasterization)


def test_gsplat_is_asked_for_the_same_picture(as_gsplat):
    g, background = some(), torch.tensor([0.1, 0.2, 0.3])
    ours = draw(g, torch.eye(4), LENS, 32, 24, background=background)
    theirs = splat_drawing._gsplat_draw(g, torch.eye(4), LENS, 32, 24, background=background)
    torch.testing.assert_close(theirs.colour, ours.colour, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(theirs.depth, ours.depth, atol=1e-5, rtol=1e-4)
    assert bool((theirs.seen == ours.seen).all()) and theirs.places.reshape(-1, 2).shape == (40, 2)


def test_the_processor_draws_itself_and_says_so():
    drawing = drawing_on("cpu")
    assert "own rasteriser on the processor" in drawing.words and drawing.device.type == "cpu"
    picture = drawing.draw(some(), torch.eye(4), LENS, 32, 24).colour
    torch.testing.assert_close(picture, draw(some(), torch.eye(4), LENS, 32, 24).colour, atol=1e-5, rtol=1e-4)
