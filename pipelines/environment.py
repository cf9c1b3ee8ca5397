"""Settings of this process from environment variables: methods offered, ZeroGPU."""

from __future__ import annotations

import os
from pathlib import Path

METHODS_VARIABLE = "RESHOOT_METHODS"
"""Environment variable: the methods this process offers, separated by commas; all when not set."""


def offered_methods(names: tuple[str, ...]) -> tuple[str, ...]:
    """The methods among ``names`` that this process offers, see `METHODS_VARIABLE`; raises `ValueError` for an unknown name."""
    wanted = [name.strip() for name in os.environ.get(METHODS_VARIABLE, "").split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in (*names, "all")]:
        raise ValueError(f"{METHODS_VARIABLE} names {unknown[0]!r}; known are all, {', '.join(names)}")
    return names if not wanted or "all" in wanted else tuple(name for name in names if name in wanted)


def is_offered(name: str) -> bool:
    """Whether this process offers the method ``name``, see `METHODS_VARIABLE`."""
    wanted = {each.strip() for each in os.environ.get(METHODS_VARIABLE, "").split(",")} - {""}
    return not wanted or "all" in wanted or name in wanted


def cache_folder(variable: str, name: str = "") -> Path:
    """The folder named by the environment ``variable``, or ``name`` in ``~/.cache/reshoot``."""
    return Path(os.environ.get(variable) or Path("~/.cache/reshoot", name)).expanduser()


def on_zerogpu() -> bool:
    """Whether this process is a Space on ZeroGPU; reads the same variable as the spaces package."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
