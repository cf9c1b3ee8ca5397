"""Projection of Gaussians on a CPU, compiled, with its gradients: faster `pipelines.splats.rasterizer.project` and `radiance`.

One pass over the Gaussians computes their position, shape, opacity and colour in the picture, and one backward pass computes
the gradients of the parameters and the pose. Imports the compiler, so import this module only on first use.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camera.kernel import kernel
from pipelines.splats.kernel import composite_spans, plain, put_over
from pipelines.splats.rasterizer import BLUR, FAR, NEAR, REACH, Gaussians, ProjectedGaussians, RenderedSplats
from pipelines.splats.splats import SH_C0

_WIDENED = 0.15
"""Perspective is clamped at this share of a side outside the picture's border; see `rasterizer.project`."""


def draw(
    gaussians: Gaussians,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    *,
    background: Tensor | None = None,
) -> RenderedSplats:
    """Like `pipelines.splats.rasterizer.draw`; float32 on the CPU. The lens gets no gradient."""
    pixels, conics, values, opacities, reach = _Projected.apply(
        *gaussians, camera_from_world, intrinsics, width, height
    )  # type: ignore[misc]
    flat = ProjectedGaussians(pixels, conics, values.detach()[:, 3], reach)
    behind = values.new_zeros(3) if background is None else background
    colour, depth, alpha = put_over(composite_spans(flat, opacities, values, width, height), behind)
    return RenderedSplats(colour, alpha, depth, pixels, reach[:, 0] > 0)


class _Projected(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, means: Tensor, quaternions: Tensor, log_scales: Tensor, logits: Tensor, sh: Tensor, pose: Tensor,
        lens: Tensor, width: int, height: int,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        arrays = tuple(map(plain, (means, quaternions, log_scales, logits, sh, pose, lens)))
        count = len(means)
        found = tuple(np.zeros((count, size), np.float32) for size in (2, 3, 4, 1, 2))
        _project(*arrays, width, height, *found)
        pixels, conics, values, opacities, reach = map(torch.from_numpy, found)
        ctx.saved, ctx.size = (arrays, found[4]), (width, height)
        ctx.mark_non_differentiable(reach)
        return pixels, conics, values, opacities[:, 0], reach

    @staticmethod
    def backward(ctx: Any, *given: Tensor):  # type: ignore[override]
        arrays, reach = ctx.saved
        found = tuple(map(np.zeros_like, arrays[:5]))
        d_pose = np.zeros((4, 4))
        _unproject(*arrays, *ctx.size, reach, *map(plain, given[:4]), *found, d_pose)
        return (*map(torch.from_numpy, found), torch.from_numpy(d_pose.astype(np.float32)), None, None, None)


@kernel
def _project(
    means, quaternions, log_scales, logits, sh, pose, lens, width, height, pixels, conics, values, opacities, reach
):
    """Fill the last five arguments; invisible Gaussians keep zeros."""
    turned, axes, basis = np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32), np.zeros(16, np.float32)
    local, jacobian, centre = np.zeros(3, np.float32), np.zeros(6, np.float32), _centre(pose)
    for i in range(len(means)):
        _to_camera(means, i, pose, local)
        z = local[2]
        if not (z > NEAR and z < FAR):
            continue
        px = (lens[0, 0] * local[0] + lens[0, 1] * local[1]) / z + lens[0, 2]
        py = (lens[1, 0] * local[0] + lens[1, 1] * local[1]) / z + lens[1, 2]
        _perspective(local, lens, width, height, jacobian)
        _axes(quaternions, log_scales, i, axes)
        xx, xy, yy = _spread(jacobian, pose, axes, turned)
        wide, tall = math.ceil(REACH * math.sqrt(xx)), math.ceil(REACH * math.sqrt(yy))
        if px + wide <= -0.5 or py + tall <= -0.5 or px - wide >= width - 0.5 or py - tall >= height - 0.5:
            continue
        area = max(np.float64(xx) * yy - np.float64(xy) * xy, 1e-10)
        pixels[i, 0], pixels[i, 1] = px, py
        conics[i, 0], conics[i, 1], conics[i, 2] = yy / area, -xy / area, xx / area
        reach[i, 0], reach[i, 1] = wide, tall
        opacities[i, 0] = np.float32(1) / (np.float32(1) + np.float32(math.exp(-logits[i])))
        _basis(means, i, centre, basis, sh.shape[1])
        for c in range(3):
            values[i, c] = max(_colour(sh, i, c, basis), np.float32(0))
        values[i, 3] = z


