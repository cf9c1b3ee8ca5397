"""Settings of the pool from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from camera.errors import InputError

VARIABLE = "RESHOOT_RAY"
"""Environment variable: ``auto``, or the address of a Ray cluster; unset for no pool."""
REPLICAS = "RESHOOT_REPLICAS"
"""Environment variable: the most replicas of a method; by default one a GPU, or one where there is none."""
PLACES = "RESHOOT_PLACES"
"""Environment variable: shots of a method that run or wait at the same time; beyond, a visitor is refused."""
SHARED = "RESHOOT_SHARED"
"""Environment variable: set where all machines see the same disk, so that a job may name files."""
AUTO = "auto"


@dataclass(frozen=True)
class PoolSettings:
    """``address``: `AUTO` or a cluster's. ``replicas``: 0 is one a GPU. ``same_disk``: jobs may name own files."""

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
        raise InputError(f"{variable} should be a whole number, it is {text!r}.")
    return int(text)
