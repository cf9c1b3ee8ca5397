"""Times of first use: start of the app beside ten busy processes, and the first rehearsal of a fresh copy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import Row
from bench.browser.page import _first_page

ROOT = Path(__file__).parents[2]
BUSY = 10
MOST_COMPILING, MOST_WARM = 4.0, 1.0
"""Limits in CPU seconds."""
FIRST = """
import json, sys, tempfile, time
from pathlib import Path
from pipelines.rehearsal import rehearse, warm_up
from bench.room import front
from camera.view import Scene
began = time.process_time()
if sys.argv[1] == "warm":
    warm_up()
warm = time.process_time() - began
from camera.trajectories.film_script import path_of
scene = Scene((front(176, 320),))
path = path_of("arc 10", scene.first, frames=9, fps=8)
taken = []
for number in range(2):
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        list(rehearse(scene, path, Path(folder) / "a.mp4"))
    taken.append(time.process_time() - began)
print(json.dumps([warm, *taken]))
"""


def first_use(starts: int) -> list[Row]:
    """Success of ``starts`` starts of the app beside `BUSY` processes; compile time ahead and in a first rehearsal."""
    return [_starts(starts), *_compiling()]


def _starts(count: int) -> Row:
    good, seconds = 0, []
    with _busy():
        for _ in range(count):
            try:
                seconds.append(_first_page("")[0])
                good += 1
            except (RuntimeError, OSError) as error:
                print(f"a start failed: {error}", flush=True)
    slowest = 1e3 * max(seconds, default=0.0)
    words = f"{good} of {count} starts"
    return Row(f"start to first page beside {BUSY} busy processes, slowest", slowest, None, words, "all", good == count)


@contextmanager
def _busy() -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _compiling() -> list[Row]:
    """A copy without compiled renderers, then with those that ``make demo`` compiles before it starts."""
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        ahead, *_ = _time_rehearsals("warm", cache)
        waited = time.perf_counter() - began
        _, first, second = _time_rehearsals("cold", cache)
        warm, *_ = _time_rehearsals("warm", cache)
    return [
        Row("first rehearsal, beyond a second one (processor)", 1e3 * (first - second), None,
            f"{ahead:.1f} s compiled at install ({waited:.1f} s waited)", "<= 4 s", first - second <= MOST_COMPILING),
        Row("renderers loaded by a warm start (processor)", 1e3 * warm, None, "", "<= 1 s", warm <= MOST_WARM),
    ]  # fmt: skip


def _time_rehearsals(how: str, cache: str) -> list[float]:
    """CPU seconds of the warm-up (0 if ``how`` is "cold"), of a first and of a second rehearsal."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", FIRST, how], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])
