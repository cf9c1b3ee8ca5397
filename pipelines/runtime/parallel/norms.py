"""Group norms over values that are split between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipelines.runtime.parallel.exchange import Group
from pipelines.runtime.parallel.wrap import Wrapped


def norm_of_all(norm: nn.GroupNorm, group: Group) -> Wrapped:
    """For `wrap`: ``norm`` of this process's values (B,C,...) with the mean and variance over all processes."""

    def of(forward: Callable[..., Any]) -> Callable[..., Any]:
        def normalise(x: Tensor) -> Tensor:
            precise = x if x.dtype == torch.float64 else x.float()
            parts = precise.unflatten(1, (norm.num_groups, -1)).flatten(2)  # (B,G,n)
            variance, mean = torch.var_mean(parts, dim=2, correction=0)
            mean, variance = _combine_moments(mean.double(), variance.double(), parts.shape[2], group)
            scale = (variance + norm.eps).rsqrt().to(parts.dtype)
            out = ((parts - mean[..., None].to(parts.dtype)) * scale[..., None]).view_as(x)
            shape = (1, -1, *[1] * (x.dim() - 2))
            return (out * norm.weight.view(shape) + norm.bias.view(shape)).to(x.dtype)

        return normalise

    return of


def _combine_moments(mean: Tensor, variance: Tensor, count: int, group: Group) -> tuple[Tensor, Tensor]:
    """Mean and variance (B,G) over all processes from those of each, weighted by their ``count``."""
    moments = torch.stack([mean, variance, torch.full_like(mean, count)])
    gathered = moments.new_empty(group.size * 3, *mean.shape)
    dist.all_gather_into_tensor(gathered, moments)
    group.sent.append((group.size - 1) * moments.nbytes)
    means, variances, counts = gathered.view(group.size, 3, *mean.shape).unbind(1)
    total = counts.sum(0)
    whole = (means * counts).sum(0) / total
    return whole, ((variances + (means - whole) ** 2) * counts).sum(0) / total
