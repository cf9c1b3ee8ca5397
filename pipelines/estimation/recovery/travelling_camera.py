"""A travelling camera: keyframes by structure from motion, all frames by resection, then one bundle adjustment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, spread_indices
from camera.trajectories.keyframes import Keyframe, through
from pipelines.estimation.colmap import Matches
from pipelines.estimation.recovery.adjust import (
    BundleResult,
    Cameras,
    adjust,
    curves,
    free_parameters,
    pnp,
    reprojection_errors,
    resect,
    triangulate,
)
from pipelines.estimation.recovery.follow import Observations, sift_matches
from pipelines.estimation.recovery.initial import find_initial, rate
from pipelines.estimation.recovery.refine import refine_tracks
from pipelines.estimation.recovery.reversal import take_better
from pipelines.estimation.recovery.uncertainty import lens_uncertainty
from pipelines.estimation.sfm import Reconstruction, reconstruct

LEAST_KEYS, MOST_KEYS = 8, 26
KEY_FLOW = 0.03
"""Least distance between keyframes: median flow in picture widths."""
ENOUGH = 60
"""Points that two keyframes must share for their parallax to be estimated."""
SHARED = 80
"""Keyframes that share fewer tracks are also matched by SIFT, which closes loops."""
LEAST_ANGLE = 1.0
"""Angle between rays in degrees below which a point's depth is unknown."""
LEAST_SEEN = 12
"""A frame with fewer inliers among the known points is not placed."""
GOOD_PX = 2.5
STEADY_PX, STEADY_SHARE, SELECTIONS = 1.5, 0.7, 4
"""See `_keep_steady`; the last is how often the points are selected again after an adjustment."""
ROUGH_SELECTIONS = 2
"""The same for the unrefined tracks, to which cameras with a free lens are adjusted first."""
MOST_ADJUSTED, MOST_POINTS = 125, 1600
"""Most frames and points of the bundle adjustment; other frames are resected afterwards."""
FITTED = 700
"""Number of points by which kinds of cameras are compared, those with the longest tracks."""
MAY_ZOOM = 0.1
"""Relative standard deviation of a free focal length above which no changing lens is tried."""


@dataclass(frozen=True, eq=False)
class TravellingCameraFit:
    """``cameras`` of the ``placed`` frames (P,). ``fits``: share of the observations with less than a pixel of error.

    ``angle_degrees``: median over the points of the widest angle between their rays. ``error_px``: median reprojection error.
    ``lens_uncertainty``: as in `rotating_camera.RotatingCameraFit`. ``zooms``: whether the lens changes. ``distance``: median
    depth of the points in the first camera.
    """

    cameras: Cameras
    placed: NDArray[np.int64]
    fits: float
    angle_degrees: float
    error_px: float
    lens_uncertainty: float
    zooms: bool
    distance: float


def keyframes(seen: Observations, frames: int, width: int) -> NDArray[np.int64]:
    """Frames at roughly equal distances of accumulated flow, including the first and the last."""
    flow = np.zeros(frames)
    for i in range(1, frames):
        a, b = seen.shared(i - 1, i)
        flow[i] = np.median(np.linalg.norm(b - a, axis=1)) if len(a) else KEY_FLOW * width
    way = np.cumsum(flow)
    count = int(np.clip(way[-1] / (KEY_FLOW * width), LEAST_KEYS, MOST_KEYS))
    if way[-1] < 1e-6:
        return spread_indices(frames, count)
    return np.unique(np.searchsorted(way, np.linspace(0, way[-1], count)).clip(0, frames - 1))


def parallax_degrees(seen: Observations, keys: NDArray[np.int64], size: tuple[int, int], focal: float) -> float:
    """Median angle between the rays of common points, for the pair of keyframes with the largest flow that shares enough points."""
    middle = (np.array(size) - 1) / 2
    lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    best, pair = 0.0, None
    for i, j in combinations(keys.tolist(), 2):
        a, b = seen.shared(i, j)
        if len(a) >= ENOUGH and (flow := float(np.median(np.linalg.norm(b - a, axis=1)))) > best:
            best, pair = flow, (a, b)
    if pair is None:
        return 0.0
    matrix, good = cv2.findEssentialMat(*pair, lens, cv2.RANSAC, 0.999, 1.0)
    if matrix is None or matrix.shape != (3, 3):
        return 0.0
    _, turn, _, good = cv2.recoverPose(matrix, *pair, lens, mask=good)
    kept = good.ravel() > 0
    rays = [np.append((pixels[kept] - middle) / focal, np.ones((kept.sum(), 1)), axis=1) for pixels in pair]
    turned = rays[0] @ turn.T
    cosine = (turned * rays[1]).sum(axis=1) / np.linalg.norm(turned, axis=1) / np.linalg.norm(rays[1], axis=1)
    return float(np.median(np.degrees(np.arccos(np.clip(cosine, -1, 1))))) if kept.any() else 0.0


