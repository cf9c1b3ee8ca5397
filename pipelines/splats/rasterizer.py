"""Rasterizer of Gaussian splats in readable torch: differentiable, on any device, for small pictures.

The formulas are those of 3DGS (Kerbl et al. 2023) as stated in gsplat: the EWA projection of Zwicker et al. (2001)
with a low-pass of `BLUR` square pixels, and alpha compositing from front to back. `pipelines.splats.projection` and
`pipelines.splats.kernel` are faster on a CPU; gsplat replaces both on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.splats.splats import SH_C0, Splats

BLUR = 0.3
"""Added to the variances in the picture, square pixels, so that no Gaussian is thinner than a pixel."""
NEAR, FAR = 0.01, 1e10
"""Range of depths in which Gaussians are drawn, in scene units."""
LEAST_ALPHA, MOST_ALPHA = 1 / 255, 0.999
LEAST_LIGHT = 1e-4
"""A pixel is finished when its transmittance falls below this."""
REACH = 3.33
"""Standard deviations at which a Gaussian of opacity 1 falls below `LEAST_ALPHA`."""
TILE = 8
_BUDGET = 4_000_000
"""Maximum number of pixel-Gaussian pairs composited at once."""


class Gaussians(NamedTuple):
    """The arrays of `Splats` as tensors of one device; any may need gradients."""

    means: Tensor
    quaternions: Tensor
    log_scales: Tensor
    logit_opacities: Tensor
    sh: Tensor

    @staticmethod
    def of(splats: Splats, device: torch.device | str = "cpu") -> Gaussians:
        return Gaussians(*(torch.tensor(getattr(splats, name), device=device) for name in Gaussians._fields))

    def splats(self) -> Splats:
        return Splats(*(tensor.detach().cpu().numpy() for tensor in self))


class ProjectedGaussians(NamedTuple):
    """Gaussians in the picture: ``pixels`` (N,2) centres, ``conics`` (N,3) the inverse covariance's xx, xy, yy,
    ``depths`` (N,) along z, ``reach`` (N,2) extent in whole pixels, 0 if invisible."""

    pixels: Tensor
    conics: Tensor
    depths: Tensor
    reach: Tensor


@dataclass(frozen=True, eq=False)
class RenderedSplats:
    """``colour`` (H,W,3) over black or the given background; ``alpha`` (H,W); ``depth`` (H,W) the expected depth along z,
    0 where empty. ``places`` (N,2) or (1,N,2): image positions of the Gaussians, whose gradient a fit can retain;
    ``seen`` (N,) bool."""

    colour: Tensor
    alpha: Tensor
    depth: Tensor
    places: Tensor
    seen: Tensor


Composite = Callable[[ProjectedGaussians, Tensor, Tensor, int, int], Tensor]
"""(flat, opacities (N,), values (N,C), width, height) to (H,W,C+1): the blended values, and alpha."""


def draw(
    gaussians: Gaussians,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    *,
    background: Tensor | None = None,
    composite: Composite | None = None,
) -> RenderedSplats:
    """Render the view of one camera (4,4) with ``intrinsics`` (3,3), pixel centres at integers. ``background`` (3,) or (H,W,3) in 0..1."""
    flat = project(gaussians, camera_from_world, intrinsics, width, height)
    centre = -camera_from_world[:3, :3].T @ camera_from_world[:3, 3]
    colours = radiance(gaussians.sh, gaussians.means - centre)
    values = torch.cat([colours, flat.depths[:, None]], dim=1)
    blended = (composite or composite_tiles)(flat, gaussians.logit_opacities.sigmoid(), values, width, height)
    colour, weighted, alpha = blended[..., :3], blended[..., 3], blended[..., 4]
    if background is not None:
        colour = colour + (1 - alpha[..., None]) * background
    return RenderedSplats(colour, alpha, weighted / alpha.clamp(min=1e-10), flat.pixels, flat.reach[:, 0] > 0)


# --- from the world to the picture ---------------------------------------------------------------------------------


def project(g: Gaussians, camera_from_world: Tensor, intrinsics: Tensor, width: int, height: int) -> ProjectedGaussians:
    """EWA projection: maps a 3D Gaussian to a 2D Gaussian in the picture by linearising the perspective at its centre."""
    turn = camera_from_world[:3, :3]
    local = g.means @ turn.T + camera_from_world[:3, 3]
    z = local[:, 2]
    ahead = torch.where((z > NEAR) & (z < FAR), z, torch.ones_like(z))
    jacobian = _perspective(local, ahead, intrinsics, width, height)
    spread = jacobian @ turn @ axes(g.quaternions, g.log_scales)
    covariance = spread @ spread.transpose(1, 2)
    xx, xy, yy = covariance[:, 0, 0] + BLUR, covariance[:, 0, 1], covariance[:, 1, 1] + BLUR
    area = (xx * yy - xy * xy).clamp(min=1e-10)
    pixels = (local / ahead[:, None]) @ intrinsics[:2].T
    with torch.no_grad():
        reach = torch.ceil(REACH * torch.stack([xx, yy], dim=1).sqrt())
        limits = torch.tensor([width - 0.5, height - 0.5], dtype=pixels.dtype, device=pixels.device)
        visible = ((pixels + reach > -0.5) & (pixels - reach < limits)).all(dim=1) & (z > NEAR) & (z < FAR)
        reach = reach * visible[:, None]
    return ProjectedGaussians(pixels, torch.stack([yy, -xy, xx], dim=1) / area[:, None], z, reach)


def axes(quaternions: Tensor, log_scales: Tensor) -> Tensor:
    """(N,3,3): columns are the Gaussians' axes times the standard deviations; covariance = axes @ axes^T."""
    w, x, y, z = F.normalize(quaternions, dim=1).unbind(1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=1).reshape(-1, 3, 3) * log_scales.exp()[:, None]


