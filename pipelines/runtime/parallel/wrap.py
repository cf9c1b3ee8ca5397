"""Temporary wrappers of a module's ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

Wrapped = Callable[[Callable[..., Any]], Callable[..., Any]]


def wrap(module: Any, wrapped: Wrapped, undo: ExitStack) -> None:
    """Replace the module's ``forward`` by ``wrapped(forward)`` until ``undo``."""
    before = module.__dict__.get("forward")
    module.forward = wrapped(module.forward)

    def restore() -> None:
        if before is None:
            del module.forward
        else:
            module.forward = before

    undo.callback(restore)