def recover_travelling(
    frames: NDArray[np.uint8], seen: Observations, keys: NDArray[np.int64], rotating: Cameras, focal: float | None
) -> TravellingCameraFit:
    """Cameras of ``frames`` (F,h,w,3), of which ``keys`` are placed first; ``focal`` is fixed if given.

    ``rotating``: the rotating camera that fits the keyframes. The uncertainty of a free lens includes the difference between
    the results from the original and the refined tracks, whose errors differ. Raises `InputError` if fewer than half of the
    keyframes can be placed.
    """
    path, mapped, loops = _place_keyframes(frames, seen, keys, rotating, focal)
    cameras = _interpolate(path, mapped, len(frames))
    if focal:
        cameras = Cameras(cameras.rotation, cameras.translation, np.full(len(frames), float(focal)), cameras.middle)
    points, wide = triangulate(Cameras.of(path), seen.among(mapped))
    cameras, placed = _resect_frames(cameras, points, wide, seen, mapped)
    chosen = placed[spread_indices(len(placed), MOST_ADJUSTED)]
    followed = seen.among(chosen)
    refined = _with_loops(refine_tracks(frames[chosen], followed), loops, chosen)
    if focal:
        return _adjust_all(cameras, placed, chosen, refined, seen, focal, keys)
    lens = np.ones((len(chosen), 1))
    rough = _adjust_selected(
        _choose_cameras(cameras, chosen), _with_loops(followed, loops, chosen), lens, ROUGH_SELECTIONS
    )[0].cameras
    cameras.rotation[chosen], cameras.translation[chosen], cameras.focal[chosen] = (
        rough.rotation,
        rough.translation,
        rough.focal,
    )
    found = _adjust_all(cameras, placed, chosen, refined, seen, None, keys)
    apart = np.log(np.median(found.cameras.focal) / np.median(rough.focal))
    return replace(found, lens_uncertainty=float(np.hypot(found.lens_uncertainty, apart)))


def _with_loops(tracks: Observations, loops: Observations | None, chosen: NDArray[np.int64]) -> Observations:
    """The longest ``tracks`` in the ``chosen`` frames, and COLMAP's observations there, if there are any."""
    tracks = tracks.seen_at_least(3).longest(MOST_POINTS)
    return tracks if loops is None else tracks.joined(loops.among(chosen).seen_at_least(2))


def _place_keyframes(
    frames: NDArray[np.uint8], seen: Observations, keys: NDArray[np.int64], rotating: Cameras, focal: float | None
) -> tuple[CameraPath, NDArray[np.int64], Observations | None]:
    """Cameras of keyframes, their numbers, and COLMAP's observations if the cameras are COLMAP's.

    COLMAP also matches keyframes that share no tracks, so it is tried if tracks alone do not place all of them.
    """
    own, size = seen.among(keys).seen_at_least(2), (frames.shape[2], frames.shape[1])
    found = find_initial(own, len(keys), rotating, size, focal)
    if found is None or len(found.placed) < len(keys):
        try:
            mapped = _map_keyframes(frames[keys], seen.among(keys), focal)
        except InputError:
            if found is None:
                raise
        else:
            other = rate(Cameras.of(mapped.path), np.array(mapped.frames), own.seen_at_least(3), len(keys), size)
            if found is None or other.cost < found.cost:
                _check_placed(len(mapped.frames), len(keys))
                placed = keys[list(mapped.frames)]
                return mapped.path, placed, _loop_observations(mapped, placed)
    _check_placed(len(found.placed), len(keys))
    return found.cameras.path(*size, 1.0), keys[found.placed], None


def _check_placed(placed: int, count: int) -> None:
    if placed < max(3, 0.5 * count):
        raise InputError(f"Only {placed} of {count} keyframes could be placed.")


def _map_keyframes(pictures: NDArray[np.uint8], seen: Observations, focal: float | None) -> Reconstruction:
    def matcher(pictures: NDArray[np.uint8], wanted: list[tuple[int, int]]) -> Matches:
        return _matches(pictures, seen, wanted)

    return reconstruct(pictures, pairing="exhaustive", matcher=matcher, focal_px=focal, one_video=True)


