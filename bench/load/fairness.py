"""Waiting times between visitors: a rehearsal behind ten of another visitor, the last of ten visitors, previews beside a shot."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench import Row
from bench.room import front
from camera.path import CameraPath
from camera.trajectories.film_script import path_of
from camera.view import Scene
from pipelines.rehearsal import Viewfinder, rehearse

TEN = 10
LOOKS = 60


def fairness(frames: int) -> list[Row]:
    """Waiting times with rehearsals of ``frames`` frames at 640 x 352."""
    scene = Scene((front(352, 640),))
    path = path_of("arc 10", scene.first, frames=frames, fps=12)
    with tempfile.TemporaryDirectory() as folder:
        wait = _waiting(scene, path, Path(folder))
        wait(["alone"])  # warm-up: compiles the kernels
        alone = wait(["alone"])["alone 0"]
        behind = wait([*["greedy"] * TEN, "other"])[f"other {TEN}"]
        last = max(wait([f"visitor{number}" for number in range(TEN)]).values())
    beside, usual = _previews(scene, path)
    ratio, all_ten = behind / alone, last / alone
    return [
        Row("rehearsal behind ten of another visitor", 1e3 * behind, 1e3 * alone, f"{ratio:.1f} times a lone one",
            "<= 3 times", ratio <= 3),
        Row("last of ten visitors' rehearsals", 1e3 * last, 1e3 * alone, f"{all_ten:.1f} times a lone one",
            "<= 11 times", all_ten <= 11),
        Row("preview beside a running shot, median", beside, usual, f"{beside / usual:.1f} times", "<= 2 times",
            beside <= 2 * usual),
    ]  # fmt: skip


def _waiting(scene: Scene, path: CameraPath, folder: Path) -> Callable[[list[str]], dict[str, float]]:
    def wait(visitors: list[str]) -> dict[str, float]:
        """Seconds of each visitor, who start one after another at almost the same time."""
        seconds: dict[str, float] = {}

        def run(number: int, visitor: str) -> None:
            place, began = folder / visitor, time.perf_counter()
            place.mkdir(exist_ok=True)
            for _ in rehearse(scene, path, place / f"{number}.mp4"):
                pass
            seconds[f"{visitor} {number}"] = time.perf_counter() - began

        threads = [threading.Thread(target=run, args=numbered) for numbered in enumerate(visitors)]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        return seconds

    return wait


def _previews(scene: Scene, path: CameraPath) -> tuple[float, float]:
    """Median milliseconds of a preview during a shot, and without one."""
    viewfinder = Viewfinder(scene, path)

    def median() -> float:
        samples = []
        for number in range(LOOKS):
            began = time.perf_counter()
            camera = path.sliced(slice(number % len(path), number % len(path) + 1))
            viewfinder.see(camera, "mesh", frame=number % len(path))
            samples.append(1e3 * (time.perf_counter() - began))
            time.sleep(0.02)
        return float(np.median(samples))

    median()
    usual = median()
    with _shooting():
        return median(), usual


@contextmanager
def _shooting() -> Iterator[None]:
    """Run shots with tiny weights, one after another, until the block ends."""
    from bench.runs.cancel import SMALL
    from pipelines import method
    from pipelines.cli.bench import default_shot
    from pipelines.options import RunOptions
    from pipelines.runtime.device import Device
    from pipelines.runtime.runner import Runtime
    from pipelines.shot import Shot

    known, runtime, end = method("dualcamctrl"), Runtime(Device("cpu")), threading.Event()
    shot = Shot(known, *default_shot(known, steps=20, **SMALL["dualcamctrl"]), RunOptions(weights="tiny"))
    stepping = threading.Event()

    def shoot() -> None:
        while not end.is_set():
            run = runtime.run(shot)
            for _ in run:
                stepping.set()
                if end.is_set():
                    run.close()  # type: ignore[attr-defined]
                    return

    thread = threading.Thread(target=shoot)
    thread.start()
    stepping.wait(120)
    time.sleep(2)
    try:
        yield
    finally:
        end.set()
        thread.join()
        runtime.unload()
