"""The compiler for the fast kernels. Import it only from modules that are themselves imported on first use.

Importing numba costs a quarter of a second, so `camera.render.scene`, `camera.unproject` and the others import the modules
with kernels inside their functions. Kernels release the interpreter lock: frames are drawn in parallel by threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable) -> Any:
    """Compile ``function`` on its first call; the compiled code releases the interpreter lock and is cached on disk if possible.

    numba keeps machine code beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR where set);
    where none of these can be written, the function is compiled again in every process. A kernel calls only kernels
    of its own file: the copy on disk is renewed when that file changes, not when another does.
    """
    return _compiled(function, fastmath=False)


def summing_kernel(function: Callable) -> Any:
    """A `kernel` whose sums may be reordered, in the same way in every run, so that loops can use all SIMD lanes."""
    return _compiled(function, fastmath={"reassoc", "nsz", "contract"})


def _compiled(function: Callable, *, fastmath: bool | set[str]) -> Any:
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no place on disk can be written
        return numba.njit(**options)(function)
