"""Tracks points from frame to frame and triangulates them with the cameras of a path: sparse depth without structure from motion.

Corners are tracked with pyramidal Lucas-Kanade (OpenCV), forward and backward; points that do not return are dropped. Each
track is triangulated as the point nearest to all its rays. The residuals show whether frames and cameras belong together.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.estimation.colmap import Matches
from pipelines.estimation.sfm import Reconstruction

MOST_CORNERS = 1200
"""Maximum number of points tracked at a time."""
RETURN_PX = 0.7
"""Maximum forward-backward error in pixels."""
LEAST_FRAMES = 3
LEAST_ANGLE = 0.7
"""Minimum angle in degrees between the first and the last ray to a point for triangulation."""
STRICT_WINDOW, STRICT_RETURN_PX, STRICT_BLUR_PX = 13, 0.4, 1.2
"""Strict tracking: window size, forward-backward error and blur. The blur prevents aliased edges from locking points to pixels."""
CORNER_RATIO, CORNER_BLOCK = 0.3, 7
"""Minimum ratio of a corner's smaller to its larger gradient eigenvalue within this window in pixels; below it, the point is an edge and slides."""
MOST_ERROR = 1.5
"""Maximum reprojection error of a triangulated point in pixels at 480 rows; more on larger frames."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks. ``found``: the points triangulated with the cameras, in the path's world.

    ``followed``: number of tracks of `LEAST_FRAMES` frames or more; ``wide``: those with parallax; ``agreeing``: those of them
    that are consistent with one static point.
    """

    found: Reconstruction
    followed: int
    wide: int
    agreeing: int

    @property
    def words(self) -> str:
        return f"{self.agreeing} of {self.wide} tracked points with parallax are static according to the cameras"


def track_points(frames: NDArray[np.uint8], path: CameraPath, *, masks: NDArray[np.bool_] | None = None) -> Tracks:
    """Track points in ``frames`` (F,H,W,3), each from the camera of that frame; ``masks`` (F,H,W): True on pixels to ignore."""
    if frames.shape != (len(path), path.height, path.width, 3):
        raise InputError(
            f"Points are tracked with one camera per frame: {len(path)} frames of {path.width} x {path.height} are "
            f"needed, got {len(frames)} of {frames.shape[2]} x {frames.shape[1]}."
        )
    track, frame, pixel = follow_points(frames, masks)
    length = np.bincount(track)
    long_enough = length[track] >= LEAST_FRAMES
    track, frame, pixel = np.unique(track[long_enough], return_inverse=True)[1], frame[long_enough], pixel[long_enough]
    count = int(track.max()) + 1 if len(track) else 0
    points, angle = _triangulate_tracks(track, frame, pixel, path, count)
    error = _errors(points, track, frame, pixel, path, count)
    wide = angle >= LEAST_ANGLE
    good = wide & (error <= MOST_ERROR * max(path.height / 480, 1.0))
    found = _reconstruction(frames, path, points, good, error, (track, frame, pixel))
    return Tracks(found, count, int(wide.sum()), int(good.sum()))


def match_tracks(frames: NDArray[np.uint8], wanted: list[tuple[int, int]]) -> Matches:
    """Uses tracked points as matches between frames: a matcher for `pipelines.estimation.sfm` if the frames form a video.

    Unlike descriptors it does not confuse repeated patterns such as tiles and windows.
    """
    track, frame, pixel = follow_points(frames, None)
    here = [np.flatnonzero(frame == i) for i in range(len(frames))]
    pairs = {}
    for i, j in wanted:
        _, first, second = np.intersect1d(track[here[i]], track[here[j]], assume_unique=True, return_indices=True)
        pairs[i, j] = np.stack([first, second], axis=1).astype(np.uint32)
    return [pixel[one].astype(np.float32) for one in here], pairs


def follow_points(
    frames: NDArray[np.uint8], masks: NDArray[np.bool_] | None, *, strict: bool = False
) -> tuple[NDArray, NDArray, NDArray]:
    """Track (N,), frame (N,) and pixel (N,2) of every observation; ``masks`` as in `track_points`.

    ``strict``: only corners, in small windows: fewer points, which neither slide along edges nor stick to occlusion boundaries.
    """
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    greys = [cv2.GaussianBlur(grey, (0, 0), STRICT_BLUR_PX) for grey in greys] if strict else greys
    height, width = greys[0].shape
    apart = max(3, round(np.sqrt(height * width / MOST_CORNERS) / 2))
    places, names, next_name = np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 0
    observations: list[tuple[NDArray, NDArray, NDArray]] = []
    for i, grey in enumerate(greys):
        if i:
            places, alive = _step(greys[i - 1], grey, places, strict)
            places, names = places[alive], names[alive]
        open_to = np.full(grey.shape, 255, np.uint8) if masks is None else (255 * ~masks[i]).astype(np.uint8)
        if strict:
            open_to[~_is_corner(grey)] = 0
        if masks is not None:
            column, row = places.round().astype(int).T
            unmasked = ~masks[i][row.clip(0, height - 1), column.clip(0, width - 1)]
            places, names = places[unmasked], names[unmasked]
        for x, y in places.round().astype(int).tolist():
            cv2.circle(open_to, (x, y), apart, 0, -1)
        new = _corners(grey, open_to, MOST_CORNERS - len(places), apart)
        places = np.concatenate([places, new])
        names = np.concatenate([names, next_name + np.arange(len(new))])
        next_name += len(new)
        observations.append((names, np.full(len(names), i), places))
    track, frame, pixel = (np.concatenate([each[part] for each in observations]) for part in range(3))
    return track, frame, pixel.astype(np.float64)


