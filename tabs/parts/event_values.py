"""Reads the data that a script of the page sends with an event; untrusted, because anybody can send anything instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

from camera.errors import InputError, json_kind

T = TypeVar("T")
OTHER_PAGE = "The page sent data that this version of the app does not expect; reload the page."
_MOST = 1e6
"""Maximum of frames, radians, distances to the subject: no page sends larger numbers."""


def read_event(event: gr.EventData, **readers: Callable[[Any], Any]) -> list[Any]:
    """Read the named values, each with its function. Raises `InputError` if one is missing or invalid."""
    sent = event._data
    try:
        return [read(sent[name]) for name, read in readers.items()]
    except (TypeError, ValueError, KeyError, IndexError, OverflowError):
        raise InputError(OTHER_PAGE) from None


def whole(value: Any) -> int:
    """Read a whole number."""
    return int(_number(value))


def pair(value: Any) -> tuple[float, float]:
    """Read two numbers."""
    x, y = map(_number, value)
    return x, y


def triple(value: Any) -> tuple[float, float, float]:
    """Read three numbers."""
    x, y, z = map(_number, value)
    return x, y, z


def words(value: Any) -> list[str]:
    """Read a list of texts."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError
    return value


def optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """A reader like ``read`` that also accepts None."""
    return lambda value: None if value is None else read(value)


def choice_of(choices: Mapping[str, T], chosen: Any, what: str) -> T:
    """The value of one of the ``choices``. Raises `InputError` for anything else."""
    if not isinstance(chosen, str) or chosen not in choices:
        given = repr(chosen[:80]) if isinstance(chosen, str) else json_kind(chosen)
        raise InputError(f"{what} must be one of {', '.join(choices)}; got {given}.")
    return choices[chosen]


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > _MOST:
        raise ValueError
    return number
