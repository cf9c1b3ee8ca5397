"""Stabilises the depth of a clip's frames: one scale and offset for all frames, and smoothing without lag.

A depth model's output for each picture has its own scale and offset in inverse depth (Ranftl et al. 2020), so a clip's depth
flickers. Corners are tracked through the frames; a static point has one position, so its depths in two frames must agree
after the camera motion is accounted for. This is linear in the scales and offsets of all frames, which are solved for
together: no frame is the reference, so nothing lags. If the cameras have parallax, triangulated points determine scale and
offset of the whole clip; otherwise the mean of the model's own over all frames is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View, is_depth
from pipelines.estimation.depth_fit import apply_fit, fit_inverse
from pipelines.estimation.tracking import follow_points, track_points

APART = (1, 2, 4, 8)
"""Frame distances between compared observations of a point."""
ROUNDS, SPREAD = 16, 1.5
"""Iterations of the fit; a comparison with this many times the median residual gets half the weight (Cauchy), which removes moving points."""
WIDE, NARROWER = 0.2, 0.6
"""Initial width of the weighting (a relative error with half the weight), and the factor by which it shrinks per round."""
FEWEST_PLACED = 40
"""Minimum number of triangulated points for determining the scale."""
FEWEST_MATCHES = 8
"""Minimum number of matches of a frame with others for estimating its depth fit."""
TIE = 1e-9
"""Weight of the tie between the scales of consecutive frames, relative to all comparisons: it only matters without other data."""
REACH, ALIKE = 2, 0.03
"""Number of frames before and after over which a pixel is smoothed, and the maximum relative difference of depth."""


@dataclass(frozen=True, eq=False)
class SteadyDepth:
    """``depth`` (F,H,W), NaN where unknown. ``fits`` (F,2): scale and offset of inverse depth that were applied.

    ``before`` and ``after`` (F,): median relative difference between depths of points in a frame and in its neighbours, before
    and after; NaN without common points. ``matches`` (F,): number of compared points. ``placed``: number of triangulated points
    that determine scale and offset; 0 if those of the given depth were kept.
    """

    depth: NDArray[np.float32]
    fits: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    matches: NDArray[np.int64]
    placed: int

    @property
    def worst(self) -> int:
        """The frame with the largest residual."""
        return int(np.nanargmax(self.after))

    def sentence(self) -> str:
        scale = f"scale from {self.placed} triangulated points" if self.placed else "the clip's own mean scale"
        return (
            f"Depth stabilised over {len(self.depth)} frames: neighbours differ by {np.nanmedian(self.after):.1%} in the median "
            f"(before {np.nanmedian(self.before):.1%}), by {self.after[self.worst]:.1%} at frame {self.worst}; {scale}."
        )

    def table(self) -> str:
        """CSV with a line per frame: scale, offset, compared points, residual before and after."""
        lines = ["frame,scale,offset,points,residual_before,residual_after"]
        rows = zip(self.fits, self.matches, self.before, self.after)
        lines += [
            f"{i},{a:.6g},{b:.6g},{n},{before:.6g},{after:.6g}" for i, ((a, b), n, before, after) in enumerate(rows)
        ]
        return "\n".join(lines) + "\n"


def steady_scene(scene: Scene, *, moving: NDArray[np.bool_] | None = None) -> tuple[Scene, SteadyDepth]:
    """A clip with stabilised depth, see `steady_depth`; its cameras stay unchanged. Raises `InputError` if the scene is not a clip."""
    if scene.kind != "clip" or len(scene.views) < 3:
        raise InputError(
            f"Depth is stabilised over the frames of a clip, at least 3, and this is a {scene.kind} of {len(scene.views)}."
        )
    first = scene.first
    path = CameraPath(
        np.stack([view.world_from_camera for view in scene.views]),
        np.stack([view.intrinsics for view in scene.views]),
        first.width, first.height, scene.fps,
    )  # fmt: skip
    depth = np.stack([np.where(view.known, view.depth, np.float32(np.nan)) for view in scene.views])
    found = steady_depth(np.stack([view.colour for view in scene.views]), depth, path, moving=moving)
    views = tuple(View.of(v.colour, d, v.intrinsics, v.world_from_camera) for v, d in zip(scene.views, found.depth))
    return replace(scene, views=views, source=f"{scene.source}, stabilised over time"), found


def steady_depth(
    frames: NDArray[np.uint8],
    depth: NDArray[np.float32],
    path: CameraPath,
    *,
    moving: NDArray[np.bool_] | None = None,
    smooth: bool = True,
) -> SteadyDepth:
    """One scale and offset of inverse depth for ``depth`` (F,H,W) along z of ``frames`` (F,H,W,3), then smoothed over time.

    ``path``: a camera per frame, possibly static. ``moving`` (F,H,W): True on pixels that are not compared; other moving points
    are detected as outliers. ``smooth``: average each pixel with the depths at its position in `REACH` frames before and after,
    if both agree with it to `ALIKE`. Raises `InputError` for shapes that do not belong together, and frames that have too little
    in common.
    """
    if depth.shape != frames.shape[:3] or len(frames) < 3:
        raise InputError(
            f"Stabilising needs at least 3 frames with a depth map each, got {frames.shape[:3]} and {depth.shape}."
        )
    inverse = np.where(is_depth(depth), 1 / np.maximum(depth, 1e-12), np.nan)
    sightings = follow_points(frames, moving)
    matches = _Matches.of(sightings, inverse, path)
    if matches.counts.min() < FEWEST_MATCHES:
        few = int(matches.counts.argmin())
        raise InputError(
            f"Frame {few} shares only {matches.counts[few]} points of known depth with its neighbours, and {FEWEST_MATCHES} are "
            "needed; use frames that overlap and have texture, or leave the depth as it is."
        )
    placed = _placed(frames, inverse, path, moving)
    fits = _solve(matches, placed, len(frames))
    aligned = np.stack(
        [apply_fit(each, fit) for each, fit in zip(np.where(np.isnan(inverse), np.nan, 1 / inverse), fits)]
    )
    found = _smoothed(aligned, path) if smooth else aligned
    plain = np.tile([1.0, 0.0], (len(frames), 1))
    after = _Matches.of(sightings, 1 / found.astype(np.float64), path)
    return SteadyDepth(found, fits, matches.residuals(plain), after.residuals(plain), matches.counts, len(placed.frame))


# --- what is compared ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Placed:
    """Points of known depth: the frame of each (K,), its given inverse depth, and that from triangulation."""

    frame: NDArray[np.int64]
    given: NDArray[np.float64]
    true: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Matches:
    """Points seen in two frames: the frames (M,), the given inverse depths, and the relative camera position.

    A point of inverse depth w in the first frame has w / (``turn`` + ``shift`` w) in the second.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    here: NDArray[np.float64]
    there: NDArray[np.float64]
    turn: NDArray[np.float64]
    shift: NDArray[np.float64]
    counts: NDArray[np.int64]

    @staticmethod
    def of(sightings: tuple[NDArray, NDArray, NDArray], inverse: NDArray, path: CameraPath) -> _Matches:
        pairs = list(_pairs(*sightings, inverse, path))
        first, second, here, there, turn, shift = (np.concatenate([pair[part] for pair in pairs]) for part in range(6))
        counts = np.bincount(first, minlength=len(path)) + np.bincount(second, minlength=len(path))
        return _Matches(first, second, here, there, turn, shift, counts)

    def factor(self, fits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse depth in the second frame divided by that in the first."""
        ahead = self.turn + self.shift * (fits[self.first, 0] * self.here + fits[self.first, 1])
        return 1 / np.maximum(ahead, 0.05)

    def residuals(self, fits: NDArray[np.float64]) -> NDArray[np.float64]:
        """(F,): median relative difference between each frame's depths and those of its neighbouring frames."""
        near = self.second - self.first == 1
        ours = (fits[self.first, 0] * self.here + fits[self.first, 1]) * self.factor(fits)
        theirs = fits[self.second, 0] * self.there + fits[self.second, 1]
        off = np.abs(theirs / np.where(ours > 0, ours, np.nan) - 1)
        found = np.full(len(fits), np.nan)
        for i in range(len(fits)):
            own = off[near & ((self.first == i) | (self.second == i))]
            own = own[np.isfinite(own)]
            found[i] = np.median(own) if len(own) else np.nan
        return found


def _pairs(track: NDArray, frame: NDArray, pixel: NDArray, inverse: NDArray, path: CameraPath) -> Iterator[tuple]:
    here = [np.flatnonzero(frame == i) for i in range(len(path))]
    values = [_read(inverse[i], pixel[rows]) for i, rows in enumerate(here)]
    for i in range(len(path)):
        for j in (i + apart for apart in APART if i + apart < len(path)):
            _, a, b = np.intersect1d(track[here[i]], track[here[j]], assume_unique=True, return_indices=True)
            known = np.isfinite(values[i][a]) & np.isfinite(values[j][b])
            a, b = a[known], b[known]
            turn, shift = _displacement(path, i, j)
            rays = np.append(pixel[here[i][a]], np.ones((len(a), 1)), axis=1)
            yield (
                np.full(len(a), i),
                np.full(len(a), j),
                values[i][a],
                values[j][b],
                rays @ turn,
                np.full(len(a), shift),
            )


def _displacement(path: CameraPath, i: int, j: int) -> tuple[NDArray[np.float64], float]:
    """Displacement along z, in frame j's axes, for a pixel's ray (x,y,1) of frame i per unit of depth, and for frame i's camera."""
    there = path.camera_from_world[j] @ path.world_from_camera[i]
    return there[2, :3] @ np.linalg.inv(path.intrinsics[i]), float(there[2, 3])


def _read(inverse: NDArray, pixel: NDArray) -> NDArray[np.float64]:
    """Inverse depth at subpixel positions (N,2); NaN at the edge of known depth and at depth discontinuities."""
    x, y = pixel.T.astype(np.float32)
    height, width = inverse.shape
    left, top = (np.clip(np.floor(v).astype(int), 0, n - 2) for v, n in ((x, width), (y, height)))
    corners = np.stack([inverse[top + r, left + c] for r in (0, 1) for c in (0, 1)])
    right, down = x - left, y - top
    value = (1 - down) * ((1 - right) * corners[0] + right * corners[1]) + down * (
        (1 - right) * corners[2] + right * corners[3]
    )
    with np.errstate(invalid="ignore"):
        return np.where(corners.max(axis=0) < (1 + ALIKE) * corners.min(axis=0), value, np.nan)


def _placed(frames: NDArray, inverse: NDArray, path: CameraPath, moving: NDArray | None) -> _Placed:
    """Depth constraints from the cameras; none if they have no parallax or contradict the frames."""
    tracks = track_points(frames, path, masks=moving)
    if tracks.agreeing < max(FEWEST_PLACED, tracks.wide // 2):
        return _Placed(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    rows = []
    for i in range(len(path)):
        pixel, depth = tracks.found.depths(i)
        given = _read(inverse[i], pixel)
        known = np.isfinite(given) & (depth > 0)
        rows.append((np.full(known.sum(), i), given[known], 1 / depth[known]))
    return _Placed(*(np.concatenate([row[part] for row in rows]) for part in range(3)))


# --- one scale and offset for each frame ---------------------------------------------------------------------------


def _solve(matches: _Matches, placed: _Placed, count: int) -> NDArray[np.float64]:
    """(F,2): iteratively reweighted least squares of relative differences, with low weights for outliers."""
    fits = _begin(matches, placed, count)
    typical = float(np.median(matches.here))
    for number in range(ROUNDS):
        width = WIDE * NARROWER**number
        factor = matches.factor(fits)
        level = np.maximum(
            (fits[matches.first, 0] * matches.here + fits[matches.first, 1]) * factor,
            0.05 * typical * abs(fits[:, 0].mean()),
        )
        columns = np.stack(
            [2 * matches.first, 2 * matches.first + 1, 2 * matches.second, 2 * matches.second + 1], axis=1
        )
        values = (
            np.stack([-factor * matches.here, -factor, matches.there, np.ones_like(factor)], axis=1) / level[:, None]
        )
        matrix, goal = _normal(columns, values, np.zeros(len(values)), fits, width)
        if len(placed.frame):
            values = np.stack([placed.given, np.ones_like(placed.given)], axis=1) / placed.true[:, None]
            columns = np.stack([2 * placed.frame, 2 * placed.frame + 1], axis=1)
            more = _normal(columns, values, np.ones(len(values)), fits, width)
            matrix, goal = matrix + more[0], goal + more[1]
        fits = _with_ties(matrix, goal, fits, typical, free=not len(placed.frame))
    return fits


def _begin(matches: _Matches, placed: _Placed, count: int) -> NDArray[np.float64]:
    """(F,2): initial values: the first frame fitted to the triangulated points, every other to the previous one."""
    fits = np.tile([1.0, 0.0], (count, 1))
    first = placed.frame == 0
    for i in range(count):
        pair = (matches.first == i - 1) & (matches.second == i)
        before = fits[matches.first, 0] * matches.here + fits[matches.first, 1]
        fit = fit_inverse(matches.there[pair], (before * matches.factor(fits))[pair]) if i else None
        if i == 0:
            fit = fit_inverse(placed.given[first], placed.true[first])
        fits[i] = fit if fit is not None else fits[max(i - 1, 0)]
    return fits if len(placed.frame) else _with_mean_scale(fits)


def _with_mean_scale(fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same fits relative to each other, with a mean scale of 1 and a mean offset of 0."""
    return (fits - [0, fits[:, 1].mean()]) / fits[:, 0].mean()


def _normal(columns: NDArray, values: NDArray, target: NDArray, fits: NDArray, width: float) -> tuple[NDArray, NDArray]:
    """The normal equations (2F,2F), (2F,) of sparse rows, already weighted: each row by its residual with ``fits``, and all of them."""
    error = (values * fits.ravel()[columns]).sum(axis=1) - target
    spread = max(SPREAD * float(np.median(np.abs(error))), width)
    weight = 1 / (spread**2 * (1 + (error / spread) ** 2))
    matrix, goal = np.zeros((fits.size, fits.size)), np.zeros(fits.size)
    for a in range(columns.shape[1]):
        np.add.at(goal, columns[:, a], weight * values[:, a] * target)
        for b in range(columns.shape[1]):
            np.add.at(matrix, (columns[:, a], columns[:, b]), weight * values[:, a] * values[:, b])
    return matrix, goal


def _with_ties(matrix: NDArray, goal: NDArray, fits: NDArray, typical: float, *, free: bool) -> NDArray[np.float64]:
    """The solution with neighbours weakly tied together; ``free``: the mean scale stays 1 and the mean offset 0."""
    count = len(fits)
    strength = TIE * np.trace(matrix) / len(matrix)
    for part, size in ((0, 1.0), (1, 1 / typical**2)):
        for i in range(count - 1):
            pair = np.ix_([2 * i + part, 2 * i + 2 + part], [2 * i + part, 2 * i + 2 + part])
            matrix[pair] += strength * size * np.array([[1, -1], [-1, 1]])
    if free:
        for part, value, size in ((0, 1.0, 1.0), (1, 0.0, 1 / typical**2)):
            mean = np.zeros(fits.size)
            mean[part::2] = 1 / count
            hold = 1e3 * np.trace(matrix) * size
            matrix, goal = matrix + hold * np.outer(mean, mean), goal + hold * value * mean
    return np.linalg.solve(matrix, goal).reshape(count, 2)


# --- smoothing -----------------------------------------------------------------------------------------------------


def _smoothed(depth: NDArray[np.float32], path: CameraPath) -> NDArray[np.float32]:
    """Each pixel's depth times the mean of the depth ratios of frames at equal distances before and after, and 1 for itself."""
    found = depth.copy()
    for i in range(len(depth)):
        ratios, weights = np.ones(depth.shape[1:]), np.ones(depth.shape[1:])
        for apart in range(1, REACH + 1):
            if i - apart < 0 or i + apart >= len(depth):
                break
            before, after = (_ratio(depth, path, i, j) for j in (i - apart, i + apart))
            with np.errstate(invalid="ignore"):
                both = (np.abs(before - 1) < ALIKE) & (np.abs(after - 1) < ALIKE)
            share = 2.0**-apart
            ratios += np.where(both, share * (before + after), 0)
            weights += np.where(both, 2 * share, 0)
        found[i] = depth[i] * (ratios / weights)
    return found


def _ratio(depth: NDArray[np.float32], path: CameraPath, i: int, j: int) -> NDArray[np.float64]:
    """(H,W): frame j's depth at the positions of frame i's pixels, divided by the depth predicted from frame i; NaN where not visible."""
    height, width = depth.shape[1:]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    there = path.camera_from_world[j] @ path.world_from_camera[i]
    turn = path.intrinsics[j] @ there[:3, :3] @ np.linalg.inv(path.intrinsics[i])
    shift = path.intrinsics[j] @ there[:3, 3]
    rays = np.stack([x, y, np.ones_like(x)], axis=2) @ turn.T
    places = rays * depth[i][..., None] + shift
    z = np.where(places[..., 2] > 0, places[..., 2], np.nan)
    columns, rows = (np.nan_to_num(places[..., k] / z, nan=-9.0).astype(np.float32) for k in (0, 1))
    inverse = 1 / depth[j]  # inverse depth of planes is linear in the picture
    sampled = cv2.remap(
        inverse, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
    )
    return 1 / (sampled * z)
