"""Decorators that compile kernels with numba. Import this only from modules that are themselves imported on first use.

Importing numba takes a quarter of a second, so `camera.render.scene` and others import modules with kernels inside their
functions. Kernels release the interpreter lock, so threads can render frames in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable) -> Any:
    """Compile ``function`` on its first call; the compiled code releases the interpreter lock and is cached on disk if possible.

    numba caches machine code beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR if set). If none
    of these is writable, every process compiles the function again. A kernel may call only kernels of its own file,
    because numba renews the cached code only when that file changes.
    """
    return _compiled(function, fastmath=False)


def summing_kernel(function: Callable) -> Any:
    """A `kernel` in which the compiler may reorder sums, so that loops use SIMD; the order is the same in every run."""
    return _compiled(function, fastmath={"reassoc", "nsz", "contract"})


def _compiled(function: Callable, *, fastmath: bool | set[str]) -> Any:
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no cache folder is writable
        return numba.njit(**options)(function)
