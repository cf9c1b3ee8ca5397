"""Upload limits: declared here, set by environment variables, shown in the page."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from camera.errors import InputError

PREFIX = "RESHOOT_MOST_"
"""Prefix of environment variables, followed by the limit's name in capitals: ``RESHOOT_MOST_MEGAPIXELS=24``."""


@dataclass(frozen=True)
class Budget:
    """``megapixels`` of a picture, which need 4 bytes per pixel plus some 50 MB while it is read; ``clip_megapixels`` of all
    frames of a clip together (3 bytes per pixel); ``files`` in an archive and its unpacked gigabytes."""

    megapixels: int = 64
    clip_megapixels: int = 1074
    files: int = 20_000
    unpacked_gigabytes: int = 8

    @staticmethod
    def of_environment() -> Budget:
        """The limits of this process; raises `InputError` for values that are not positive whole numbers."""
        given = {each.name: os.environ.get(PREFIX + each.name.upper(), "") for each in fields(Budget)}
        return Budget(**{name: _whole(name, text) for name, text in given.items() if text})

    @property
    def words(self) -> str:
        """One sentence for the page."""
        return (
            f"Pictures up to {self.megapixels} megapixels, clips up to {self.clip_megapixels:,} megapixels in all frames "
            f"together, archives up to {self.files:,} files and {self.unpacked_gigabytes} GB unpacked."
        )


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise InputError(f"{PREFIX}{name.upper()} must be a whole number above 0; got {text!r}.")
    return int(text)


BUDGET = Budget.of_environment()
"""The limits of this process."""
