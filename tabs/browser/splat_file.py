"""Quantised Gaussian splats for the browser's renderer: about 34 bytes each, plus 6 for each harmonic beyond the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pipelines.splats.splats import Splats

MOST_BYTES = 64 << 20
"""Size limit of the file; larger scenes drop harmonics first, then the least visible splats."""
PLAIN_BYTES, HARMONIC_BYTES = 28, 6
"""Bytes of a splat without colours, and of each of its harmonics."""
DEGREES = (16, 9, 4, 1)
"""Number of harmonics of the degrees 3 to 0."""


def pack_splats(splats: Splats, add: Callable[[bytes], tuple[int, int]]) -> dict[str, Any]:
    """Pack the splats for `drawing/splats.js`; ``add`` appends bytes and returns their position. The most visible splats come first.

    Positions are float32; logarithms of sizes 16 bits between ``low`` and ``high``; quaternions and opacities 16 bits; harmonics
    float16.
    """
    count, harmonics = choose_detail(len(splats), splats.sh.shape[1])
    chosen = splats.chosen(_by_size(splats)[:count])
    low, high = float(chosen.log_scales.min()), float(chosen.log_scales.max())
    sizes = (chosen.log_scales - low) / max(high - low, 1e-9) * 65535
    turns = chosen.quaternions / np.linalg.norm(chosen.quaternions, axis=1, keepdims=True) * 32767
    parts = {
        "means": chosen.means.astype("<f4"),
        "sizes": sizes.round().astype("<u2"),
        "turns": turns.round().astype("<i2"),
        "opacities": (chosen.opacities * 65535).round().astype("<u2"),
        "colours": chosen.sh[:, :harmonics].astype("<f2"),
    }
    facts = {"count": count, "harmonics": harmonics, "low": low, "high": high}
    return facts | {name: add(np.ascontiguousarray(values).tobytes()) for name, values in parts.items()}


def choose_detail(count: int, harmonics: int) -> tuple[int, int]:
    """Number of splats of ``count`` that are sent, and number of their ``harmonics``."""
    fitting = [
        few for few in DEGREES if few <= harmonics and count * (PLAIN_BYTES + HARMONIC_BYTES * few) <= MOST_BYTES
    ]
    if fitting:
        return count, fitting[0]
    return min(count, MOST_BYTES // (PLAIN_BYTES + HARMONIC_BYTES)), 1


def describe_loss(splats: Splats) -> str:
    """A sentence on which splats the page draws if it does not draw all of them; otherwise empty."""
    count, harmonics = choose_detail(len(splats), splats.sh.shape[1])
    if count < len(splats):
        return f"the {count:,} most visible of {len(splats):,} splats; a rehearsal draws all"
    if harmonics < splats.sh.shape[1]:
        return "splats with fewer harmonics; a rehearsal draws all"
    return ""


def _by_size(splats: Splats) -> NDArray[np.int64]:
    """Indices by opacity times area, largest first."""
    sizes = np.sort(splats.log_scales, axis=1)[:, 1:].sum(axis=1)
    return np.argsort(-(np.log(splats.opacities + 1e-9) + sizes), kind="stable")
