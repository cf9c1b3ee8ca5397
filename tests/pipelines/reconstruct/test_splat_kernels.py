"""The compiled CPU code of a fit equals torch: Adam's steps, and the colours of each frame."""

from __future__ import annotations

import pytest
import torch

from pipelines.reconstruct.gaussians.adam import adam
from pipelines.reconstruct.gaussians.cameras import correct_colour_reference
from pipelines.reconstruct.gaussians.colour_correction import correct_colour


@pytest.mark.parametrize("eps", [1e-8, 1e-15])
def test_compiled_steps_are_those_of_torchs_adam(eps):
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(50, 3, generator=generator).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    unused = torch.ones(2, requires_grad=True)
    compiled = adam([{"params": [ours], "lr": 1e-2}, {"params": [unused], "lr": 1.0}], eps=eps)
    reference = torch.optim.Adam([{"params": [theirs], "lr": 1e-2}], eps=eps)
    assert not isinstance(compiled, torch.optim.Adam)
    for step in range(30):
        gradient = torch.randn(50, 3, generator=generator) * 1e-4
        gradient[step:] = 0
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        compiled.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 1e-2 * 0.9**step
        compiled.step()
        reference.step()
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for name in ("exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(compiled.state[ours][name], reference.state[theirs][name], rtol=1e-4, atol=0)
    assert bool((unused == 1).all())


def test_compiled_colours_and_their_gradients_are_the_readable_ones():
    generator = torch.Generator().manual_seed(0)
    picture, correction, pull = (torch.randn(*shape, generator=generator) for shape in ((7, 9, 3), (3, 4), (7, 9, 3)))
    found = []
    for function in (correct_colour, correct_colour_reference):
        colour, own = picture.clone().requires_grad_(), correction.clone().requires_grad_()
        shown = function(colour, own)
        (shown * pull).sum().backward()
        found.append((shown.detach(), colour.grad, own.grad))
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