@kernel
def _unproject(
    means, quaternions, log_scales, logits, sh, pose, lens, width, height, reach, d_pixels, d_conics, d_values, d_opacities,
    d_means, d_quaternions, d_log_scales, d_logits, d_sh, d_pose,
):  # fmt: skip
    """Gradients of `_project`'s inputs from those of its outputs; ``d_pose`` (4,4) in float64, the others as the inputs."""
    turned, axes, basis = np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32), np.zeros(16, np.float32)
    local, jacobian, centre = np.zeros(3, np.float32), np.zeros(6, np.float32), _centre(pose)
    d_turned, d_axes, d_local = np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32), np.zeros(3, np.float32)
    d_basis, d_sight = np.zeros(16, np.float32), np.zeros(3, np.float32)
    moved = np.zeros((2, 3), np.float32)
    for i in range(len(means)):
        if reach[i, 0] == 0:
            continue
        _to_camera(means, i, pose, local)
        _perspective(local, lens, width, height, jacobian)
        _axes(quaternions, log_scales, i, axes)
        xx, xy, yy = _spread(jacobian, pose, axes, turned)
        _shape_back(xx, xy, yy, d_conics, i, turned, d_turned)
        for r in range(2):
            for c in range(3):
                moved[r, c] = (
                    _jacobian_entry(jacobian, r, 0) * pose[0, c]
                    + _jacobian_entry(jacobian, r, 1) * pose[1, c]
                    + _jacobian_entry(jacobian, r, 2) * pose[2, c]
                )
        for r in range(3):
            for c in range(3):
                d_axes[r, c] = moved[0, r] * d_turned[0, c] + moved[1, r] * d_turned[1, c]
        _axes_back(quaternions, log_scales, i, axes, d_axes, d_quaternions, d_log_scales)
        _place_back(local, lens, jacobian, axes, d_turned, pose, width, height, d_pixels, d_values, i, d_local, d_pose)
        opacity = np.float32(1) / (np.float32(1) + np.float32(math.exp(-logits[i])))
        d_logits[i] = d_opacities[i] * opacity * (np.float32(1) - opacity)
        away = _basis(means, i, centre, basis, sh.shape[1])
        _colour_back(sh, i, basis, d_values, d_sh, d_basis)
        _sight_back(means, i, centre, away, d_basis, sh.shape[1], d_sight)
        for c in range(3):
            toward = pose[0, c] * d_local[0] + pose[1, c] * d_local[1] + pose[2, c] * d_local[2]
            d_means[i, c] = toward + d_sight[c]
            for r in range(3):
                d_pose[r, c] += d_local[r] * means[i, c] + pose[r, 3] * d_sight[c]
                d_pose[r, 3] += pose[r, c] * d_sight[c]
            d_pose[c, 3] += d_local[c]


# --- place and shape -----------------------------------------------------------------------------------------------


@kernel
def _centre(pose):
    """(3,): position of the camera."""
    centre = np.zeros(3, np.float32)
    for c in range(3):
        centre[c] = -(pose[0, c] * pose[0, 3] + pose[1, c] * pose[1, 3] + pose[2, c] * pose[2, 3])
    return centre


@kernel
def _to_camera(means, i, pose, local):
    for r in range(3):
        local[r] = pose[r, 0] * means[i, 0] + pose[r, 1] * means[i, 1] + pose[r, 2] * means[i, 2] + pose[r, 3]


