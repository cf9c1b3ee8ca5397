"""Posed pictures as views with dense depth: a depth model's output, fitted to sparse points."""

from __future__ import annotations

import numpy as np

from camera.errors import InputError
from camera.view import Scene
from pipelines.estimation.depth_fit import SparseDepth
from pipelines.estimation.tracking import track_points
from pipelines.inputs.posed_images import FEWEST_POINTS, PosedPictures
from pipelines.inputs.video_scene import Estimate, posed_scene

MOST_VIEWS = 24
"""Maximum number of pictures, evenly spaced: each costs a depth estimate and a share of every rendered frame."""


def dense_views(posed: PosedPictures, estimate: Estimate) -> Scene:
    """The pictures as views with depth, at most `MOST_VIEWS`.

    Depth is fitted to the points that belong to the cameras; without points, to points tracked from picture to picture in the
    given order. Raises `InputError` if there are too few of either, or no depth model.
    """
    sparse = _choose_given_points(posed) if len(posed.points) >= FEWEST_POINTS else _follow_points(posed)
    count = len(posed.pictures)
    chosen = np.linspace(0, count - 1, min(MOST_VIEWS, count)).round().astype(int).tolist()
    few = posed.chosen(chosen)
    return posed_scene(few.pictures, few.path, estimate, [sparse[index] for index in chosen], kind="views")


def _choose_given_points(posed: PosedPictures) -> list[SparseDepth]:
    return [SparseDepth(*posed.seen_points(index)) for index in range(len(posed.pictures))]


def _follow_points(posed: PosedPictures) -> list[SparseDepth]:
    tracks = track_points(posed.pictures, posed.path)
    if tracks.agreeing < FEWEST_POINTS:
        raise InputError(
            f"The cameras came without points, and tracking corners found too few ({tracks.words}); use a COLMAP model with "
            "its points, or pictures in the order they were taken."
        )
    return [SparseDepth(*tracks.found.depths(index)) for index in range(len(posed.pictures))]
