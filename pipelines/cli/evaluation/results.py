"""Scores results of Reshoot, other videos with a path file beside them, and poses estimated elsewhere."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from camera.errors import InputError
from camera.evaluation.numbers import score_path
from camera.evaluation.report import MeasuredCamera, TakeReport, make_report
from camera.formats import read
from camera.path import CameraPath
from pipelines.cli.evaluation import pictures
from pipelines.inputs.datasets.clips import DatasetClip, clip_of
from pipelines.results.record import Record, restore
from pipelines.results.take_report import measure_video, parse_report, read_report
from pipelines.results.take_report import save_report as keep_report

if TYPE_CHECKING:
    from pipelines.cli.evaluation.lpips import Lpips

PATH_ENDINGS = (".json", ".txt", ".npz", ".zip")
Estimator = Callable[[Any, float], Any]


@dataclass(frozen=True, eq=False)
class ResultScores:
    """The scores of one result: its identity, the number of placed frames, all metrics by key, and notes on what could not be determined."""

    name: str
    method: str
    weights: str
    move: str
    seed: str
    frames: int
    placed: int
    numbers: dict[str, float | None]
    notes: tuple[str, ...]
    report: TakeReport


def videos(given: Sequence[Path]) -> list[Path]:
    """The mp4s among files and folders, without companion videos; raises `InputError` if there are none."""
    found: list[Path] = []
    for one in given:
        if not one.exists():
            raise InputError(f"{one} does not exist.")
        found += sorted(one.rglob("*.mp4")) if one.is_dir() else [one]
    named = set(found)
    results = [file for file in found if not any(_is_companion(file, other) for other in named)]
    if not results:
        raise InputError("There is no mp4 among the given files.")
    return results


def _is_companion(file: Path, other: Path) -> bool:
    return file != other and file.parent == other.parent and file.stem.startswith(f"{other.stem}-")


def score(
    video: Path,
    *,
    path: Path | None = None,
    poses: Path | None = None,
    model: str = "",
    cache: Path | None = None,
    truth: Path | None = None,
    data: Path | None = None,
    lpips: Lpips | None = None,
) -> ResultScores:
    """Score one video against the path stored in it, ``path``, or a path file with its name beside it.

    ``poses``: a path file with the achieved cameras of every frame. ``model``: ``package.module:function``, which gets
    frames (F,H,W,3) and frames per second and returns a `CameraPath` of all frames, or a path and the placed frames' indices.
    ``truth``: true frames as a video, or a folder of videos with the same names. ``data``: a data set whose clip with the video's
    name provides true frames, and the path if the video contains none; see `pipelines.inputs.datasets.clips`. ``lpips``: a network
    that also compares with true frames.
    """
    made, true = _read_record(video), None if data is None else _read_true_clip(video, data)
    requested = true.path if true is not None and made is None and path is None else _read_requested(video, path, made)
    if poses is not None:
        report = _compare(requested, read(poses.name, poses.read_bytes(), like=requested), None, poses.name)
    elif model:
        report = _by_model(video, requested, model, cache)
    else:
        report = _measure(video, requested)
    one = _score_report(video.stem, made, requested, report)
    return replace(
        one, numbers=one.numbers | pictures.numbers(video, requested, truth if true is None else true.frames, lpips)
    )


def score_poses(poses: Path, requested: Path) -> ResultScores:
    """Score two path files without any video."""
    asked = read(requested.name, requested.read_bytes())
    return score_poses_of(asked, read(poses.name, poses.read_bytes(), like=asked), poses.stem)


def score_poses_of(requested: CameraPath, achieved: CameraPath, name: str) -> ResultScores:
    """Score two paths."""
    return _score_report(name, None, requested, _compare(requested, achieved, None, name))


def _score_report(name: str, made: Record | None, requested: CameraPath, report: TakeReport) -> ResultScores:
    placed = list(report.frames)
    notes = list(report.words)
    numbers: dict[str, float | None] = {}
    if len(placed) >= 2 and report.requested is not None:
        asked = requested.resized(report.achieved_path.width, report.achieved_path.height).sliced(placed)  # type: ignore[arg-type]
        numbers, reasons = score_path(report.achieved_path, asked, count=report.count)
        notes += reasons
    seed = "" if made is None else str(made.settings.get("seed", ""))
    weights = "" if made is None else made.weights
    move = hashlib.sha256(np.round(requested.world_from_camera, 6).tobytes()).hexdigest()[:8]
    method = "" if made is None else made.method
    return ResultScores(name, method, weights, move, seed, report.count, len(placed), numbers, tuple(notes), report)


def _read_record(video: Path) -> Record | None:
    try:
        return restore(video)
    except InputError:
        return None


def _read_true_clip(video: Path, data: Path) -> DatasetClip:
    """The data set's clip with the video's number of frames and size."""
    from pipelines.media.video import probe

    facts = probe(video)
    return clip_of(video.stem, data).fitted(facts.frames, facts.width, facts.height)


def _read_requested(video: Path, path: Path | None, made: Record | None) -> CameraPath:
    if path is not None:
        return read(path.name, path.read_bytes())
    if made is not None:
        return made.path
    for ending in PATH_ENDINGS:
        beside = video.with_suffix(ending)
        if beside.is_file():
            return read(beside.name, beside.read_bytes())
    raise InputError(f"{video.name} contains no path and none is beside it; add --path.")


def _measure(video: Path, requested: CameraPath) -> TakeReport:
    """The report in the file if it belongs to this move; otherwise measures it and stores it there, so that a second run can resume."""
    known = read_report(video)
    if known is not None and known.requested is not None:
        asked = CameraPath(**known.requested)
        same = len(asked) <= len(requested)
        if same and np.allclose(asked.world_from_camera, requested.world_from_camera[: len(asked)], atol=1e-6):
            return known
    made = measure_video(video, requested)
    keep_report(video, made)
    return made


def _compare(requested: CameraPath, achieved: CameraPath, frames: Sequence[int] | None, source: str) -> TakeReport:
    placed = range(len(achieved)) if frames is None else frames
    count = len(requested) if frames is not None else len(achieved)
    travels = float(np.linalg.norm(achieved.centres - achieved.centres[0], axis=1).max()) > 1e-9
    found = MeasuredCamera(
        "travel" if travels else "pan", achieved, placed, count, "found", 90.0, 0.0, (f"Poses of {source}.",)
    )
    made = make_report(found, requested)
    return made


def _by_model(video: Path, requested: CameraPath, model: str, cache: Path | None) -> TakeReport:
    file = None
    if cache is not None:
        digest = hashlib.sha256(model.encode() + video.read_bytes()).hexdigest()[:16]
        file = cache / f"{video.stem}-{digest}.json"
        if file.is_file():
            return parse_report(file.read_bytes())
    from pipelines.media.video import complete, read_video

    frames, fps = read_video(video)
    answer = estimator(model)(frames, fps)
    achieved, placed = answer if isinstance(answer, tuple) else (answer, range(len(frames)))
    if not isinstance(achieved, CameraPath):
        raise InputError(
            f"{model} must return a CameraPath, or one and the numbers of its frames; it returned {type(achieved).__name__}."
        )
    asked = requested.sliced(slice(0, len(frames)))
    made = _compare(asked, achieved, list(placed), model)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with complete(file) as part:
            part.write_text(json.dumps({"reshoot_take": 1, **made.values()}, allow_nan=False))
    return made


def estimator(name: str) -> Estimator:
    """Import ``package.module:function``; raises `InputError` if there is no such function."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"--model needs package.module:function that can be imported; {name!r} cannot.") from error


def score_all(given: Sequence[Path], say: Callable[[str], None], **options: Any) -> Iterator[ResultScores]:
    """Score every result; reports and skips those that cannot be scored."""
    for video in videos(given):
        try:
            yield score(video, **options)
        except InputError as error:
            say(f"{video.name}: {error}")
