"""GEN3C's forward warp as a readable reference: plain torch, one formula per line, on any device.

The fast kernels (`camera.render.forward_splat`, `camera.unproject`, `camera.depth_edges`, `camera.cache3d.occlusion`) are tested and
timed against these functions, and these against arrays computed by GEN3C's own code (arXiv 2503.03751, section 3).

Layout: B pictures of H x W. World-to-camera matrices (B,4,4) and intrinsics (B,3,3) in pixels, pixel centres at
integers, OpenCV axes. Images are in [-1,1], and -1 at unknown pixels; masks are 1 at known pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 50.0
"""How strongly a nearer point outweighs a farther one at the same pixel."""
LARGEST_EXPONENT = 80.0
"""Cap of the exponent in the depth weight, for 32-bit floats."""
TOLERANCE = 0.02
"""Depth (scene units) behind the foreground mesh from which a point is hidden."""


@dataclass(frozen=True, eq=False)
class Warp:
    """``image`` (B,3,H,W), ``mask`` (B,1,H,W) of 0 and 1, ``depth`` (B,H,W) with 0 where unknown, ``flow`` (B,2,H,W)."""

    image: Tensor
    mask: Tensor
    depth: Tensor
    flow: Tensor


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(H,W,3): (x, y, 1) of every pixel."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], dim=-1).to(like)


def unproject(
    depth: Tensor, camera_from_world: Tensor, intrinsics: Tensor, *, depth_is: str = "z", mask: Tensor | None = None
) -> Tensor:
    """World points (B,H,W,3) of ``depth`` (B,1,H,W); (0,0,0) where depth is not positive or ``mask`` is 0.

    ``depth_is``: "z" along the camera's axis, or "distance" along the ray.
    """
    height, width = depth.shape[-2:]
    rays = pixel_grid(height, width, depth) @ torch.linalg.inv(intrinsics)[:, None].mT
    if depth_is == "distance":
        rays = rays / (rays.norm(dim=-1, keepdim=True) + 1e-8)
    camera = rays * depth[:, 0, :, :, None]
    world_from_camera = torch.linalg.inv(camera_from_world)
    world = camera @ world_from_camera[:, None, :3, :3].mT + world_from_camera[:, None, None, :3, 3]
    valid = depth[:, 0] > 0 if mask is None else mask[:, 0].bool()
    return torch.where(valid[..., None], world, 0)


def project(points: Tensor, camera_from_world: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
    """Homogeneous pixels and camera coordinates, each (B,H,W,3), of world points (B,H,W,3)."""
    camera = points @ camera_from_world[:, None, :3, :3].mT + camera_from_world[:, None, None, :3, 3]
    return camera @ intrinsics[:, None].mT, camera


def depth_weight(z: Tensor) -> Tensor:
    """Divisor of a point's weight at depth ``z`` (B,1,H,W); the scale is the largest depth of the WHOLE batch."""
    logarithm = torch.log1p(z.clamp(min=0))
    exponent = SHARPNESS * logarithm / (logarithm.max() + 1e-7)
    return torch.exp(exponent.clamp(max=LARGEST_EXPONENT)) + 1e-7


