"""Measures the take report of a video file, and stores it inside the mp4 and as JSON beside it.

Measuring runs in a separate process, outside all queues of shots: closing the generator ends it at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from camera.errors import InputError
from camera.evaluation.report import MeasuredCamera, TakeReport, make_report
from camera.path import CameraPath
from pipelines.media.video import complete
from pipelines.method import Progress
from pipelines.results import mp4_box
from pipelines.results.record import beside_file, restore

FORMAT = 1
TAG = "reshoot_take"
LOOK_SECONDS = 0.25
LARGEST = 64 << 20


def measure_video(video: str | Path, requested: CameraPath | None = None, *, free_lens: bool = False) -> TakeReport:
    """The report that compares ``video`` with ``requested``, or with the path stored in the file itself.

    The lens of the first frame is that of the request, if any, unless it should be estimated (``free_lens``). Raises
    `InputError` for files that are not videos, and if nothing can be tracked.
    """
    from pipelines.estimation.recovery.follow import clip_of_video
    from pipelines.estimation.recovery.recover import LEAST_AGREEING, recover

    requested = requested if requested is not None else read_recorded_path(video)
    clip = clip_of_video(video)
    if requested is not None:
        requested = requested.resized(clip.width, clip.height)
    focal = None if requested is None or free_lens else float(requested.intrinsics[0, 0, 0])
    found = recover(clip, focal_px=focal)
    return make_report(
        MeasuredCamera(
            found.kind, found.path, found.frames, found.count, found.lens, found.parallax_degrees, found.error_px,
            (found.words,), found.distance, found.agreeing >= LEAST_AGREEING,
        ),
        requested,
    )  # fmt: skip


def read_recorded_path(video: str | Path) -> CameraPath | None:
    """The path along which a result of Reshoot was shot; None for other videos."""
    try:
        return restore(video).path
    except InputError:
        return None


def save_report(video: str | Path, made: TakeReport) -> Path:
    """Store the report inside the mp4 ``video`` and as JSON beside it; returns the JSON file."""
    video = Path(video)
    text = json.dumps({TAG: FORMAT, **made.values()}, allow_nan=False).encode()
    if video.suffix.lower() == ".mp4":
        mp4_box.replace_box(video, text, kind=mp4_box.TAKE)
    sidecar = beside_file(video, "take.json")
    with complete(sidecar) as part:
        part.write_bytes(text)
    return sidecar


def read_report(video: str | Path) -> TakeReport | None:
    """Read the report inside an mp4 or beside it; None if there is none. Raises `InputError` if it is damaged."""
    video = Path(video)
    text = mp4_box.read_box(video, kind=mp4_box.TAKE)
    sidecar = beside_file(video, "take.json")
    if text is None and sidecar.is_file() and sidecar.stat().st_size <= LARGEST:
        text = sidecar.read_bytes()
    return None if text is None else parse_report(text)


def parse_report(text: bytes) -> TakeReport:
    try:
        values = json.loads(text)
        if values.pop(TAG) > FORMAT:
            raise InputError("The take report was made by a newer Reshoot; update to open it.")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InputError("The take report is damaged; measure the shot again.") from error
    return TakeReport.of(values)


def measure_steps(video: str | Path, requested: CameraPath | None = None) -> Iterator[Progress | TakeReport]:
    """Measure ``video`` in a subprocess, which also saves the report: yields `Progress`, then the report. Closing this ends the process."""
    from camera.formats.reshoot import write

    video, start = Path(video), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reshoot-take-") as folder:
        command = [
            sys.executable,
            "-m",
            "pipelines.cli.evaluation.take_report",
            str(video),
            "--out",
            f"{folder}/take.json",
        ]
        if requested is not None:
            (Path(folder) / "asked.json").write_bytes(write(requested))
            command += ["--path", f"{folder}/asked.json"]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                while process.poll() is None:
                    yield Progress("Measuring the camera", 0, 1, note=f"{time.monotonic() - start:.0f} s, on the CPU")
                    time.sleep(LOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
            assert process.stderr is not None
            messages = process.stderr.read().decode(errors="replace").strip().splitlines()
        out = Path(folder) / "take.json"
        if not out.is_file():
            raise InputError(messages[-1] if messages else "The camera of the shot could not be measured.")
        yield parse_report(out.read_bytes())
