"""The rasteriser against plain Python with its formulas, gsplat's own arrays, numerical gradients, and its compiled version."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from camera.evaluation.paths import Similarity
from camera.rotation import look_at
from pipelines.splats import kernel, projection
from pipelines.splats.rasterizer import Gaussians, composite_tiles, draw, harmonics, project
from pipelines.splats.splats import SH_C0

LENS = torch.tensor([[20.0, 0, 9.5], [0, 20.0, 6.5], [0, 0, 1]])
SIZE = (20, 14)


def some(n: int, degree: int = 1, dtype=torch.float32, seed: int = 1) -> Gaussians:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tensors = (
        normal(n, 3) * torch.tensor([0.5, 0.35, 0.5]) + torch.tensor([0, 0, 2.5]), normal(n, 4), normal(n, 3) * 0.4 - 2,
        normal(n) + 1, normal(n, (degree + 1) ** 2, 3) * 0.5,
    )  # fmt: skip
    return Gaussians(*(tensor.to(dtype) for tensor in tensors))


def pose(dtype=torch.float32) -> torch.Tensor:
    made = torch.eye(4, dtype=dtype)
    made[:3, :3] = torch.tensor([[0.96, 0, 0.28], [0, 1, 0], [-0.28, 0, 0.96]])
    made[:3, 3] = torch.tensor([-0.5, 0.1, 0.2])
    return made


def by_hand(g: Gaussians, camera, lens, x: int, y: int):
    """Colour, alpha and expected depth of one pixel, in scalar arithmetic."""
    seen = []
    centre = -camera[:3, :3].T @ camera[:3, 3]
    for mean, q, s, o, sh in zip(*(np.asarray(t, float) for t in g)):
        local = camera[:3, :3] @ mean + camera[:3, 3]
        if local[2] <= 0.01:
            continue
        w, i, j, k = q / math.sqrt(sum(q * q))
        turn = np.array([
            [1 - 2 * (j * j + k * k), 2 * (i * j - w * k), 2 * (i * k + w * j)],
            [2 * (i * j + w * k), 1 - 2 * (i * i + k * k), 2 * (j * k - w * i)],
            [2 * (i * k - w * j), 2 * (j * k + w * i), 1 - 2 * (i * i + j * j)],
        ])  # fmt: skip
        covariance = camera[:3, :3] @ turn @ np.diag(np.exp(2 * s)) @ turn.T @ camera[:3, :3].T
        slope = []
        for axis, side in ((0, SIZE[0]), (1, SIZE[1])):
            middle, focal = lens[axis, 2] + 0.5, lens[axis, axis]
            slope.append(
                np.clip(local[axis] / local[2], -(middle + 0.15 * side) / focal, (1.15 * side - middle) / focal)
            )
        jacobian = np.array([
            [lens[0, 0] / local[2], 0, -lens[0, 0] * slope[0] / local[2]],
            [0, lens[1, 1] / local[2], -lens[1, 1] * slope[1] / local[2]],
        ])  # fmt: skip
        flat = jacobian @ covariance @ jacobian.T + 0.3 * np.eye(2)
        away = np.array([x, y]) - (lens @ local / local[2])[:2]
        alpha = min(0.999, 1 / (1 + math.exp(-o)) * math.exp(-0.5 * away @ np.linalg.inv(flat) @ away))
        x1, y1, z1 = (mean - centre) / np.linalg.norm(mean - centre)
        basis = [SH_C0, -0.4886025119029199 * y1, 0.4886025119029199 * z1, -0.4886025119029199 * x1]
        colour = np.maximum(0, 0.5 + sum(b * c for b, c in zip(basis, sh)))
        seen.append((local[2], alpha, colour))
    light, colour, depth = 1.0, np.zeros(3), 0.0
    for z, alpha, own in sorted(seen, key=lambda each: each[0]):
        if alpha < 1 / 255:
            continue
        if light * (1 - alpha) <= 1e-4:
            break
        colour, depth, light = colour + light * alpha * own, depth + light * alpha * z, light * (1 - alpha)
    return colour, 1 - light, depth / max(1 - light, 1e-10)


@pytest.mark.parametrize("composite", [composite_tiles, kernel.composite_spans])
def test_pixels_are_what_the_formulas_say(composite):
    g = some(30)
    g = g._replace(logit_opacities=torch.where(torch.arange(30) < 8, 12.0, g.logit_opacities))  # some absorb all light
    drawn = draw(g, pose(), LENS, *SIZE, composite=composite)
    assert drawn.colour.shape == (14, 20, 3)
    for x, y in ((0, 0), (9, 6), (10, 7), (19, 13), (7, 8), (12, 4)):
        colour, alpha, depth = by_hand(g, pose().numpy().astype(float), LENS.numpy().astype(float), x, y)
        np.testing.assert_allclose(drawn.colour[y, x], colour, atol=2e-4)
        assert abs(float(drawn.alpha[y, x]) - alpha) < 2e-4
        assert abs(float(drawn.depth[y, x]) - depth) < 1e-3 * max(depth, 1)


def test_the_projection_is_gsplats(golden):
    """Arrays from the torch functions of gsplat 1.5.3, whose pixel centres are at half-integers."""
    with np.load(golden / "gsplat" / "projection.npz") as file:
        know = {name: torch.tensor(file[name]) for name in file.files}
    g = Gaussians(
        know["means"], know["quaternions"], know["scales"].log(), torch.zeros(len(know["means"])), know["sh"][:, :1]
    )  # fmt: skip
    lens = know["intrinsics_half_pixel"] - torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    flat = project(g, know["camera_from_world"], lens, int(know["width"]), int(know["height"]))
    seen = know["radii"].amin(dim=1) > 0
    assert 5 < int(seen.sum()) < 35 and bool((seen == (flat.reach[:, 0] > 0)).all())
    torch.testing.assert_close(flat.pixels[seen], know["means2d"][seen] - 0.5, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(flat.conics[seen], know["conics"][seen], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(flat.depths, know["depths"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(flat.reach[seen], know["radii"][seen].float())
    for degree in range(4):
        count = (degree + 1) ** 2
        ours = torch.einsum("nk,nkc->nc", harmonics(know["means"], count), know["sh"][:, :count])
        torch.testing.assert_close(ours, know[f"sh_degree_{degree}"], rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    g = some(3, dtype=torch.float64, seed=3)
    camera, lens = pose(torch.float64), torch.tensor([[6.0, 0, 2], [0, 6, 1.5], [0, 0, 1]], dtype=torch.float64)

    def picture(*tensors):
        drawn = draw(Gaussians(*tensors[:5]), tensors[5], lens, 5, 4)
        return drawn.colour, drawn.alpha, drawn.depth

    inputs = [tensor.clone().requires_grad_() for tensor in (*g, camera)]
    assert torch.autograd.gradcheck(picture, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_the_kernel_draws_and_learns_as_the_readable_one():
    found = []
    for composite in (composite_tiles, kernel.composite_spans):
        g = Gaussians(*(tensor.requires_grad_() for tensor in some(200, degree=3)))
        g.logit_opacities.data[:40] = 12
        drawn = draw(g, pose(), LENS, *SIZE, background=torch.ones(3), composite=composite)
        weight = torch.linspace(0, 1, drawn.colour.numel()).reshape(drawn.colour.shape)
        ((drawn.colour * weight).sum() + drawn.depth.sum() + drawn.alpha.square().sum()).backward()
        found.append((drawn, [tensor.grad for tensor in g]))
    (readable, slow), (compiled, fast) = found
    torch.testing.assert_close(compiled.colour, readable.colour, atol=1e-5, rtol=1e-4)
    for a, b in zip(fast, slow):
        torch.testing.assert_close(a, b, atol=1e-3 * float(b.abs().max()), rtol=1e-2)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_compiled_gradients_are_those_of_the_readable_one(degree):
    """Gradients of everything that a fit optimises: Gaussians, cameras, and the positions by which Gaussians multiply."""
    found = []
    for drawer in (draw, projection.draw):
        g = Gaussians(*(tensor.requires_grad_() for tensor in some(200, degree=degree)))
        g.means.data[:20, 0] += 2  # beyond the border
        g.means.data[20:25, 2] = -1  # behind the camera
        g.logit_opacities.data[:10] = 12
        g.logit_opacities.data[30:40] = -8  # too faint to be drawn
        camera = pose().requires_grad_()
        drawn = drawer(g, camera, LENS, *SIZE, background=torch.tensor([0.3, 0.6, 0.9]))
        drawn.places.retain_grad()
        weight = torch.linspace(0, 1, drawn.colour.numel()).reshape(drawn.colour.shape)
        ((drawn.colour * weight).sum() + drawn.depth.sum() + drawn.alpha.square().sum()).backward()
        assert camera.grad is not None
        found.append((drawn, [*(tensor.grad for tensor in g), camera.grad[:3], drawn.places.grad]))
    (readable, slow), (compiled, fast) = found
    assert bool((compiled.seen == readable.seen).all()) and 100 < int(readable.seen.sum()) < 200
    for name in ("colour", "alpha", "depth"):
        torch.testing.assert_close(getattr(compiled, name), getattr(readable, name), atol=2e-5, rtol=1e-4)
    for a, b in zip(fast, slow):
        torch.testing.assert_close(a, b, atol=1e-4 * float(b.abs().max()), rtol=1e-4)


def test_nothing_in_view_draws_the_background():
    g = some(5)
    behind = g._replace(means=g.means * torch.tensor([1.0, 1, -1]))
    for composite in (composite_tiles, kernel.composite_spans):
        drawn = draw(behind, torch.eye(4), LENS, *SIZE, background=torch.tensor([0.2, 0.4, 0.6]), composite=composite)
        assert float(drawn.alpha.max()) == 0 and torch.allclose(drawn.colour, torch.tensor([0.2, 0.4, 0.6]))
        assert not drawn.seen.any()


def test_splats_that_are_placed_elsewhere_look_the_same_from_there():
    splats = some(30, degree=0).splats()
    place = Similarity(2.0, look_at([0.0, 0, 0], [0.3, 0.2, 1]), np.array([1.0, 2, 3]))
    pose_there = np.eye(4)
    pose_here = np.linalg.inv(pose().numpy())
    pose_there[:3, :3] = place.rotation @ pose_here[:3, :3]
    pose_there[:3, 3] = place(pose_here[:3, 3])
    here = draw(Gaussians.of(splats), pose(), LENS, *SIZE)
    there = torch.tensor(np.linalg.inv(pose_there), dtype=torch.float32)
    moved = draw(Gaussians.of(splats.placed(place)), there, LENS, *SIZE)
    torch.testing.assert_close(moved.colour, here.colour, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(moved.depth, 2 * here.depth, atol=1e-3, rtol=1e-3)