def bilinear_splat(
    values: Tensor, mask: Tensor, z: Tensor, flow: Tensor, *, empty: float = -1.0
) -> tuple[Tensor, Tensor]:
    """Move every pixel of ``values`` (B,C,H,W) by ``flow`` (B,2,H,W) and distribute it among the four nearest pixels.

    ``mask`` and ``z``: (B,1,H,W). Returns the weighted mean (``empty`` where the weight is zero) and the mask of nonzero
    weight. Corners are floor and ceiling: a point exactly on a pixel centre gives all four shares to that pixel.
    """
    batch, channels, height, width = values.shape
    grid = pixel_grid(height, width, flow)[..., :2].permute(2, 0, 1)
    position = flow + grid + 1  # a border of one pixel collects points outside the picture
    limit = torch.tensor([width + 1, height + 1]).to(flow)[:, None, None]
    low, high = position.floor().clamp(min=0).minimum(limit), position.ceil().clamp(min=0).minimum(limit)
    position = position.clamp(min=0).minimum(limit)
    strength = mask[:, 0] / depth_weight(z)[:, 0]
    total = values.new_zeros(batch * (height + 2) * (width + 2), channels + 1)
    source = torch.cat([values, torch.ones_like(mask)], dim=1).permute(0, 2, 3, 1).reshape(-1, channels + 1)
    first = torch.arange(batch)[:, None, None].to(values.device) * (height + 2)
    shares = {"low": 1 - (position - low), "high": 1 - (high - position)}
    corners = {"low": low.long(), "high": high.long()}
    for side_x in ("low", "high"):
        for side_y in ("low", "high"):
            weight = strength * shares[side_x][:, 0] * shares[side_y][:, 1]
            index = (first + corners[side_y][:, 1]) * (width + 2) + corners[side_x][:, 0]
            total.index_add_(0, index.reshape(-1), source * weight.reshape(-1, 1))
    total = total.reshape(batch, height + 2, width + 2, channels + 1)[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
    weight = total[:, -1:]
    known = weight > 0
    return torch.where(known, total[:, :-1] / weight, empty), known.to(values.dtype)


def forward_warp(
    image: Tensor,
    points: Tensor,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    *,
    mask: Tensor | None = None,
    boundary: Tensor | None = None,
) -> Warp:
    """Render ``image`` (B,3,H,W), whose pixels are the world ``points`` (B,H,W,3), from other cameras.

    ``mask`` (B,1,H,W): pixels to use. ``boundary`` (B,H,W) bool: depth edges of the source; if given, pixels behind the
    mesh over them are removed.
    """
    height, width = image.shape[-2:]
    pixels, camera = project(points, camera_from_world, intrinsics)
    z = pixels[..., 2]
    flow = (pixels[..., :2] / (z[..., None] + 1e-7)).permute(0, 3, 1, 2)
    flow = flow - pixel_grid(height, width, image)[..., :2].permute(2, 0, 1)
    z = z[:, None]
    mask = (torch.ones_like(z) if mask is None else mask) * (z > 0)
    colour, known = bilinear_splat(image, mask, z, flow)
    depth, _ = bilinear_splat(z, mask, z, flow, empty=0.0)
    colour, depth = colour.clamp(-1, 1), depth[:, 0]
    if boundary is not None:
        for i in range(len(image)):
            hidden = behind_foreground(depth[i], camera[i], boundary[i], intrinsics[i])
            colour[i, :, hidden], known[i, :, hidden], depth[i, hidden] = -1.0, 0.0, 0.0
    return Warp(colour, known, depth, flow)


def reliable_depth(depth: Tensor, threshold: float = 0.05) -> Tensor:
    """(B,1,H,W) bool: positive depth whose 5x5 neighbourhood spans less than ``threshold`` of its mean.

    The mean includes zeros beyond the border, so fewer border pixels pass.
    """
    largest = F.max_pool2d(depth, 5, stride=1, padding=2)
    smallest = -F.max_pool2d(-depth, 5, stride=1, padding=2)
    mean = F.avg_pool2d(depth, 5, stride=1, padding=2)
    return ((largest - smallest) / (mean + 1e-6) < threshold) & (depth > 0)


def boundary_mesh(points: Tensor, boundary: Tensor) -> tuple[Tensor, Tensor]:
    """Vertices (V,3) and triangles (T,3) of the 2x2 cells of ``points`` (h,w,3) that touch ``boundary`` (h,w)."""
    height, width = boundary.shape
    index = torch.arange(height * width).to(points.device).reshape(height, width)
    touched = boundary[:-1, :-1] | boundary[:-1, 1:] | boundary[1:, :-1] | boundary[1:, 1:]
    top_left, top_right = index[:-1, :-1][touched], index[:-1, 1:][touched]
    bottom_left, bottom_right = index[1:, :-1][touched], index[1:, 1:][touched]
    first = torch.stack([top_left, top_right, bottom_left], dim=-1)
    second = torch.stack([top_right, bottom_right, bottom_left], dim=-1)
    used, triangles = torch.unique(torch.cat([first, second]), return_inverse=True)
    return points.reshape(-1, 3)[used], triangles


def ray_directions(height: int, width: int, intrinsics: Tensor) -> Tensor:
    """(H,W,3): unit directions through the pixels, in camera coordinates."""
    return F.normalize(pixel_grid(height, width, intrinsics) @ torch.linalg.inv(intrinsics).mT, dim=-1)


def mesh_distance(vertices: Tensor, triangles: Tensor, rays: Tensor) -> Tensor:
    """Distance (N,) from the origin along ``rays`` (N,3) to the first triangle, 0 where none is hit.

    Moeller and Trumbore (1997), two-sided, every ray against every triangle.
    """
    nearest = torch.full((len(rays),), torch.inf).to(rays)
    for a, b, c in vertices[triangles]:
        edge1, edge2 = b - a, c - a
        normal = torch.linalg.cross(rays, edge2.expand_as(rays))
        determinant = normal @ edge1
        inverse = 1 / determinant
        u = -(normal @ a) * inverse
        across = torch.linalg.cross(-a, edge1)
        v = (rays @ across) * inverse
        distance = (edge2 @ across) * inverse
        hit = (determinant.abs() >= 1e-8) & (u >= 0) & (u <= 1) & (v >= 0) & (u + v <= 1) & (distance > 1e-8)
        nearest = torch.where(hit & (distance < nearest), distance, nearest)
    return torch.where(nearest.isinf(), 0, nearest)


def foreground_mesh(camera_points: Tensor, boundary: Tensor) -> tuple[Tensor, Tensor]:
    """Vertices and triangles over the depth edges of points (H,W,3), at a quarter of the resolution."""
    height, width = boundary.shape
    size = (height // 4, width // 4)
    points = F.interpolate(camera_points.permute(2, 0, 1)[None], size, mode="bilinear")[0].permute(1, 2, 0)
    edges = F.interpolate(boundary[None, None].to(points), size, mode="nearest")[0, 0] > 0
    return boundary_mesh(points, edges)


def behind_foreground(depth: Tensor, camera_points: Tensor, boundary: Tensor, intrinsics: Tensor) -> Tensor:
    """(H,W) bool: pixels of the rendered ``depth`` (H,W) that are behind the mesh over the source's depth edges."""
    height, width = depth.shape
    vertices, triangles = foreground_mesh(camera_points, boundary)
    rays = ray_directions(height, width, intrinsics)
    mesh = mesh_distance(vertices, triangles, rays.reshape(-1, 3)).reshape(height, width) * rays[..., 2]
    return (mesh > 0) & (mesh + TOLERANCE < depth)