@kernel
def _limits(lens, axis, side):
    """The range of slopes to which perspective is clamped."""
    middle = lens[axis, 2] + np.float32(0.5)
    slack = np.float32(_WIDENED) * np.float32(side)
    return -(middle + slack) / lens[axis, axis], (np.float32(side) - middle + slack) / lens[axis, axis]


@kernel
def _perspective(local, lens, width, height, jacobian):
    """Derivatives of the pixel by the point: x by x and z in ``jacobian`` 0 and 1, y by y and z in 2 and 3; the slopes in 4 and 5."""
    z = local[2]
    for axis in range(2):
        low, high = _limits(lens, axis, width if axis == 0 else height)
        slope = min(max(local[axis] / z, low), high)
        jacobian[2 * axis], jacobian[2 * axis + 1] = lens[axis, axis] / z, -lens[axis, axis] * slope / z
        jacobian[4 + axis] = slope


@kernel
def _jacobian_entry(jacobian, row, column):
    if column == 2:
        return jacobian[2 * row + 1]
    return jacobian[2 * row] if column == row else np.float32(0)


@kernel
def _axes(quaternions, log_scales, i, axes):
    """Rotation matrix of a Gaussian, its columns multiplied by the standard deviations."""
    w, x, y, z = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    length = max(math.sqrt(w * w + x * x + y * y + z * z), 1e-12)
    w, x, y, z = np.float32(w / length), np.float32(x / length), np.float32(y / length), np.float32(z / length)
    two, one = np.float32(2), np.float32(1)
    axes[0, 0], axes[0, 1], axes[0, 2] = one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)
    axes[1, 0], axes[1, 1], axes[1, 2] = two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)
    axes[2, 0], axes[2, 1], axes[2, 2] = two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)
    for c in range(3):
        size = np.float32(math.exp(log_scales[i, c]))
        for r in range(3):
            axes[r, c] *= size


@kernel
def _spread(jacobian, pose, axes, turned):
    """The covariance xx, xy, yy in the picture; ``turned`` (2,3): the Gaussian's projected axes."""
    for c in range(3):
        x = pose[0, 0] * axes[0, c] + pose[0, 1] * axes[1, c] + pose[0, 2] * axes[2, c]
        y = pose[1, 0] * axes[0, c] + pose[1, 1] * axes[1, c] + pose[1, 2] * axes[2, c]
        z = pose[2, 0] * axes[0, c] + pose[2, 1] * axes[1, c] + pose[2, 2] * axes[2, c]
        turned[0, c] = jacobian[0] * x + jacobian[1] * z
        turned[1, c] = jacobian[2] * y + jacobian[3] * z
    xx, xy, yy = np.float32(BLUR), np.float32(0), np.float32(BLUR)
    for c in range(3):
        xx += turned[0, c] * turned[0, c]
        xy += turned[0, c] * turned[1, c]
        yy += turned[1, c] * turned[1, c]
    return xx, xy, yy


@kernel
def _shape_back(xx, xy, yy, d_conics, i, turned, d_turned):
    """Gradient from the inverse covariance to the Gaussian's projected axes: -C G C for the inverse C."""
    area = max(np.float64(xx) * yy - np.float64(xy) * xy, 1e-10)
    a, b, c = yy / area, -xy / area, xx / area
    g, h, k = np.float64(d_conics[i, 0]), np.float64(d_conics[i, 1]) / 2, np.float64(d_conics[i, 2])
    d_xx = -(a * a * g + 2 * a * b * h + b * b * k)
    d_xy = -2 * (a * b * g + (a * c + b * b) * h + b * c * k)
    d_yy = -(b * b * g + 2 * b * c * h + c * c * k)
    for j in range(3):
        d_turned[0, j] = 2 * d_xx * turned[0, j] + d_xy * turned[1, j]
        d_turned[1, j] = 2 * d_yy * turned[1, j] + d_xy * turned[0, j]


