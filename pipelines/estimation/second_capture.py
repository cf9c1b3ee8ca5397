"""Registers a second capture of the same place to the world of the first, from matched points that both depths lift to 3D.

Corners are matched between pictures of both (SIFT, Lowe 2004). Each match is a 3D point in both worlds, so that scale, rotation
and translation follow from three of them; the best of many triples (RANSAC) is refined with all inliers (Umeyama 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.depth_edges import reliable_depth
from camera.errors import InputError
from camera.evaluation.paths import Similarity, fit_similarity
from camera.path import spread_indices
from camera.render.painters import SelfRenderedScene
from camera.view import Scene, View

LOOKED_AT, KEPT = 6, 12
"""Number of matched pictures per capture, and of pictures used from the second, evenly spaced."""
MOST_SIDE, MOST_CORNERS = 960, 3000
RATIO = 0.8
"""Maximum ratio of the distances of the best and the second best match (Lowe's test)."""
TRIPLES = 2000
AGREES = 0.03
"""Maximum distance between a match's two points for an inlier, as a share of their distance from the camera."""
FEWEST, LEAST_SHARE = 16, 0.1
"""Minimum number and share of inliers for a registration."""


@dataclass(frozen=True, eq=False)
class Registration:
    """``scene``: the first capture, with the second's pictures among its others. ``similarity``: from the second's world to the first's.
    ``matches``: number of matched points; ``agreeing``: number of inliers; ``residual``: their median error as a share of the distance."""

    scene: Scene
    similarity: Similarity
    matches: int
    agreeing: int
    residual: float

    def sentence(self) -> str:
        return (
            f"Second capture registered by {self.agreeing} of {self.matches} matched points, whose error is {self.residual:.2%} of their "
            f"distance; scale {self.similarity.scale:.4g}. Its pictures fill areas that the first does not show."
        )


def add_capture(scene: Scene, second: Scene) -> Registration:
    """``scene`` with its holes filled by ``second``, a capture of the same place with depth.

    Everything in the second is assumed to be static. Raises `InputError` if the two have too little in common.
    """
    for each in (scene, second):
        if isinstance(each, SelfRenderedScene):
            raise InputError(f"Captures are matched by their pictures, but {each.name} is {each.source}.")
    ours, theirs, away = match_captures(scene, second)
    similarity, agreeing = _best(theirs, ours, away)
    off = np.linalg.norm(similarity(theirs[agreeing]) - ours[agreeing], axis=1) / away[agreeing]
    placed = tuple(place(second.views[i], similarity) for i in spread_indices(len(second.views), KEPT))
    whole = replace(scene, others=(*scene.others, *placed))
    return Registration(whole, similarity, len(ours), int(agreeing.sum()), float(np.median(off)))


def place(view: View, similarity: Similarity) -> View:
    """A view moved to another world: its pose is transformed and its depth scaled."""
    pose = view.world_from_camera.copy()
    pose[:3, :3], pose[:3, 3] = similarity.rotation @ pose[:3, :3], similarity(pose[:3, 3])
    depth = np.where(view.known, view.depth * np.float32(similarity.scale), np.float32(np.nan))
    return View.of(view.colour, depth, view.intrinsics, pose)


def match_captures(scene: Scene, second: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Matched points (N,3) in both worlds, and the distances (N,) of the first ones from their camera. Raises `InputError` for too few."""
    first = [_Corners.of(scene.views[i]) for i in spread_indices(len(scene.views), LOOKED_AT)]
    other = [_Corners.of(second.views[i]) for i in spread_indices(len(second.views), LOOKED_AT)]
    found = [_matched(one, two) for one in first for two in other]
    ours, theirs, away = (np.concatenate([each[k] for each in found]) for k in range(3))
    if len(ours) < FEWEST:
        raise InputError(
            f"Only {len(ours)} points of the two captures match, and {FEWEST} are needed; use pictures that show the same things "
            "from nearby places."
        )
    return ours, theirs, away


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of one picture: ``points`` (N,3) in its world, descriptors ``words`` (N,128), distances ``away`` (N,) from the camera."""

    points: NDArray[np.float64]
    words: NDArray[np.float32]
    away: NDArray[np.float64]

    @staticmethod
    def of(view: View) -> _Corners:
        small = view.at_most(MOST_SIDE)
        grey = cv2.cvtColor(small.colour, cv2.COLOR_RGB2GRAY)
        found, words = cv2.SIFT_create(MOST_CORNERS).detectAndCompute(grey, None)  # type: ignore[attr-defined]
        if not found:
            return _Corners(np.zeros((0, 3)), np.zeros((0, 128), np.float32), np.zeros(0))
        pixel = np.array([corner.pt for corner in found])
        column, row = np.clip(np.rint(pixel).astype(int), 0, [small.width - 1, small.height - 1]).T
        good = (small.known & reliable_depth(small.depth))[row, column]
        pixel, depth = pixel[good], small.depth[row, column][good].astype(np.float64)
        local = np.append(pixel, np.ones((len(pixel), 1)), axis=1) @ np.linalg.inv(small.intrinsics).T * depth[:, None]
        pose = small.world_from_camera
        return _Corners(local @ pose[:3, :3].T + pose[:3, 3], words[good], np.linalg.norm(local, axis=1))


def _matched(one: _Corners, other: _Corners) -> tuple[NDArray, NDArray, NDArray]:
    """Points of both and distances, for mutual best matches that pass the ratio test."""
    if min(len(one.points), len(other.points)) < 2:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
    there, back = _clear_matches(one.words, other.words), _clear_matches(other.words, one.words)
    pairs = np.array([(i, j) for i, j in there.items() if back.get(j) == i], int).reshape(-1, 2)
    return one.points[pairs[:, 0]], other.points[pairs[:, 1]], one.away[pairs[:, 0]]


def _clear_matches(words: NDArray[np.float32], others: NDArray[np.float32]) -> dict[int, int]:
    """The best match of each descriptor, if the second best is clearly worse."""
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words, others, k=2)
    return {best.queryIdx: best.trainIdx for best, second in pairs if best.distance < RATIO * second.distance}


def _best(points: NDArray, goals: NDArray, away: NDArray) -> tuple[Similarity, NDArray[np.bool_]]:
    """The similarity from ``points`` to ``goals`` with the most inliers, and the inlier mask."""
    chance = np.random.default_rng(0)
    best = np.zeros(len(points), bool)
    for triple in chance.integers(0, len(points), (TRIPLES, 3)):
        if len(set(triple.tolist())) < 3:
            continue
        agreeing = _agreeing(_similarity(points[triple], goals[triple]), points, goals, away)
        if agreeing.sum() > best.sum():
            best = agreeing
    if best.sum() < max(FEWEST, LEAST_SHARE * len(points)):
        raise InputError(
            f"Of {len(points)} matched points only {int(best.sum())} agree on the position of the second capture; use pictures that "
            "show the same things from nearby places, with depth."
        )
    similarity = fit_similarity(points[best], goals[best])
    for _ in range(3):
        best = _agreeing(similarity, points, goals, away)
        similarity = fit_similarity(points[best], goals[best])
    return similarity, _agreeing(similarity, points, goals, away)


def _similarity(points: NDArray, goals: NDArray) -> Similarity | None:
    try:
        found = fit_similarity(points, goals)
    except InputError:  # points on one line
        return None
    return found if 1e-4 < found.scale < 1e4 else None


def _agreeing(similarity: Similarity | None, points: NDArray, goals: NDArray, away: NDArray) -> NDArray[np.bool_]:
    if similarity is None:
        return np.zeros(len(points), bool)
    return np.linalg.norm(similarity(points) - goals, axis=1) < AGREES * away