def _perspective(local: Tensor, ahead: Tensor, intrinsics: Tensor, width: int, height: int) -> Tensor:
    """(N,2,3): Jacobian of the pixel by the point; points far outside the picture are clamped to its widened border."""
    focal = intrinsics[[0, 1], [0, 1]]
    edge = torch.tensor([width, height], dtype=local.dtype, device=local.device)
    centre = intrinsics[:2, 2] + 0.5
    slack = 0.15 * edge
    sideways = local[:, :2] / ahead[:, None]
    sideways = torch.minimum(torch.maximum(sideways, -(centre + slack) / focal), (edge - centre + slack) / focal)
    zero = torch.zeros_like(ahead)
    (fx, fy), (u, v) = focal, sideways.unbind(1)
    rows = (fx / ahead, zero, -fx * u / ahead, zero, fy / ahead, -fy * v / ahead)
    return torch.stack(rows, dim=1).reshape(-1, 2, 3)


def radiance(sh: Tensor, towards: Tensor) -> Tensor:
    """Colours (N,3), at least 0, of harmonics (N,K,3) for directions ``towards`` (N,3) from the camera to the Gaussian."""
    return (torch.einsum("nk,nkc->nc", harmonics(towards, sh.shape[1]), sh) + 0.5).clamp(min=0)


def harmonics(directions: Tensor, count: int) -> Tensor:
    """(N,count): real spherical harmonics in the order and with the signs of 3DGS files, for directions of any length."""
    x, y, z = F.normalize(directions, dim=1).unbind(1)
    terms = [torch.full_like(x, SH_C0)]
    if count > 1:
        terms += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    xx, yy, zz = x * x, y * y, z * z
    if count > 4:
        terms += [
            1.0925484305920792 * x * y, -1.0925484305920792 * y * z, 0.31539156525252005 * (2 * zz - xx - yy),
            -1.0925484305920792 * x * z, 0.5462742152960396 * (xx - yy),
        ]  # fmt: skip
    if count > 9:
        terms += [
            -0.5900435899266435 * y * (3 * xx - yy), 2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (4 * zz - xx - yy), 0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
            -0.4570457994644658 * x * (4 * zz - xx - yy), 1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ]  # fmt: skip
    return torch.stack(terms, dim=1)


# --- from Gaussians in the picture to pixels -----------------------------------------------------------------------


class Overlaps(NamedTuple):
    """The Gaussians that overlap each tile: ``members`` (P,) sorted by tile and depth; tile t has ``counts[t]`` of them, from
    ``starts[t]`` on. Tiles are `TILE` pixels square, numbered in rows of ``columns``."""

    members: Tensor
    starts: Tensor
    counts: Tensor
    columns: int
    rows: int