@kernel
def _axes_back(quaternions, log_scales, i, axes, d_axes, d_quaternions, d_log_scales):
    d = np.zeros((3, 3), np.float32)
    for c in range(3):
        size, along = np.float32(math.exp(log_scales[i, c])), np.float32(0)
        for r in range(3):
            along += d_axes[r, c] * axes[r, c]
            d[r, c] = d_axes[r, c] * size
        d_log_scales[i, c] = along
    w, x, y, z = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
    length = np.float32(max(math.sqrt(w * w + x * x + y * y + z * z), 1e-12))
    w, x, y, z = w / length, x / length, y / length, z / length
    two = np.float32(2)
    d_w = two * (x * (d[2, 1] - d[1, 2]) + y * (d[0, 2] - d[2, 0]) + z * (d[1, 0] - d[0, 1]))
    d_x = two * (
        y * (d[0, 1] + d[1, 0]) + z * (d[0, 2] + d[2, 0]) + w * (d[2, 1] - d[1, 2]) - two * x * (d[1, 1] + d[2, 2])
    )
    d_y = two * (
        x * (d[0, 1] + d[1, 0]) + z * (d[1, 2] + d[2, 1]) + w * (d[0, 2] - d[2, 0]) - two * y * (d[0, 0] + d[2, 2])
    )
    d_z = two * (
        x * (d[0, 2] + d[2, 0]) + y * (d[1, 2] + d[2, 1]) + w * (d[1, 0] - d[0, 1]) - two * z * (d[0, 0] + d[1, 1])
    )
    along = w * d_w + x * d_x + y * d_y + z * d_z
    d_quaternions[i, 0], d_quaternions[i, 1] = (d_w - w * along) / length, (d_x - x * along) / length
    d_quaternions[i, 2], d_quaternions[i, 3] = (d_y - y * along) / length, (d_z - z * along) / length


@kernel
def _place_back(
    local, lens, jacobian, axes, d_turned, pose, width, height, d_pixels, d_values, i, d_local, d_pose,
):  # fmt: skip
    """Fill ``d_local``, the gradient by the point in camera coordinates, and add to the rotation part of ``d_pose``."""
    z = local[2]
    d_local[2] = d_values[i, 3]
    for axis in range(2):
        d_local[axis] = (lens[0, axis] * d_pixels[i, 0] + lens[1, axis] * d_pixels[i, 1]) / z
    for axis in range(2):
        d_local[2] -= d_local[axis] * local[axis] / z
    for axis in range(2):
        d_own, d_far = np.float32(0), np.float32(0)
        for c in range(3):
            own = pose[axis, 0] * axes[0, c] + pose[axis, 1] * axes[1, c] + pose[axis, 2] * axes[2, c]
            far = pose[2, 0] * axes[0, c] + pose[2, 1] * axes[1, c] + pose[2, 2] * axes[2, c]
            d_own += d_turned[axis, c] * own
            d_far += d_turned[axis, c] * far
            for k in range(3):
                d_pose[axis, k] += jacobian[2 * axis] * d_turned[axis, c] * axes[k, c]
                d_pose[2, k] += jacobian[2 * axis + 1] * d_turned[axis, c] * axes[k, c]
        d_local[2] -= (d_own * jacobian[2 * axis] + d_far * jacobian[2 * axis + 1]) / z
        low, high = _limits(lens, axis, width if axis == 0 else height)
        if low < local[axis] / z < high:
            d_slope = -d_far * lens[axis, axis] / z
            d_local[axis] += d_slope / z
            d_local[2] -= d_slope * local[axis] / (z * z)


# --- colour --------------------------------------------------------------------------------------------------------


@kernel
def _colour(sh, i, c, basis):
    """Colour before clamping at 0."""
    total = np.float32(0.5)
    for k in range(sh.shape[1]):
        total += basis[k] * sh[i, k, c]
    return total