def _matches(pictures: NDArray[np.uint8], seen: Observations, wanted: list[tuple[int, int]]) -> Matches:
    """Tracked points, and SIFT matches between pictures that share few of them."""
    here = [np.flatnonzero(seen.frame == i) for i in range(len(pictures))]
    places = [list(seen.pixel[one]) for one in here]
    found: dict[tuple[int, int], NDArray[np.uint32]] = {}
    for i, j in wanted:
        _, a, b = np.intersect1d(seen.point[here[i]], seen.point[here[j]], assume_unique=True, return_indices=True)
        pairs = np.stack([a, b], axis=1)
        if len(pairs) < SHARED:
            first, second = sift_matches(pictures[i], pictures[j])
            start = np.array([[len(places[i]), len(places[j])]])
            places[i] += list(first)
            places[j] += list(second)
            pairs = np.concatenate([pairs, start + np.arange(len(first))[:, None]])
        found[i, j] = pairs.astype(np.uint32)
    return [np.array(one, np.float32).reshape(-1, 2) for one in places], found


def _interpolate(path: CameraPath, mapped: NDArray[np.int64], frames: int) -> Cameras:
    """Initial cameras of all frames, interpolated linearly between the ``mapped`` ones, whose cameras are in ``path``."""
    keys = [Keyframe(pose, lens, float(i)) for pose, lens, i in zip(path.world_from_camera, path.intrinsics, mapped)]
    inner = through(
        keys, frames=int(mapped[-1] - mapped[0]) + 1, width=path.width, height=path.height, curve="straight"
    )
    where = (np.arange(frames) - mapped[0]).clip(0, len(inner) - 1)
    return Cameras.of(inner.sliced(where))  # type: ignore[arg-type]


def _resect_frames(
    cameras: Cameras, points: NDArray, wide: NDArray, seen: Observations, mapped: NDArray[np.int64]
) -> tuple[Cameras, NDArray[np.int64]]:
    """All frames resected on the points of the mapped frames, and the frames with enough inliers."""
    names = np.unique(seen.point[np.isin(seen.frame, mapped)])
    number = np.full(seen.count, -1)
    number[names] = np.arange(len(names))
    good = (number[seen.point] >= 0) & (wide[number[seen.point]] >= LEAST_ANGLE)
    known = Observations(number[seen.point[good]], seen.frame[good], seen.pixel[good])
    cameras = resect(cameras, points, known)
    counts = _count_agreeing(cameras, points, known)
    for i in np.flatnonzero(counts < LEAST_SEEN):
        here = known.frame == i
        again = pnp(points[known.point[here]], known.pixel[here], float(cameras.focal[i]), cameras.middle)
        if again is not None:
            cameras.rotation[i], cameras.translation[i], counts[i] = again
    return cameras, np.flatnonzero(counts >= LEAST_SEEN)


def _count_agreeing(cameras: Cameras, points: NDArray, seen: Observations) -> NDArray[np.int64]:
    """(F,): number of inliers (`GOOD_PX`) of each camera."""
    good = np.linalg.norm(reprojection_errors(cameras, points, seen), axis=1) < GOOD_PX
    return np.bincount(seen.frame[good], minlength=len(cameras.focal))


def _loop_observations(found: Reconstruction, mapped: NDArray[np.int64]) -> Observations:
    """The observations of structure from motion itself, in the mapped frames."""
    numbers = [numbers for numbers, _ in found.seen]
    frame = np.repeat(mapped, [len(one) for one in numbers])
    return Observations(np.concatenate(numbers), frame, np.concatenate([pixels for _, pixels in found.seen]))


