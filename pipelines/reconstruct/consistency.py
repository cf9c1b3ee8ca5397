"""Counts which points of one view other views see at the same depth, compiled. Imports the compiler, so import it only on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel
from camera.view import View

T = TypeVar("T")


def side_by_side(work: Callable[[int], T], count: int) -> Iterator[T]:
    """Yield ``work(0)`` to ``work(count - 1)`` in order, computed on all cores; closing the iterator drops work that has not started."""
    pool = ThreadPoolExecutor(cpu_count())
    try:
        yield from pool.map(work, range(count))
    finally:
        pool.shutdown(cancel_futures=True)


def confirmations(points: NDArray[np.float32], others: Sequence[View], tolerance: float) -> NDArray[np.int32]:
    """(N,): how many of the ``others`` see each point (N,3) on the surface at its pixel.

    ``tolerance``: maximum relative difference of depth.
    """
    counts = np.zeros(len(points), np.int32)
    points = np.ascontiguousarray(points, np.float32)
    for view in others:
        pose = np.linalg.inv(view.world_from_camera)[:3].astype(np.float32)
        lens = view.intrinsics[:2].astype(np.float32)
        _confirm(counts, points, pose, lens, view.depth, view.known, np.float32(tolerance))
    return counts


def count_voxels(offset: NDArray[np.float64], size: float, most: int) -> int:
    """The number of voxels of side ``size`` that contain points ``offset`` (N,3), all at least 0; stops counting above ``most``."""
    slots = np.full(1 << int(np.ceil(np.log2(4 * (most + 1)))), -1, np.int64)
    return _count_occupied(offset, 1 / size, most, slots)


@kernel
def _count_occupied(offset, per_length, most, slots):
    """``slots``: a hash table, its size a power of two, -1 where empty."""
    last, count = len(slots) - 1, 0
    for n in range(len(offset)):
        x, y, z = (
            np.int64(offset[n, 0] * per_length),
            np.int64(offset[n, 1] * per_length),
            np.int64(offset[n, 2] * per_length),
        )
        key = (x << 42) | (y << 21) | z
        mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64(mixed >> np.uint64(20)) & last
        while slots[slot] != -1 and slots[slot] != key:
            slot = (slot + 1) & last
        if slots[slot] == -1:
            slots[slot] = key
            count += 1
            if count > most:
                return count
    return count


@kernel
def _confirm(counts, points, pose, lens, depth, known, tolerance):
    height, width = depth.shape
    half, one, one_surface = np.float32(0.5), np.float32(1), np.float32(1.2)  # inverse depth is linear on a plane
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        pz = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z + pose[2, 3]
        if pz <= np.float32(1e-6):
            continue
        px = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z + pose[0, 3]
        py = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z + pose[1, 3]
        u = (lens[0, 0] * px + lens[0, 1] * py) / pz + lens[0, 2] + half
        v = lens[1, 1] * py / pz + lens[1, 2] + half
        if u < 0 or v < 0 or u >= width or v >= height:
            continue
        column, row = np.int64(u), np.int64(v)
        seen = depth[row, column]
        x, y = np.int64(max(u - half, np.float32(0))), np.int64(max(v - half, np.float32(0)))
        if x + 1 < width and y + 1 < height:
            a, b, c, d = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
            if max(max(a, b), max(c, d)) < one_surface * min(min(a, b), min(c, d)):
                right, below = (
                    max(u - half - np.float32(x), np.float32(0)),
                    max(v - half - np.float32(y), np.float32(0)),
                )
                above = (one - right) / a + right / b
                seen = one / ((one - below) * above + below * ((one - right) / c + right / d))
        if known[row, column] and abs(pz - seen) <= tolerance * seen:
            counts[n] += 1
