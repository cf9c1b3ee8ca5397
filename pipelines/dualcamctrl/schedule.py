"""Noise levels of a run: Euler flow matching on explicit sigmas (1 is noise, 0 is picture)."""

from __future__ import annotations

import numpy as np
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from numpy.typing import NDArray

from camera.errors import InputError

_SHARES = {"early": (1, 1, 4), "mid": (1, 4, 1), "late": (4, 1, 1)}
"""Of the steps, for sigmas 1 to 0.9, 0.9 to 0.75 and 0.75 to 0."""
_EDGES = (1.0, 0.9, 0.75, 0.0)


def sigmas(steps: int, *, shift: float = 5.0, stage: str = "naive") -> NDArray[np.float64]:
    """Falling sigmas, one per evaluation of the network; the last step leads to 0.

    "naive" gives ``steps`` of them: s = 1 - i/steps, shifted to shift*s / (1 + (shift-1)*s). The stages ignore ``shift``,
    are linear between the edges 1, 0.9, 0.75 and 0, and give a few less than ``steps`` (47 for 50), because upstream drops
    doubled edges and pads the end with zeros, which change nothing and are left out here.
    """
    if stage == "naive":
        linear = 1 - np.arange(steps) / steps
        return shift * linear / (1 + (shift - 1) * linear)
    if stage not in _SHARES:
        raise InputError(f"Unknown schedule {stage!r}; choose naive, {', '.join(_SHARES)}.")
    points = [steps * share // 6 for share in _SHARES[stage]]
    points[0] = steps - points[1] - points[2]
    parts = [
        np.linspace(start, end, max(count - 1, 1), endpoint=False)
        for start, end, count in zip(_EDGES[:-1], _EDGES[1:], points, strict=True)
    ]
    return np.concatenate(parts)


def scheduler(
    steps: int, *, shift: float = 5.0, stage: str = "naive", device: object = None
) -> FlowMatchEulerDiscreteScheduler:
    """diffusers' Euler scheduler on these very sigmas; its own ``set_timesteps(steps)`` is off by up to 69 (steps = 50)."""
    euler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    euler.set_timesteps(sigmas=sigmas(steps, shift=shift, stage=stage).tolist(), device=device)  # type: ignore[arg-type]
    return euler
