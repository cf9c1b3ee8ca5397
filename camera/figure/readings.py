"""The eight possible conventions of raw matrices as small drawings of the path, most likely first, so that a user can choose by eye.

Each drawing is a top view (x to the right, z up the page) in its own scale: the camera's path from the grey dot on, and short lines
along its view direction. A convention in which the matrices are not poses says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.research.arrays import rigid
from camera.formats.research.matrices import CONVENTIONS, find_likeliest, poses_of
from camera.path import spread_indices

SIDE, GAP, MARGIN, LINE = 150, 14, 16, 16
"""In pixels: side of a drawing, gap between drawings, margin within one, height of a text line."""
COLUMNS, LOOKS = 4, 7
_WAY, _LOOK, _START, _INK = "#e8590c", "#1c7ed6", "#868e96", "currentColor"


@dataclass(frozen=True, eq=False)
class Reading:
    """One convention. ``poses`` (F,4,4) world from camera, OpenCV axes; None if the matrices are not poses in this convention.
    ``reason``: only for the most likely one."""

    convention: str
    poses: NDArray[np.float64] | None
    reason: str = ""


def rank_readings(matrices: NDArray[np.float64], name: str, best: tuple[str, str] | None = None) -> list[Reading]:
    """All readings of ``matrices`` (F,4,4), most likely first, or ``best`` and its reason first. Raises `InputError` if none gives poses."""
    first, reason = best or find_likeliest(matrices, name)
    order = [first, *(each for each in CONVENTIONS if each != first)]
    return [Reading(each, _poses(matrices, each, name), reason if each == first else "") for each in order]


def draw_readings(found: list[Reading]) -> str:
    """Drawings of the readings in ``found`` side by side, with their names, as one SVG; the first has a thicker frame."""
    rows = -(-len(found) // COLUMNS)
    width, height = COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + LINE + GAP) + GAP + LINE
    tiles = [
        f'<g transform="translate({GAP + number % COLUMNS * (SIDE + GAP)} {GAP + number // COLUMNS * (SIDE + LINE + GAP)})">'
        f"{_tile(each, likeliest=number == 0)}</g>"
        for number, each in enumerate(found)
    ]
    words = f"Likeliest: {found[0].convention}, because {found[0].reason}."
    last = f'<text x="{GAP}" y="{height - GAP / 2:.0f}" font-size="12" fill="{_INK}">{escape(words)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="sans-serif">{"".join(tiles)}{last}</svg>'
    )


def _poses(matrices: NDArray[np.float64], convention: str, name: str) -> NDArray[np.float64] | None:
    last = matrices[:, :, 3] if CONVENTIONS[convention].transposed else matrices[:, 3]
    if np.abs(last - [0, 0, 0, 1]).max() > 1e-4:
        return None
    try:
        return rigid(poses_of(matrices, convention), name)
    except (InputError, np.linalg.LinAlgError):
        return None


def _tile(reading: Reading, *, likeliest: bool) -> str:
    weight = 2 if likeliest else 0.5
    frame = f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="{_INK}" stroke-width="{weight}"/>'
    name = f'<text x="0" y="{SIDE + LINE - 4}" font-size="11" fill="{_INK}">{reading.convention}</text>'
    if reading.poses is None:
        return f'{frame}<text x="{SIDE / 2}" y="{SIDE / 2}" font-size="11" text-anchor="middle" fill="{_START}">no poses</text>{name}'
    return frame + _way(reading.poses) + name


def _way(poses: NDArray[np.float64]) -> str:
    """Top view of the path, fitted to the tile."""
    centres, ahead = poses[:, [0, 2], 3], poses[:, [0, 2], 2]
    extent = max(float(np.ptp(centres, axis=0).max()), 1e-9)
    chosen = spread_indices(len(poses), LOOKS)
    ends = centres[chosen] + 0.3 * extent * ahead[chosen]
    everything = np.concatenate([centres, ends])
    low, size = everything.min(axis=0), max(float(np.ptp(everything, axis=0).max()), 1e-9)

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = (points - low) / size * (SIDE - 2 * MARGIN) + MARGIN
        return np.stack([flat[:, 0], SIDE - flat[:, 1]], axis=1)

    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in place(centres))
    looks = "".join(
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{_LOOK}"/>'
        for a, b in zip(place(centres[chosen]), place(ends))
    )
    x, y = place(centres[:1])[0]
    return (
        f'{looks}<polyline points="{way}" fill="none" stroke="{_WAY}" stroke-width="2"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_START}"/>'
    )