@kernel
def _colour_back(sh, i, basis, d_values, d_sh, d_basis):
    d_basis[:] = 0
    for c in range(3):
        if _colour(sh, i, c, basis) <= 0:
            continue
        for k in range(sh.shape[1]):
            d_sh[i, k, c] = basis[k] * d_values[i, c]
            d_basis[k] += sh[i, k, c] * d_values[i, c]


@kernel
def _sight(means, i, centre):
    """Direction and distance from the camera to the Gaussian."""
    x, y, z = means[i, 0] - centre[0], means[i, 1] - centre[1], means[i, 2] - centre[2]
    away = np.float32(max(math.sqrt(x * x + y * y + z * z), 1e-12))
    return x / away, y / away, z / away, away


@kernel
def _basis(means, i, centre, basis, count):
    """Fill the harmonics as in `rasterizer.harmonics`; returns the distance of the Gaussian."""
    x, y, z, away = _sight(means, i, centre)
    basis[0] = SH_C0
    if count > 1:
        basis[1], basis[2], basis[3] = -_A * y, _A * z, -_A * x
    xx, yy, zz = x * x, y * y, z * z
    if count > 4:
        basis[4], basis[5], basis[6] = _B * x * y, -_B * y * z, _C * (2 * zz - xx - yy)
        basis[7], basis[8] = -_B * x * z, _D * (xx - yy)
    if count > 9:
        basis[9], basis[10], basis[11] = -_E * y * (3 * xx - yy), _F * x * y * z, -_G * y * (4 * zz - xx - yy)
        basis[12] = _H * z * (2 * zz - 3 * xx - 3 * yy)
        basis[13], basis[14], basis[15] = -_G * x * (4 * zz - xx - yy), _F / 2 * z * (xx - yy), -_E * x * (xx - 3 * yy)
    return away


@kernel
def _sight_back(means, i, centre, away, d, count, d_sight):
    """Fill ``d_sight``: the gradient by the Gaussian's position relative to the camera, through its colour only."""
    x, y, z, _ = _sight(means, i, centre)
    g, h, k = np.float64(0), np.float64(0), np.float64(0)
    if count > 1:
        g, h, k = -_A * d[3], -_A * d[1], _A * d[2]
    xx, yy, zz = x * x, y * y, z * z
    if count > 4:
        g += _B * y * d[4] - 2 * _C * x * d[6] - _B * z * d[7] + 2 * _D * x * d[8]
        h += _B * x * d[4] - _B * z * d[5] - 2 * _C * y * d[6] - 2 * _D * y * d[8]
        k += -_B * y * d[5] + 4 * _C * z * d[6] - _B * x * d[7]
    if count > 9:
        g += -6 * _E * x * y * d[9] + _F * y * z * d[10] + 2 * _G * x * y * d[11] - 6 * _H * x * z * d[12]
        g += -_G * (4 * zz - 3 * xx - yy) * d[13] + _F * x * z * d[14] - 3 * _E * (xx - yy) * d[15]
        h += -3 * _E * (xx - yy) * d[9] + _F * x * z * d[10] - _G * (4 * zz - xx - 3 * yy) * d[11]
        h += -6 * _H * y * z * d[12] + 2 * _G * x * y * d[13] - _F * y * z * d[14] + 6 * _E * x * y * d[15]
        k += _F * x * y * d[10] - 8 * _G * y * z * d[11] + _H * (6 * zz - 3 * xx - 3 * yy) * d[12]
        k += -8 * _G * x * z * d[13] + _F / 2 * (xx - yy) * d[14]
    along = x * g + y * h + z * k
    d_sight[0], d_sight[1], d_sight[2] = (g - x * along) / away, (h - y * along) / away, (k - z * along) / away


_A = 0.4886025119029199
_B, _C, _D = 1.0925484305920792, 0.31539156525252005, 0.5462742152960396
_E, _F = 0.5900435899266435, 2.890611442640554
_G, _H = 0.4570457994644658, 0.3731763325901154
"""Constants of the harmonics of degree 1, 2 and 3."""
