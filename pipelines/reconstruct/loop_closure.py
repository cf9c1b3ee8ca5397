"""Loop closure for a camera that ends where it began, as in a 360 degree orbit: estimates and distributes its drift.

Corners of the last frames are matched to points triangulated in the first frames, which gives the true poses of the last
cameras. A pose graph then adjusts all cameras between: every step stays as close as possible to the given one, and the last
cameras reach their recognised poses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.rotation import angle_degrees, orthonormal, scipy_rotation
from pipelines.estimation import sfm as pose
from pipelines.estimation.sfm import Reconstruction
from pipelines.estimation.tracking import RETURN_PX, track_points

if TYPE_CHECKING:
    from scipy.sparse import spmatrix

    from pipelines.estimation.colmap import Matcher

SHARE, MOST_FRAMES, FEWEST_FRAMES = 12, 12, 5
"""Beginning and end are this fraction (1 / SHARE) of the frames each, from FEWEST_FRAMES to MOST_FRAMES."""
ROUNDS = 2
"""Number of rounds: the beginning drifts too, and the cameras of the first round improve its points for the second."""
SHOWN_AGAIN = 4
"""Number of last frames to examine."""
MOST_CORNERS = 2000
"""Maximum number of corners per frame."""
PATCH = 0.03
"""Size of the descriptor patch of a corner, as a share of the picture's height."""
RATIO = 0.85
"""Ratio test: the nearest descriptor must be closer than this ratio times the second nearest (Lowe 2004)."""
MISS_PX = 3.0
"""Maximum error of a recognised point in pixels at 480 rows, at least 1.5."""
FEWEST_RECOGNISED, LEAST_RECOGNISED = 15, 0.2
"""Minimum number of inlier points, and their minimum share of the candidates, to recognise a frame's pose."""
MET_DEGREES, MET_SHARE = 1.0, 0.05
"""Estimated cameras of a closed path meet if their end is off by at most this rotation, and this share of the radius."""
STEP_DEGREES, STEP_LENGTH = 0.5, 0.1
"""Standard deviation of one step: rotation, and position as a share of the mean step length."""
END_DEGREES, END_LENGTH = 0.2, 0.2
"""Standard deviation of a recognised pose: rotation, and position as a share of the mean step length."""


@dataclass(frozen=True, eq=False)
class ClosedLoop:
    """``path``: all cameras, the first as given.

    ``gap_degrees`` and ``gap_length`` (scene units): how far the last recognised camera was off in the given path.
    ``points``: number of points that this is based on.
    """

    path: CameraPath
    gap_degrees: float
    gap_length: float
    points: int

    @property
    def gap_share(self) -> float:
        """``gap_length`` as a share of the orbit's radius."""
        reach = float(np.linalg.norm(self.path.centres - self.path.centres.mean(axis=0), axis=1).max())
        return self.gap_length / max(reach, 1e-12)

    @property
    def words(self) -> str:
        return (
            f"closed: the end missed the beginning by {self.gap_degrees:.1f} degrees and "
            f"{self.gap_share:.0%} of the orbit's radius, distributed over all frames"
        )


@dataclass(frozen=True, eq=False)
class _Revisit:
    """The pose (4,4) of frame ``frame``, estimated from ``points`` points of the beginning."""

    frame: int
    world_from_camera: NDArray[np.float64]
    points: int


def close_loop(frames: NDArray[np.uint8], path: CameraPath, *, masks: NDArray[np.bool_] | None = None) -> ClosedLoop:
    """Cameras of ``frames`` (F,H,W,3), initialised with ``path`` and closed where its end shows its beginning.

    ``masks`` (F,H,W): True on pixels to ignore. Raises `InputError` if the end does not show the beginning.
    """
    count = _window(len(path))
    if len(path) < 2 * count:
        raise InputError(
            f"Closing a path needs at least {2 * FEWEST_FRAMES} frames, got {len(path)}; set it to not closed."
        )
    current, first = path, None
    for _ in range(ROUNDS):
        again = _find_revisits(frames, current, masks, count)
        if not again:
            break
        first = first or again[-1]
        current = current.with_poses(_optimise_poses(current, again))
    if first is None:
        raise InputError(
            "The path is set to closed, but its last frames do not show what its first frames show; "
            "set it to not closed, or use frames that go all the way round."
        )
    given = path.world_from_camera[first.frame]
    degrees = float(angle_degrees(given[:3, :3], first.world_from_camera[:3, :3]))
    length = float(np.linalg.norm(given[:3, 3] - first.world_from_camera[:3, 3]))
    return ClosedLoop(current, degrees, length, first.points)


