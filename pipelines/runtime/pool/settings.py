"""Settings of the pool from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from camera.errors import InputError

VARIABLE = "RESHOOT_RAY"
"""Environment variable: ``auto``, or the address of a Ray cluster; unset for no pool."""
REPLICAS = "RESHOOT_REPLICAS"
"""Environment variable: maximum number of replicas of a method; by default one per GPU, or one without GPUs."""
PLACES = "RESHOOT_PLACES"
"""Environment variable: maximum number of running and waiting shots of a method; further visitors are refused."""
SHARED = "RESHOOT_SHARED"
"""Environment variable: set if all machines share one disk, so that a job may name files."""
AUTO = "auto"


@dataclass(frozen=True)
class PoolSettings:
    """``address``: `AUTO` or a cluster's. ``replicas``: 0 for one per GPU. ``same_disk``: jobs may name files."""

    address: str
    replicas: int
    places: int
    same_disk: bool


def pool_settings() -> PoolSettings | None:
    """The pool's settings, or None for no pool. Raises `InputError` for invalid numbers."""
    address = os.environ.get(VARIABLE, "").strip()
    if not address:
        return None
    same_disk = address == AUTO or bool(os.environ.get(SHARED))
    return PoolSettings(address, _number(REPLICAS, 0), _number(PLACES, 20), same_disk)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "") or str(default)
    if not text.isdigit():
        raise InputError(f"{variable} must be a whole number; got {text!r}.")
    return int(text)
