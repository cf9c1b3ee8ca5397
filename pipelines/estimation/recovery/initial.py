"""Initial cameras of the keyframes from tracks alone: several two-view motions, each extended to all keyframes.

A single initial pair can be misleading: a large object moves along with the camera, the picture is nearly flat, or the lens
is unknown. So several pairs are tried. For each, the motion that most points agree on and the motion that most of the
remaining points agree on are estimated (five-point algorithm, Nister 2004), with several focal lengths if the lens is free.
The other keyframes are resected, all cameras are adjusted briefly, and those with the least robust error over all tracks win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.estimation.recovery.adjust import (
    Cameras,
    adjust,
    free_parameters,
    pnp,
    reprojection_errors,
    triangulate,
)
from pipelines.estimation.recovery.follow import Observations

PAIRS, APART = 4, 2
"""Number of initial pairs to try; any two of them differ by more than `APART` keyframes at one end."""
LEAST_SHARED, MOST_COUNTED = 40, 300
"""Points that a pair must share, and the number above which more make no difference."""
PAIR_PX = 1.0
"""Tolerance of the five-point algorithm."""
FOCALS = (0.75, 1.1, 1.6, 2.4)
"""Initial guesses of a free focal length, in picture widths: 67 to 24 degrees."""
POINTS, ROUNDS = 500, 6
"""Number of points (those with the longest tracks) and iterations of the brief adjustments."""
LEAST_ANGLE, GOOD_PX = 1.0, 4.0
"""A point is used if its rays differ by so many degrees and its error is below so many pixels."""
LEAST_SEEN, ENOUGH_SEEN = 12, 0.7
"""Known points that a keyframe must contain to be resected; those with this share of the best one's are resected together."""
RATED_PX, LOST_PX = 0.3, 8.0
"""Scale of the loss by which cameras are compared, and the largest error, which is also used for observations in keyframes without a camera."""
PARTS = 8, 5
"""Columns and rows of parts of the picture that have equal weight."""


@dataclass(frozen=True, eq=False)
class InitialCameras:
    """``cameras`` of the ``placed`` keyframes (P,), ascending; ``cost``: mean robust error of all observations, lost ones included."""

    cameras: Cameras
    placed: NDArray[np.int64]
    cost: float


def find_initial(
    seen: Observations, count: int, rotating: Cameras, size: tuple[int, int], focal: float | None
) -> InitialCameras | None:
    """Initial cameras of ``count`` keyframes from the tracks ``seen`` in them; None if no pair shares enough points.

    ``rotating``: the rotating camera that fits them; ``size``: width and height; ``focal`` fixes the lens.
    """
    seen = seen.seen_at_least(3)
    found = [rate(*each, seen, count, size) for each in _candidates(seen, count, rotating, size, focal)]
    return min(found, key=lambda each: each.cost, default=None)


def rate(
    cameras: Cameras, placed: NDArray[np.int64], seen: Observations, count: int, size: tuple[int, int]
) -> InitialCameras:
    """The ``cameras`` of the ``placed`` keyframes, out of ``count``, with the cost of the tracks ``seen`` in them.

    Every part of the picture has the same weight, however many points it contains, so a small textured object has no majority.
    """
    own = _seen_twice(seen, placed)
    kept = seen.among(placed).seen_at_least(2)
    points, _ = triangulate(cameras, kept)
    square = np.full(len(seen.point), LOST_PX**2)
    square[own] = np.minimum((reprojection_errors(cameras, points, kept) ** 2).sum(axis=1), LOST_PX**2)
    weight = _share_of_parts(seen, size)
    return InitialCameras(cameras, placed, float(weight @ np.log1p(square / RATED_PX**2)))