def join_ends(
    frames: NDArray[np.uint8],
    found: Reconstruction,
    *,
    masks: NDArray[np.bool_] | None = None,
    matcher: Matcher | None = None,
) -> tuple[Reconstruction, str]:
    """Join the ends of a closed path of estimated cameras; also returns the size of the gap.

    ``found`` is the reconstruction of ``frames`` (F,H,W,3). If no match joins its ends, they may still have drifted apart: then its
    cameras are adjusted as a pose graph and refined from there. Raises `InputError` if the end does not show the beginning.
    """
    numbers = list(found.frames)
    used_frames, hidden = frames[numbers], None if masks is None else masks[numbers]
    ended = close_loop(used_frames, found.path, masks=hidden)
    if ended.gap_degrees <= MET_DEGREES and ended.gap_share <= MET_SHARE:
        return found, f"closed: the end meets the beginning to {ended.gap_degrees:.1f} degrees"
    better = pose.refine_cameras(used_frames, ended.path, masks=hidden, pairing="closed", matcher=matcher).found
    return replace(better, frames=tuple(numbers[i] for i in better.frames)), ended.words


def _window(count: int) -> int:
    return int(np.clip(count // SHARE, FEWEST_FRAMES, MOST_FRAMES))


# --- recognising -----------------------------------------------------------------------------------------------------


def _find_revisits(
    frames: NDArray[np.uint8], path: CameraPath, masks: NDArray[np.bool_] | None, count: int
) -> list[_Revisit]:
    """The last frames that show most points of the beginning, which is ``count`` frames long."""
    begin = slice(0, count)
    start = track_points(frames[begin], path.sliced(begin), masks=None if masks is None else masks[begin]).found
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames[begin]]
    known = [_descriptors(grey, start.seen[j][1]) for j, grey in enumerate(greys)]
    found = []
    for frame in range(len(path) - SHOWN_AGAIN, len(path)):
        grey = cv2.cvtColor(frames[frame], cv2.COLOR_RGB2GRAY)
        rough = _recognise(grey, path.intrinsics[frame], start, known, None if masks is None else masks[frame])
        fine = None if rough is None else _follow_from(grey, path.intrinsics[frame], start, greys, rough)
        if fine is not None:
            found.append(_Revisit(frame, *fine))
    most = max((each.points for each in found), default=0)
    return [each for each in found if 2 * each.points >= most]


def _recognise(
    grey: NDArray[np.uint8],
    lens: NDArray,
    start: Reconstruction,
    known: list[NDArray[np.float32]],
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.float64] | None:
    """Approximate pose (4,4) of a frame, camera from world, from corners that match those of the beginning."""
    where = None if mask is None else (255 * ~mask).astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(grey, MOST_CORNERS, 0.01, 3, mask=where)
    if corners is None:
        return None
    pixels = corners.reshape(-1, 2).astype(np.float64)
    here, pairs = _descriptors(grey, pixels), []
    for j, descriptors in enumerate(known):
        match = _mutual(here, descriptors)
        pairs.append(np.stack([match[:, 0], start.seen[j][0][match[:, 1]]], axis=1))
    pair = np.unique(np.concatenate(pairs), axis=0)
    placed = _pose(start.points[pair[:, 1]], pixels[pair[:, 0]], lens, 2 * _tolerance_px(grey))
    return None if placed is None else placed[0]


def _follow_from(
    grey: NDArray[np.uint8], lens: NDArray, start: Reconstruction, greys: list[NDArray[np.uint8]], rough: NDArray
) -> tuple[NDArray, int] | None:
    """Refined pose of a frame, world from camera, and the number of its points: those of the beginning's nearest frame, tracked
    from the positions that ``rough`` (4,4) predicts."""
    centre = np.linalg.inv(rough)[:3, 3]
    nearest = int(np.argmin(np.linalg.norm(start.path.centres - centre, axis=1)))
    numbers, places = start.seen[nearest]
    points = start.points[numbers]
    local = points @ rough[:3, :3].T + rough[:3, 3]
    ahead = local[:, 2] > 0
    points, places, local = points[ahead], places[ahead].astype(np.float32), local[ahead]
    if len(points) < FEWEST_RECOGNISED:
        return None
    expected = (local @ lens.T)[:, :2] / local[:, 2:]
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    there, found_forward, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        greys[nearest], grey, places, expected.astype(np.float32), flags=flags
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(grey, greys[nearest], there, places.copy(), flags=flags)  # type: ignore[call-overload]
    valid = (found_forward[:, 0] == 1) & (found_back[:, 0] == 1) & (np.linalg.norm(back - places, axis=1) < RETURN_PX)
    placed = _pose(points[valid], there[valid].astype(np.float64), lens, _tolerance_px(grey))
    return None if placed is None else (np.linalg.inv(placed[0]), placed[1])


def _tolerance_px(grey: NDArray[np.uint8]) -> float:
    return max(MISS_PX * grey.shape[0] / 480, 1.0)


def _pose(points: NDArray, pixels: NDArray, lens: NDArray, miss: float) -> tuple[NDArray, int] | None:
    """RANSAC pose (4,4), camera from world, from points (N,3) and pixels (N,2), and the number of inliers."""
    if len(points) < FEWEST_RECOGNISED:
        return None
    cv2.setRNGSeed(0)
    good, turn, shift, inliers = cv2.solvePnPRansac(
        points, pixels, lens, None, iterationsCount=2000, reprojectionError=miss, flags=cv2.SOLVEPNP_SQPNP
    )
    if not good or inliers is None or len(inliers) < max(FEWEST_RECOGNISED, LEAST_RECOGNISED * len(points)):
        return None
    inlier_indices = np.asarray(inliers, np.int64)[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[inlier_indices], pixels[inlier_indices], lens, None, turn, shift)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    return pose, len(inlier_indices)


def _descriptors(grey: NDArray[np.uint8], pixels: NDArray) -> NDArray[np.float32]:
    """(K,128): upright SIFT descriptors of one size."""
    if not len(pixels):
        return np.zeros((0, 128), np.float32)
    size = max(PATCH * grey.shape[0], 4.0)
    corners = [cv2.KeyPoint(float(x), float(y), size, 0.0) for x, y in pixels]
    _, found = cv2.SIFT_create().compute(grey, corners)  # type: ignore[attr-defined]
    return np.asarray(found, np.float32)


def _mutual(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M,2): mutual nearest neighbours that pass the ratio test."""
    if len(one) < 2 or len(other) < 2:
        return np.zeros((0, 2), np.int64)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    back = {match.queryIdx: match.trainIdx for match in matcher.match(other, one)}
    both = [
        (first.queryIdx, first.trainIdx)
        for first, second in matcher.knnMatch(one, other, k=2)
        if first.distance < RATIO * second.distance and back.get(first.trainIdx) == first.queryIdx
    ]
    return np.array(both, np.int64).reshape(-1, 2)


# --- the graph of poses ----------------------------------------------------------------------------------------------


def _optimise_poses(path: CameraPath, again: list[_Revisit]) -> NDArray[np.float64]:
    """Poses (F,4,4) closest to the given steps and to the recognised poses."""
    from scipy.optimize import least_squares

    graph = _Graph.of(path, again)
    scale = np.tile([0.1, 0.1, 0.1, *[graph.length] * 3], len(path) - 1)
    solved = least_squares(graph.misses, graph.guess(), jac_sparsity=graph.sparsity(), ftol=1e-4, x_scale=scale)
    poses = np.repeat(np.eye(4)[None], len(path), axis=0)
    turns, poses[:, :3, 3] = graph.poses(solved.x)
    poses[:, :3, :3] = orthonormal(turns)
    return poses


@dataclass(frozen=True, eq=False)
class _Graph:
    """Unknowns: a rotation vector in its camera and a position (3,) for every frame but the first.

    ``given`` and ``steps``: the poses, and each relative to the previous one. ``length``: mean length of a step.
    """

    given: NDArray[np.float64]
    steps: NDArray[np.float64]
    length: float
    again: list[_Revisit]

    @staticmethod
    def of(path: CameraPath, again: list[_Revisit]) -> _Graph:
        steps = inverse(path.world_from_camera[:-1]) @ path.world_from_camera[1:]
        length = max(float(np.linalg.norm(steps[:, :3, 3], axis=1).mean()), 1e-12)
        return _Graph(path.world_from_camera, steps, length, again)

    def poses(self, unknown: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotations (F,3,3) and positions (F,3)."""
        each = unknown.reshape(-1, 6)
        turns = self.given[1:, :3, :3] @ scipy_rotation().from_rotvec(each[:, :3]).as_matrix()
        return np.concatenate([self.given[:1, :3, :3], turns]), np.concatenate([self.given[:1, :3, 3], each[:, 3:]])

    def guess(self) -> NDArray[np.float64]:
        """The given poses, with the correction of the last recognised one blended in over all frames."""
        last = self.again[-1]
        share = np.arange(1, len(self.given))[:, None] / last.frame
        given = self.given[last.frame]
        turn = scipy_rotation().from_matrix(last.world_from_camera[:3, :3] @ given[:3, :3].T).as_rotvec()
        partly = scipy_rotation().from_rotvec(share * turn).as_matrix()
        turns = self.given[1:, :3, :3].swapaxes(1, 2) @ partly @ self.given[1:, :3, :3]
        places = self.given[1:, :3, 3] + share * (last.world_from_camera[:3, 3] - given[:3, 3])
        return np.concatenate([scipy_rotation().from_matrix(turns).as_rotvec(), places], axis=1).ravel()

    def misses(self, unknown: NDArray) -> NDArray[np.float64]:
        """All residuals in standard deviations: six for every step, then six for every recognised frame."""
        turns, places = self.poses(unknown)
        back = turns[:-1].swapaxes(1, 2)
        turned = scipy_rotation().from_matrix(self.steps[:, :3, :3].swapaxes(1, 2) @ back @ turns[1:]).as_rotvec()
        moved = (back @ (places[1:] - places[:-1])[:, :, None])[:, :, 0] - self.steps[:, :3, 3]
        steps = np.concatenate([turned / np.radians(STEP_DEGREES), moved / (STEP_LENGTH * self.length)], axis=1)
        which = [each.frame for each in self.again]
        found = np.stack([each.world_from_camera for each in self.again])
        off = scipy_rotation().from_matrix(found[:, :3, :3].swapaxes(1, 2) @ turns[which]).as_rotvec()
        away = places[which] - found[:, :3, 3]
        ends = np.concatenate([off / np.radians(END_DEGREES), away / (END_LENGTH * self.length)], axis=1)
        return np.concatenate([steps.ravel(), ends.ravel()])

    def sparsity(self) -> spmatrix:
        """Sparsity pattern of the Jacobian: which residual depends on which unknown."""
        from scipy.sparse import kron, lil_matrix

        count = len(self.steps)
        blocks = lil_matrix((count + len(self.again), count), dtype=np.int8)
        for step in range(count):
            blocks[step, max(step - 1, 0) : step + 1] = 1
        for row, each in enumerate(self.again, count):
            blocks[row, each.frame - 1] = 1
        return kron(blocks, np.ones((6, 6), np.int8), format="csr")  # type: ignore[return-value]