def _corners(grey: NDArray[np.uint8], where: NDArray[np.uint8], most: int, apart: int) -> NDArray[np.float32]:
    if most <= 0:
        return np.zeros((0, 2), np.float32)
    found = cv2.goodFeaturesToTrack(grey, most, 0.01, apart, mask=where)
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 2)


def _is_corner(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H,W): pixels where brightness changes in both directions, not only in one."""
    found = cv2.cornerEigenValsAndVecs(grey, CORNER_BLOCK, 3)[..., :2]
    return found.min(axis=2) > CORNER_RATIO * found.max(axis=2)


def _step(
    before: NDArray[np.uint8], now: NDArray[np.uint8], places: NDArray[np.float32], strict: bool
) -> tuple[NDArray, NDArray]:
    """Track the positions (N,2), and return which of them are still visible."""
    if not len(places):
        return places, np.zeros(0, bool)
    window = {"winSize": (STRICT_WINDOW, STRICT_WINDOW)} if strict else {}
    there, ahead, _ = cv2.calcOpticalFlowPyrLK(before, now, places, None, **window)  # type: ignore[call-overload]
    back, behind, _ = cv2.calcOpticalFlowPyrLK(now, before, there, None, **window)  # type: ignore[call-overload]
    limits = np.array(now.shape[::-1]) - 1
    inside = ((there >= 0) & (there <= limits)).all(axis=1)
    returned = np.linalg.norm(back - places, axis=1) < (STRICT_RETURN_PX if strict else RETURN_PX)
    return there, (ahead[:, 0] == 1) & (behind[:, 0] == 1) & inside & returned


def _triangulate_tracks(
    track: NDArray, frame: NDArray, pixel: NDArray, path: CameraPath, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (P,3) nearest to all rays of each track, and the angle in degrees between its first and last ray."""
    rays = _rays(frame, pixel, path)
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    matrix, goal = np.zeros((count, 3, 3)), np.zeros((count, 3))
    np.add.at(matrix, track, across)
    np.add.at(goal, track, (across @ path.centres[frame][:, :, None])[:, :, 0])
    scale = np.trace(matrix, axis1=1, axis2=2)[:, None, None]
    points = np.linalg.solve(matrix + 1e-12 * scale * np.eye(3), goal[:, :, None])[:, :, 0]
    first, last = np.full(count, len(track)), np.zeros(count, np.int64)
    np.minimum.at(first, track, np.arange(len(track)))
    np.maximum.at(last, track, np.arange(len(track)))
    cosine = (rays[first] * rays[last]).sum(axis=1) if count else np.zeros(0)
    return points, np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _rays(frame: NDArray, pixel: NDArray, path: CameraPath) -> NDArray[np.float64]:
    """(N,3) unit directions in the world."""
    turn = path.world_from_camera[:, :3, :3] @ np.linalg.inv(path.intrinsics)
    rays = (turn[frame] @ np.append(pixel, np.ones((len(pixel), 1)), axis=1)[:, :, None])[:, :, 0]
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _errors(
    points: NDArray, track: NDArray, frame: NDArray, pixel: NDArray, path: CameraPath, count: int
) -> NDArray[np.float64]:
    """(P,): RMS reprojection error of each point in pixels; infinite if the point is behind a camera."""
    pose = path.camera_from_world[frame]
    local = (pose[:, :3, :3] @ points[track][:, :, None])[:, :, 0] + pose[:, :3, 3]
    projected = (path.intrinsics[frame] @ local[:, :, None])[:, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        square = ((projected[:, :2] / projected[:, 2:] - pixel) ** 2).sum(axis=1)
    square = np.where((local[:, 2] > 0) & np.isfinite(square), square, np.inf)
    total = np.zeros(count)
    np.add.at(total, track, square)
    return np.sqrt(total / np.maximum(np.bincount(track, minlength=count), 1))


def _reconstruction(
    frames: NDArray[np.uint8],
    path: CameraPath,
    points: NDArray,
    good: NDArray[np.bool_],
    error: NDArray,
    sightings: tuple[NDArray, NDArray, NDArray],
) -> Reconstruction:
    track, frame, pixel = sightings
    number = np.cumsum(good) - 1
    colours = np.zeros((len(good), 3), np.uint8)
    column, row = pixel.round().astype(int).T
    colours[track] = frames[frame, row, column]
    valid = good[track]
    observations = []
    for i in range(len(path)):
        here = valid & (frame == i)
        observations.append((number[track[here]], pixel[here]))
    mean = float(error[good].mean()) if good.any() else float("nan")
    return Reconstruction(tuple(range(len(path))), path, points[good], colours[good], tuple(observations), mean)