def _seen_twice(seen: Observations, placed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,): observations in ``placed`` keyframes of points that at least two of these show."""
    own = np.isin(seen.frame, placed)
    return own & (np.bincount(seen.point[own], minlength=seen.count) >= 2)[seen.point]


def _share_of_parts(seen: Observations, size: tuple[int, int]) -> NDArray[np.float64]:
    """(N,): weights of the observations, which add up to one; every part of a frame that contains any has the same total weight."""
    column, row = np.clip(seen.pixel / size * PARTS, 0, np.array(PARTS) - 1).astype(int).T
    _, part, count = np.unique(
        (seen.frame * PARTS[1] + row) * PARTS[0] + column, return_inverse=True, return_counts=True
    )
    return 1 / count[part] / len(count)


def adjust_briefly(
    cameras: Cameras, placed: NDArray[np.int64], seen: Observations, *, free_lens: bool
) -> tuple[Cameras, NDArray[np.int64]]:
    """``cameras`` of the ``placed`` keyframes after two short adjustments to the tracks that roughly agree with them."""
    own = seen.among(placed).seen_at_least(3).longest(POINTS)
    free = free_parameters(len(placed), lens=np.ones((len(placed), 1)) if free_lens else None)
    for _ in range(2):
        points, wide = triangulate(cameras, own)
        miss = np.minimum(np.linalg.norm(reprojection_errors(cameras, points, own), axis=1), 5 * GOOD_PX)
        mean = np.bincount(own.point, miss, own.count) / np.bincount(own.point, minlength=own.count)
        agreeing = own.where(((mean < GOOD_PX) & (wide > LEAST_ANGLE))[own.point])
        if agreeing.count < LEAST_SEEN:
            break
        cameras = adjust(cameras, triangulate(cameras, agreeing)[0], agreeing, free, rounds=ROUNDS).cameras
    return cameras, placed


def _candidates(
    seen: Observations, count: int, rotating: Cameras, size: tuple[int, int], focal: float | None
) -> Iterator[tuple[Cameras, NDArray[np.int64]]]:
    middle = (np.array(size) - 1) / 2
    for pair in choose_pairs(seen, count, rotating):
        for guess in [focal] if focal else [share * size[0] for share in FOCALS]:
            for turn, shift in two_view_motions(*seen.shared(*pair), guess, middle):
                start = Cameras(np.stack([np.eye(3), turn]), np.stack([np.zeros(3), shift]), np.full(2, guess), middle)
                yield adjust_briefly(*_extend(start, pair, seen, count), seen, free_lens=focal is None)


def choose_pairs(seen: Observations, count: int, rotating: Cameras) -> list[tuple[int, int]]:
    """Pairs of keyframes with many common points and much parallax, that is, motion that a rotating camera cannot explain."""
    rated = []
    for i, j in combinations(range(count), 2):
        a, b = seen.shared(i, j)
        if len(a) >= LEAST_SHARED:
            rays = np.append((a - rotating.middle) / rotating.focal[i], np.ones((len(a), 1)), axis=1)
            there = rays @ rotating.rotation[i] @ rotating.rotation[j].T
            left = rotating.focal[j] * there[:, :2] / there[:, 2:] + rotating.middle - b
            parallax = float(np.median(np.linalg.norm(left, axis=1)))
            rated.append((parallax * np.sqrt(min(len(a), MOST_COUNTED)), (i, j)))
    chosen: list[tuple[int, int]] = []
    for _, (i, j) in sorted(rated, reverse=True):
        if all(max(abs(i - k), abs(j - m)) > APART for k, m in chosen):
            chosen.append((i, j))
    return chosen[:PAIRS]


def two_view_motions(a: NDArray, b: NDArray, focal: float, middle: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Rotation (3,3) and unit translation (3,) of a second view: first the motion that fits most points ``a``, ``b`` (N,2), then the one that fits most of the others."""
    lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    for _ in range(2):
        if len(a) < LEAST_SHARED / 2:
            return
        matrix, good = cv2.findEssentialMat(a, b, lens, cv2.RANSAC, 0.999, PAIR_PX)
        if matrix is None or matrix.shape != (3, 3):
            return
        _, turn, shift, _ = cv2.recoverPose(matrix, a, b, lens, mask=good.copy())
        yield turn, shift.ravel()
        others = good.ravel() == 0
        a, b = a[others], b[others]


def _extend(start: Cameras, pair: tuple[int, int], seen: Observations, count: int) -> tuple[Cameras, NDArray[np.int64]]:
    """Cameras of all keyframes that can be resected, starting with those that contain most of the known points."""
    turns, shifts = np.zeros((count, 3, 3)), np.zeros((count, 3))
    turns[list(pair)], shifts[list(pair)] = start.rotation, start.translation
    placed, tried = np.zeros(count, bool), np.zeros(count, bool)
    placed[list(pair)] = tried[list(pair)] = True
    while not tried.all():
        here = np.flatnonzero(placed)
        cameras = Cameras(turns[here], shifts[here], np.full(len(here), start.focal[0]), start.middle)
        points, known = _known_points(cameras, here, seen)
        shown = np.where(tried, 0, np.bincount(seen.frame[known[seen.point]], minlength=count))
        if shown.max() < LEAST_SEEN:
            break
        for k in np.flatnonzero(shown >= max(LEAST_SEEN, ENOUGH_SEEN * shown.max())):
            own = (seen.frame == k) & known[seen.point]
            found = pnp(points[seen.point[own]], seen.pixel[own], float(start.focal[0]), start.middle)
            tried[k] = True
            if found is not None:
                turns[k], shifts[k], placed[k] = found[0], found[1], True
    here = np.flatnonzero(placed)
    return Cameras(turns[here], shifts[here], np.full(len(here), start.focal[0]), start.middle), here


def _known_points(
    cameras: Cameras, placed: NDArray[np.int64], seen: Observations
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points (P,3) of the tracks ``seen``, and a mask (P,) of those on which the ``cameras`` of the ``placed`` keyframes agree."""
    inside = _seen_twice(seen, placed)
    names, point = np.unique(seen.point[inside], return_inverse=True)
    own = Observations(point, np.searchsorted(placed, seen.frame[inside]), seen.pixel[inside])
    found, wide = triangulate(cameras, own)
    worst = np.zeros(len(names))
    np.maximum.at(worst, own.point, np.linalg.norm(reprojection_errors(cameras, found, own), axis=1))
    points, known = np.zeros((seen.count, 3)), np.zeros(seen.count, bool)
    points[names], known[names] = found, (worst < GOOD_PX) & (wide > LEAST_ANGLE)
    return points, known
