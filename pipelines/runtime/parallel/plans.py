"""How a network is split between GPUs, declared in its attribute ``parallel_plan``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Lengths = Callable[..., tuple[int, ...]]
"""Function of a network's arguments: the number of tokens of each split sequence."""


@dataclass(frozen=True)
class TokenPlan:
    """How a transformer's tokens are split: diffusers' plan, the ``lengths`` of a call's sequences, the number of attention heads.

    ``branches``: whether the two guidance branches of a step use `pipelines.runtime.parallel.branches`.
    """

    modules: Mapping[str, Any]
    lengths: Lengths
    heads: int
    branches: bool = True


@dataclass(frozen=True)
class FramePlan:
    """How a UNet's frames are split: ``inputs`` names arguments and the axis of their frames; the first is positional.

    ``gather``: whether the output (B,F,...) is gathered; False if another split network takes it. ``branches``: see `TokenPlan`.
    """

    inputs: Mapping[str, int]
    gather: bool = True
    branches: bool = False


Plan = TokenPlan | FramePlan
