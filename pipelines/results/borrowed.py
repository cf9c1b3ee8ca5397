"""Borrows the move of a clip for another scene: its measured camera as few keys, scaled from the clip's subject to the scene's."""

from __future__ import annotations

from pathlib import Path

from camera.editing.keys import KeyedMove
from camera.editing.track import path_of
from camera.evaluation.borrow import BorrowedMove, Tolerance, borrow_keys, place_move, scale_to_subject, smooth_path
from camera.evaluation.report import TakeReport
from camera.objects.scene import subject_distance
from camera.path import CameraPath
from camera.view import Scene


def borrow_camera(report: TakeReport, tolerance: Tolerance | None = None, *, smooth: float = 0.0) -> BorrowedMove:
    """The fewest keys of a measured camera within ``tolerance``, after smoothing over ``smooth`` frames."""
    return borrow_keys(smooth_path(report.achieved_path.relative_to_first(), smooth), tolerance)


def fit_to_scene(found: BorrowedMove, report: TakeReport, scene: Scene, *, own_lens: bool = False) -> KeyedMove:
    """The keys relative to the scene's first camera; ``own_lens`` as in `camera.evaluation.borrow.place_move`. For a clip without
    parallax the distance is unknown, and lengths are not scaled."""
    move = found.move
    if report.clip_distance > 0:
        move = move.with_cameras(scale_to_subject(move.cameras, subject_distance(scene.first), report.clip_distance))
    return place_move(move, scene.first.camera, own_lens=own_lens)


def borrow_path(video: Path, scene: Scene, *, smooth: float = 0.0) -> tuple[CameraPath, str]:
    """The move of ``video`` as a path in ``scene``, and a description of what was done; measured if there is no report in it or beside it.

    Raises `InputError` if no camera can be measured.
    """
    from pipelines.results.take_report import measure_video, read_report

    report = read_report(video) or measure_video(video)
    found = borrow_camera(report, smooth=smooth)
    move = fit_to_scene(found, report, scene)
    return path_of(
        move, frames=len(found.path), fps=found.path.fps
    ), f"The move of {video.name} is borrowed: {found.words}"
