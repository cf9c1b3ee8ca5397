"""The take report: the measured camera of a shot, how it differs from the requested one, and what could not be determined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.take import PathComparison, compare_paths
from camera.path import CameraPath
from camera.rotation import angle_degrees

FOLLOWS, DIFFERS, UNKNOWN, ALONE = "follows", "differs", "cannot be told", "nothing was asked"
MOST_TURN, MOST_WAY, MOST_LENS, MOST_LOST = 0.1, 0.1, 0.05, 0.1
"""Limits within which a shot follows its move: relative errors of rotation, end position and lens, and the share of unplaced frames."""
FEWEST_DEGREES = 1.0
"""Minimum parallax, in degrees, for lengths to be reported."""


@dataclass(frozen=True)
class TakeReport:
    """The measured camera of one shot, compared with the requested one if given; plain values that can be saved as JSON.

    ``kind``: as `pipelines.estimation.recovery.recover.Kind`. ``verdict``: "follows", "differs", "cannot be told", "nothing was
    asked". ``frames``: the placed frames, of ``count``. Per placed frame: ``turn_degrees`` and ``distance`` (errors, in ``unit``;
    empty without a request or without measurable lengths), ``lens``: achieved over requested focal length, or over the first.
    ``drift``: relative growth of lengths from the first half to the second (0.1 is 10 %), None if not measurable.
    ``jitter_degrees``: root mean square deviation of each frame's rotation from the mean of its neighbours'. ``achieved``,
    ``requested``: the paths' plain values; the achieved path is brought to the requested one's start and picture size.
    ``clip_distance``: median distance of the visible points from the first camera, in the achieved path's unit; 0 if unknown.
    """

    kind: str
    verdict: str
    words: tuple[str, ...]
    count: int
    frames: tuple[int, ...]
    turn_degrees: tuple[float, ...]
    distance: tuple[float, ...]
    lens: tuple[float, ...]
    unit: str
    turn_gain: float | None
    drift: float | None
    jitter_degrees: float
    parallax_degrees: float
    error_px: float
    lens_source: str
    achieved: dict[str, Any]
    requested: dict[str, Any] | None
    clip_distance: float = 0.0

    @property
    def unplaced(self) -> tuple[int, ...]:
        return tuple(sorted(set(range(self.count)) - set(self.frames)))

    @property
    def achieved_path(self) -> CameraPath:
        return CameraPath(**self.achieved)

    @property
    def requested_path(self) -> CameraPath | None:
        return None if self.requested is None else CameraPath(**self.requested)

    def values(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(values: Mapping[str, Any]) -> TakeReport:
        """Inverse of `values`, also after JSON; raises `InputError` if they are not a report."""
        try:
            lists = ("words", "frames", "turn_degrees", "distance", "lens")
            plain: dict[str, Any] = {name: tuple(v) if name in lists else v for name, v in values.items()}
            report = TakeReport(**plain)
            _ = report.achieved_path, report.requested_path
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError("The take report is damaged; measure the shot again.") from error
        return report


@dataclass(frozen=True, eq=False)
class MeasuredCamera:
    """The measured camera of a shot; see `pipelines.estimation.recovery.recover.CameraEstimate` for the fields."""

    kind: str
    path: CameraPath
    frames: Sequence[int]
    count: int
    lens: str
    parallax_degrees: float
    error_px: float
    words: tuple[str, ...]
    distance: float = 0.0
    reliable: bool = True


def make_report(measured: MeasuredCamera, requested: CameraPath | None = None, *, unit: str = "units") -> TakeReport:
    """Compare ``measured`` with ``requested``, whose frames are those of the shot, starting with the first.

    A shot with fewer frames than its move is compared with the move's first frames. Raises `InputError` if the move has
    fewer frames than the shot.
    """
    if requested is None or len(measured.frames) < 2 or measured.kind == "still picture":
        return _report_alone(measured, requested, unit)
    if len(requested) < measured.count:
        raise InputError(f"The shot has {measured.count} frames, the move only {len(requested)}; resample one of them.")
    request = requested.sliced(slice(0, measured.count))
    take = compare_paths(measured.path, request, frames=measured.frames, unit=unit)
    placed = request.sliced(list(measured.frames))  # type: ignore[arg-type]
    way = float(np.linalg.norm(request.relative_to_first().centres, axis=1).max())
    lengths = measured.kind == "travel" and measured.parallax_degrees >= FEWEST_DEGREES
    ours = measured.path.resized(request.width, request.height).relative_to_first().scaled(take.scale)
    drift = _drift(ours.centres, placed.relative_to_first().centres) if lengths else None
    verdict, reasons = _verdict(take, measured, request, way, lengths)
    return TakeReport(
        measured.kind, verdict, (*_sentences(take, measured, lengths, way), *reasons, *_more(drift), *measured.words), measured.count,
        tuple(int(i) for i in measured.frames), _rounded_tuple(take.turn_degrees),
        _rounded_tuple(take.distance) if lengths or measured.kind != "travel" else (), _rounded_tuple(take.lens), unit,
        None if np.isnan(take.turn_gain) else take.turn_gain, drift, jitter_degrees(measured.path, placed),
        measured.parallax_degrees, measured.error_px, measured.lens, ours.moved_to(placed.world_from_camera[0]).values(), request.values(),
        take.scale * measured.distance,
    )  # fmt: skip


def _report_alone(measured: MeasuredCamera, requested: CameraPath | None, unit: str) -> TakeReport:
    focal = measured.path.intrinsics[:, 1, 1]
    verdict = ALONE if requested is None else UNKNOWN
    return TakeReport(
        measured.kind, verdict, measured.words, measured.count, tuple(int(i) for i in measured.frames), (), (), _rounded_tuple(focal / focal[0]),
        unit, None, None, jitter_degrees(measured.path), measured.parallax_degrees, measured.error_px, measured.lens, measured.path.values(),
        None if requested is None else requested.values(), measured.distance,
    )  # fmt: skip


def jitter_degrees(path: CameraPath, requested: CameraPath | None = None) -> float:
    """RMS angle between each frame's rotation and the mean of its neighbours' rotations, minus that of the requested path."""
    if len(path) < 3:
        return 0.0
    from camera.rotation import slerp

    turns = path.world_from_camera[:, :3, :3]
    if requested is not None:
        turns = np.swapaxes(requested.world_from_camera[:, :3, :3], 1, 2) @ turns
    between = slerp(turns[:-2], turns[2:], np.full(len(turns) - 2, 0.5))
    return float(np.sqrt((angle_degrees(between, turns[1:-1]) ** 2).mean()))


def _drift(ours: NDArray[np.float64], goal: NDArray[np.float64]) -> float | None:
    """How much longer the steps of the second half are than those of the first, relative to the requested path."""
    steps = [np.linalg.norm(np.diff(centres, axis=0), axis=1) for centres in (ours, goal)]
    half = len(steps[0]) // 2
    if half < 2:
        return None
    parts = [(step[:half].sum(), step[half:].sum()) for step in steps]
    if min(min(parts[0]), min(parts[1])) < 1e-3 * max(parts[1]):
        return None
    return float(parts[0][1] / parts[1][1] / (parts[0][0] / parts[1][0]) - 1)


def _sentences(take: PathComparison, measured: MeasuredCamera, lengths: bool, way: float) -> tuple[str, ...]:
    if lengths or way == 0:
        return (take.words,)
    only = take.words.split(", ")
    words = ", ".join(part for part in only if not part.startswith(("ends", "Ends")))
    return (words if words.endswith(".") else words + ".",)


def _verdict(
    take: PathComparison, measured: MeasuredCamera, request: CameraPath, way: float, lengths: bool
) -> tuple[str, tuple[str, ...]]:
    if not measured.reliable:
        return UNKNOWN, ()
    if take.unplaced > 0.5 * measured.count:
        return UNKNOWN, ("Too few frames could be placed to judge the shot.",)
    lost = take.unplaced > MOST_LOST * measured.count
    turns = not np.isnan(take.turn_gain) and abs(take.turn_gain - 1) > MOST_TURN
    lens = measured.lens != "assumed" and bool((np.abs(take.lens - 1) > MOST_LENS).mean() > 0.5)
    if turns or lens or lost:
        return DIFFERS, ()
    if way > 0 and not lengths:
        finding = "stands" if measured.kind != "travel" else "hardly shows parallax"
        return UNKNOWN, (
            f"A travel was asked for, but the shot {finding}: too little parallax to tell how far it went.",
        )
    off = way > 0 and float(np.linalg.norm(take.end)) > MOST_WAY * way
    return (DIFFERS if off else FOLLOWS), ()


def _more(drift: float | None) -> tuple[str, ...]:
    if drift is None or abs(drift) < 0.05:
        return ()
    return (f"Lengths {'grow' if drift > 0 else 'shrink'} by {100 * abs(drift):.0f} % on the way: the scale drifts.",)


def _rounded_tuple(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(number), 6) for number in numbers)
