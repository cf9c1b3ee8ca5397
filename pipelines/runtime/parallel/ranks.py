"""Starts the processes of one shot over several GPUs, and reads the events of the first."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from camera.errors import InputError
from pipelines.method import Clip, Progress
from pipelines.runtime.clip_file import clip_of_bytes, report_of
from pipelines.runtime.job_file import write_job
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

_BY_LOCAL_DECISION = "first block"
"""This step cache decides from a process's own tokens; if two processes decide differently, both wait forever."""


def run(shot: Shot) -> Iterator[Progress | Clip | Report]:
    """Like `pipelines.generate`, on the number of this machine's GPUs in the options (CPU processes, if it has no GPU).

    Closing the generator ends all processes at once. Raises `InputError`.
    """
    gpus = shot.options.gpus
    shot.check()
    check(shot)
    _check_here(gpus)
    with tempfile.TemporaryDirectory(prefix="reshoot-ranks-") as name:
        folder = Path(name)
        write_job(folder / "job.npz", shot, files=True)
        processes = [_start_process(folder, rank, gpus, port) for port in [_free_port()] for rank in range(gpus)]
        watching = threading.Thread(target=_watch, args=(processes,), daemon=True)
        watching.start()
        try:
            yield from _listen(processes[0], folder, shot)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                _end_process(process)
            watching.join()


def check(shot: Shot) -> None:
    """Raise `InputError` for shots that cannot run on the requested GPUs, on this machine or in a pool."""
    if shot.options.gpus > 1 and shot.options.cache == _BY_LOCAL_DECISION:
        raise InputError(f"Step cache {_BY_LOCAL_DECISION} does not run on several GPUs; choose TaylorSeer or none.")


def _check_here(gpus: int) -> None:
    import torch

    here = torch.cuda.device_count()
    if here and here < gpus:
        raise InputError(f"This machine has {here} GPUs, fewer than the {gpus} requested.")


def _start_process(folder: Path, rank: int, ranks: int, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "pipelines.runtime.parallel.rank", *map(str, (folder, rank, ranks, port))]
    root = Path(__file__).parents[3]
    with open(folder / f"errors-{rank}.txt", "w") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root)


def _watch(processes: list[subprocess.Popen]) -> None:
    """If one process fails, stop the others, which would otherwise wait for it forever."""
    waiting = list(processes)
    while waiting:
        for process in list(waiting):
            try:
                status = process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
            waiting.remove(process)
            if status:
                for other in waiting:
                    other.terminate()


def _listen(first: subprocess.Popen, folder: Path, shot: Shot) -> Iterator[Progress | Clip | Report]:
    assert first.stdout is not None
    done = False
    for line in first.stdout:
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        kind, value = event["kind"], event["value"]
        if kind == "refused":
            raise InputError(value)
        if kind == "clip":
            yield clip_of_bytes((folder / value).read_bytes(), shot.scene)
        elif kind == "report":
            done = True
            yield report_of(value)
        else:
            yield _progress(value, folder)
    if not done:
        raise InputError(f"A process of this shot over several GPUs ended early: {_last_words(folder)}")


def _progress(value: dict[str, Any], folder: Path) -> Progress:
    preview = value.pop("preview")
    return Progress(**value, preview=None if preview is None else np.load(folder / preview, allow_pickle=False))


def _last_words(folder: Path) -> str:
    """The error that a process printed last."""
    for file in sorted(folder.glob("errors-*.txt")):
        lines = [line for line in file.read_text().splitlines() if "Error" in line and not line.startswith(" ")]
        if lines:
            return lines[-1]
    return "it was killed, most likely because memory ran out"


def _end_process(process: subprocess.Popen) -> None:
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
