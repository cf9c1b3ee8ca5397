"""Aligns an estimated depth map with a known one, as GEN3C does before it adds a new frame to its cache."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray

from camera.errors import InputError

Alignment = Literal["rigid", "non_rigid"]

STEPS = 100
RATE = 1e-3
SMOOTHNESS = 0.1


def align(
    depth: NDArray[np.float32],
    known_depth: NDArray[np.float32],
    known: NDArray[np.bool_],
    *,
    intrinsics: ArrayLike,
    camera_from_world: ArrayLike,
    method: Alignment = "non_rigid",
) -> NDArray[np.float32]:
    """``depth`` (H,W) scaled to match ``known_depth`` (H,W) at the pixels where ``known`` (H,W) is True.

    "rigid": scale and offset of the inverse depth, by least squares between the 10 % and 90 % quantiles.
    "non_rigid": then a smooth map of scale factors, fitted by 100 steps of Adam to the distance between the points.
    ``intrinsics`` (3,3), ``camera_from_world`` (4,4). Raises `InputError` if there is no known depth to align with.
    """
    source, target = torch.as_tensor(depth, dtype=torch.float32), torch.as_tensor(known_depth, dtype=torch.float32)
    mask = torch.as_tensor(known, dtype=torch.bool)
    if not bool((mask & (target > 0)).any()):
        raise InputError("The new picture does not overlap the known points, so its depth cannot be aligned.")
    source = _rigid(source, target, mask)
    if method == "non_rigid":
        source = _non_rigid(source, target, mask, _axis_sums(source, intrinsics, camera_from_world))
    return source.numpy()


def _rigid(source: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    s, t = 1 / source, 1 / target
    low_s, high_s = torch.quantile(s[s > 0], torch.tensor([0.1, 0.9]))
    low_t, high_t = torch.quantile(t[mask & (target > 0)], torch.tensor([0.1, 0.9]))
    inliers = (s > low_s) & (s < high_s) & (t > low_t) & (t < high_t)
    if int(inliers.sum()) < 2:
        inliers = mask & (target > 0) & (source > 0)
    columns = torch.stack([s[inliers], torch.ones_like(s[inliers])], dim=1)
    a, b = torch.linalg.lstsq(columns, t[inliers][:, None], driver="gelsd").solution[:, 0]
    return 1 / (s * a + b)


def _axis_sums(like: torch.Tensor, intrinsics: ArrayLike, camera_from_world: ArrayLike) -> torch.Tensor:
    """(H,W): how far a pixel's point moves per unit of depth, summed over the three axes (L1).

    GEN3C measures the distance in axes rotated by the camera-from-world rotation; along one ray this is the depth
    difference times a constant per pixel.
    """
    y, x = np.mgrid[: like.shape[0], : like.shape[1]]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(np.asarray(intrinsics, np.float64)).T
    rotated = rays @ np.asarray(camera_from_world, np.float64)[:3, :3].T
    return torch.as_tensor(np.abs(rotated).sum(axis=-1), dtype=torch.float32)


def _non_rigid(source: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, axis_sums: torch.Tensor) -> torch.Tensor:
    factors = torch.ones_like(source, requires_grad=True)
    optimiser = torch.optim.Adam([factors], lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        distance = ((source * factors - target).abs() * axis_sums)[mask].mean() / 3
        blurred = F.avg_pool2d(factors[None, None], 3, stride=1, padding=1)[0, 0]
        loss = distance + SMOOTHNESS * (blurred - factors).abs().mean()
        loss.backward()
        optimiser.step()
    return (source * factors).detach()