def _adjust_all(
    cameras: Cameras,
    placed: NDArray[np.int64],
    chosen: NDArray[np.int64],
    everything: Observations,
    seen: Observations,
    focal: float | None,
    keys: NDArray[np.int64],
) -> TravellingCameraFit:
    """The ``placed`` cameras; the ``chosen`` ones are adjusted to ``everything`` in their frames; ``seen``: tracks in all frames."""
    count = len(chosen)
    lens = None if focal else np.ones((count, 1))
    one, start, points, together = _adjust_selected(_choose_cameras(cameras, chosen), everything, lens, SELECTIONS)
    uncertainty = float(lens_uncertainty(one, 1)[0]) if lens is not None else float("inf")
    zooms = False
    if uncertainty < MAY_ZOOM or focal:
        bent = curves(count, min(max(2, count // 8), 8))
        many = adjust(start, points, together, free_parameters(count, lens=bent[:, 1:] if focal else bent), rounds=8)
        noise = float(np.median(lens_uncertainty(many, bent.shape[1] - 1)))
        zooms = many.cost < 0.9 * one.cost and np.ptp(np.log(many.cameras.focal)) > max(0.02, 3 * noise)
        one, uncertainty = (many, uncertainty if focal else noise) if zooms else (one, uncertainty)
    final = _resect_others(one.cameras, chosen, cameras, placed, one.points, together, seen)
    widest = triangulate(one.cameras, together)[1]
    fits = _fit_share(final, placed, seen, keys)
    depth = (one.points @ one.cameras.rotation[0].T + one.cameras.translation[0])[:, 2]
    return TravellingCameraFit(
        final,
        placed,
        fits,
        float(np.median(widest)),
        float(np.median(one.error_px)),
        uncertainty,
        bool(zooms),
        float(np.median(depth[depth > 0])),
    )


def _adjust_selected(
    cameras: Cameras, everything: Observations, lens: NDArray[np.float64] | None, selections: int
) -> tuple[BundleResult, Cameras, NDArray[np.float64], Observations]:
    """``cameras`` adjusted to the steady tracks of ``everything``, which are selected anew ``selections`` times; also the start of the last
    adjustment: cameras, points and observations. For a free ``lens``, the depth reversal is tried too."""
    points, together, start = _triangulate_clean(cameras, everything)
    free = free_parameters(len(cameras.focal), lens=lens)
    one = adjust(start, points, together, free)
    one = one if lens is None else take_better(one, together, free)
    for _ in range(selections):
        points, together, start = _triangulate_clean(one.cameras, _keep_steady(one.cameras, everything))
        one = adjust(start, points, together, free, rounds=8)
    return one, start, points, together


def _fit_share(cameras: Cameras, placed: NDArray[np.int64], seen: Observations, keys: NDArray[np.int64]) -> float:
    """Share of all observations in the placed keyframes, including those of moving objects, with less than a pixel of error."""
    chosen = np.flatnonzero(np.isin(placed, keys))
    own = seen.among(placed[chosen]).seen_at_least(2).longest(FITTED)
    points, _ = triangulate(_choose_cameras(cameras, chosen), own)
    return float(
        (np.linalg.norm(reprojection_errors(_choose_cameras(cameras, chosen), points, own), axis=1) < 1).mean()
    )


def _choose_cameras(cameras: Cameras, frames: NDArray[np.int64]) -> Cameras:
    return Cameras(cameras.rotation[frames], cameras.translation[frames], cameras.focal[frames], cameras.middle)


def _triangulate_clean(cameras: Cameras, seen: Observations) -> tuple[NDArray[np.float64], Observations, Cameras]:
    """Triangulated points without those of too little parallax, and observations without outliers."""
    points, wide = triangulate(cameras, seen)
    miss = np.linalg.norm(reprojection_errors(cameras, points, seen), axis=1)
    seen = seen.where((miss < 4 * GOOD_PX) & (wide[seen.point] >= LEAST_ANGLE)).seen_at_least(2)
    points, _ = triangulate(cameras, seen)
    return points, seen, cameras


def _keep_steady(cameras: Cameras, seen: Observations) -> Observations:
    """Drop unsteady points: `STEADY_SHARE` of a point's observations must have less than `STEADY_PX` of error.

    Moving objects, outlines of round objects and points that slide along edges have a small error in each frame, but in most.
    """
    points, _ = triangulate(cameras, seen)
    near = np.linalg.norm(reprojection_errors(cameras, points, seen), axis=1) < STEADY_PX
    share = np.bincount(seen.point, near, seen.count) / np.bincount(seen.point, minlength=seen.count)
    kept = (share >= STEADY_SHARE)[seen.point]
    return seen.where(kept) if kept.any() else seen


def _resect_others(
    adjusted: Cameras,
    chosen: NDArray[np.int64],
    cameras: Cameras,
    placed: NDArray[np.int64],
    points: NDArray,
    together: Observations,
    seen: Observations,
) -> Cameras:
    """The adjusted cameras of the ``chosen`` frames, and those of the other placed frames by resection."""
    if len(chosen) == len(placed):
        return adjusted
    others = _choose_cameras(cameras, placed)
    at = np.searchsorted(placed, chosen)
    others.rotation[at], others.translation[at], others.focal[at] = (
        adjusted.rotation,
        adjusted.translation,
        adjusted.focal,
    )
    nearest = np.abs(placed[:, None] - chosen).argmin(axis=1)
    others = Cameras(adjusted.rotation[nearest], adjusted.translation[nearest], np.interp(placed, chosen, adjusted.focal), adjusted.middle)  # fmt: skip
    own = seen.among(placed)
    again, wide = triangulate(adjusted, seen.among(chosen))
    names = np.unique(seen.among(placed).point[np.isin(own.frame, at)])
    number = np.full(own.count, -1)
    number[names] = np.arange(len(names))
    good = (number[own.point] >= 0) & (wide[number[own.point]] >= LEAST_ANGLE)
    found = resect(others, again, Observations(number[own.point[good]], own.frame[good], own.pixel[good]), rounds=15)
    found.rotation[at], found.translation[at] = adjusted.rotation, adjusted.translation
    return found
