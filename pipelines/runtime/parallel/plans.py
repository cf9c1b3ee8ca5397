"""How a network is split between GPUs, declared in its attribute ``parallel_plan``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Lengths = Callable[..., tuple[int, ...]]
"""Of a network's arguments, how many tokens each sequence has that is split."""


@dataclass(frozen=True)
class TokenPlan:
    """How a transformer's tokens are split: diffusers' plan, the ``lengths`` of a call's sequences, attention heads.

    ``branches``: whether a step's two branches of guidance go through `pipelines.runtime.parallel.branches`.
    """

    modules: Mapping[str, Any]
    lengths: Lengths
    heads: int
    branches: bool = True


@dataclass(frozen=True)
class FramePlan:
    """How a UNet's frames are split: ``inputs`` names arguments and the axis of their frames; the first is positional.

    ``gather``: whether the output (B,F,...) becomes whole again, False where another split network takes it. ``branches``: as of `TokenPlan`.
    """

    inputs: Mapping[str, int]
    gather: bool = True
    branches: bool = False


Plan = TokenPlan | FramePlan
