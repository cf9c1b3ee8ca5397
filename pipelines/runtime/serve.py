"""Shoots for another Space: takes a job file, and yields progress and a file with the result."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from camera.errors import InputError
from pipelines.environment import is_offered
from pipelines.method import Clip, Progress
from pipelines.results.record import Record, record, save
from pipelines.runtime.dispatch import generate
from pipelines.runtime.job_file import check_sender, read_job
from pipelines.runtime.progress_clock import Report


def serve(job: str) -> Iterator[tuple[dict, str | None]]:
    """Shoot a job file for another Space: yields progress as plain values, and last the file with the result, which exists
    until the generator continues.

    An `InputError` is yielded as ``{"refused": sentence}``, since error texts are not always transmitted.
    """
    try:
        check_sender(job)
        shot = read_job(job)
        name = shot.method.name
        if not is_offered(name):
            raise InputError(f"{name} is not offered by this Space; name its own Space in RESHOOT_SIBLINGS.")
        clip: Clip | None = None
        report: Report | None = None
        for item in generate(shot):
            if isinstance(item, Progress):
                yield _progress_values(item), None
            elif isinstance(item, Clip):
                clip = item
            else:
                report = item
        assert clip is not None
        made = record(shot, report=report)
        with tempfile.TemporaryDirectory(prefix="reshoot-job-") as folder:
            yield {"phase": "Sending", "step": 1, "steps": 1}, str(_pack(Path(folder), clip, made))
    except InputError as error:
        yield {"refused": str(error)}, None


def _pack(folder: Path, clip: Clip, made: Record) -> Path:
    saved = save(folder, "result", clip, made)
    head = {
        "extras": {title: file.name for title, file in saved.companions.items()},
        "files": {title: file.name for title, file in saved.files.items()},
        "notes": list(clip.notes),
        "path": clip.path.values(),
    }
    packed = folder / "result.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("head.json", json.dumps(head))
        for file in (saved.video, *saved.companions.values(), *saved.files.values()):
            archive.write(file, file.name)
    return packed


def _progress_values(progress: Progress) -> dict[str, Any]:
    """Progress as plain values, without the preview picture: it would cost more than the step."""
    values = asdict(progress)
    del values["preview"]
    return values