@torch.no_grad()
def overlaps(flat: ProjectedGaussians, width: int, height: int) -> Overlaps:
    columns, rows = -(-width // TILE), -(-height // TILE)
    order = torch.argsort(flat.depths)
    order = order[flat.reach[order, 0] > 0]
    last = torch.tensor([columns - 1, rows - 1], device=order.device)
    zero = torch.zeros_like(last)
    low = torch.floor((flat.pixels[order] - flat.reach[order]) / TILE).long().clamp(zero, last)
    high = torch.floor((flat.pixels[order] + flat.reach[order]) / TILE).long().clamp(zero, last)
    wide, tall = (high - low + 1).unbind(1)
    each = torch.repeat_interleave(torch.arange(len(order), device=order.device), wide * tall)
    within = torch.arange(len(each), device=order.device) - (torch.cumsum(wide * tall, 0) - wide * tall)[each]
    tile = (low[each, 1] + within // wide[each]) * columns + low[each, 0] + within % wide[each]
    by_tile = torch.argsort(tile, stable=True)
    counts = torch.bincount(tile, minlength=columns * rows)
    return Overlaps(order[each[by_tile]], torch.cumsum(counts, 0) - counts, counts, columns, rows)


def composite_tiles(flat: ProjectedGaussians, opacities: Tensor, values: Tensor, width: int, height: int) -> Tensor:
    """See `Composite`. Tiles with similar numbers of Gaussians are composited together."""
    found = overlaps(flat, width, height)
    shape = (found.columns * found.rows, TILE * TILE, values.shape[1] + 1)
    picture = values.new_zeros(shape)
    for tiles in _batches(found.counts):
        slots = torch.arange(int(found.counts[tiles].max()), device=values.device)
        there = slots < found.counts[tiles, None]
        members = found.members[torch.where(there, found.starts[tiles, None] + slots, 0)]
        weights = _weights(flat, opacities, members, there, _pixels_of(tiles, found.columns).to(flat.pixels))
        alpha = weights.sum(dim=2, keepdim=True)
        picture = picture.index_copy(0, tiles, torch.cat([weights @ values[members], alpha], dim=2))
    whole = picture.reshape(found.rows, found.columns, TILE, TILE, -1).transpose(1, 2)
    return whole.reshape(found.rows * TILE, found.columns * TILE, -1)[:height, :width]


def _weights(flat: ProjectedGaussians, opacities: Tensor, members: Tensor, there: Tensor, pixels: Tensor) -> Tensor:
    """(T,P,K): weight of each of a tile's K ``members`` (T,K), nearest first, in each of its P ``pixels`` (T,P,2)."""
    dx, dy = (pixels[:, :, None] - flat.pixels[members][:, None]).unbind(3)
    xx, xy, yy = flat.conics[members][:, None].unbind(3)
    exponent = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    alpha = (opacities[members][:, None] * torch.exp(-exponent)).clamp(max=MOST_ALPHA)
    alpha = torch.where(there[:, None] & (exponent >= 0) & (alpha >= LEAST_ALPHA), alpha, 0)
    passed = torch.exp(torch.cumsum(torch.log1p(-alpha), dim=2))
    before = torch.cat([torch.ones_like(passed[..., :1]), passed[..., :-1]], dim=2)
    return torch.where(passed > LEAST_LIGHT, alpha * before, 0)


def _batches(counts: Tensor) -> Iterator[Tensor]:
    """Indices of the non-empty tiles, in groups of similar counts that fit the budget."""
    order = torch.argsort(counts, descending=True)
    order = order[counts[order] > 0]
    while len(order):
        size = max(_BUDGET // (int(counts[order[0]]) * TILE * TILE), 1)
        yield order[:size]
        order = order[size:]


def _pixels_of(tiles: Tensor, columns: int) -> Tensor:
    """(T,P,2): x and y of a tile's pixels."""
    inner = torch.arange(TILE * TILE, device=tiles.device)
    x = (tiles % columns)[:, None] * TILE + inner % TILE
    y = (tiles // columns)[:, None] * TILE + inner // TILE
    return torch.stack([x, y], dim=2)
