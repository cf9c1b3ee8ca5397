"""Runs what CI runs, two parts at a time: ``python -m tests.parts [PART ...]``; ``make test`` calls it without a name.

A part runs in processes of its own, so that what one sets (torch's threads, a Ray that was started, a server) is not met by
another. The longest begin first and a core that is free takes the next, so both are busy to the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LANES = 2
POOL = "tests/pipelines/runtime/pool"
TESTS = {
    "page": ("tests/tabs",),
    "browser": (
        "tests/tabs/test_page.py", "tests/tabs/browser", "tests/tabs/test_scene_page.py", "tests/tabs/test_one_project.py",
        "tests/tabs/test_path_file.py", "tests/tabs/test_restore.py",
    ),
    "methods": ("tests/pipelines/methods",),
    "3D": ("tests/pipelines/reconstruct", "tests/pipelines/splats", "tests/pipelines/estimation"),
    "pool": (POOL,),
    "camera": ("tests/camera",),
    "runtime": ("tests/pipelines/runtime", "tests/pipelines/cli"),
    "others": ("tests",),
}  # fmt: skip
"""Files and folders of each part, longest first; without what another part has of them, so nothing runs twice or never."""


@dataclass(frozen=True)
class Part:
    """What runs one after the other, each the arguments of a ``python``; and what to call it."""

    name: str
    runs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Ended:
    """Exit status (the first that is not 0), seconds that went by, those of the processors, and what was written."""

    part: Part
    status: int
    seconds: float
    processors: float
    text: str


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_runs(name: str) -> tuple[tuple[str, ...], ...]:
    """What ``pytest`` runs for a part. Of the pool each file alone: a second Ray in one process sometimes hangs."""
    if name == "pool":
        files = [file.relative_to(ROOT).as_posix() for file in sorted((ROOT / POOL).glob("test_*.py"))]
        return tuple(_pytest(file) for file in files)
    own = TESTS[name]
    others = [path for other, paths in TESTS.items() if other != name for path in paths]
    apart = [path for path in others if any(path != folder and within(path, folder) for folder in own)]
    return (_pytest(*own, *(f"--ignore={path}" for path in apart)),)


def _pytest(*arguments: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-p", "no:cacheprovider", *arguments)


def parts() -> list[Part]:
    """All of them, in the order in which they begin: renderers are compiled once, before anything needs them."""
    return [
        Part("kernels", (("-m", "pipelines.cli.warm_up"),)),
        Part("types", (("-m", "pyright"),)),
        *(Part(name, test_runs(name)) for name in TESTS),
        Part("documentation", (("-m", "mkdocs", "build", "--strict", "--quiet"),)),
    ]


def run(part: Part) -> Ended:
    """Runs a part to its end and says at once how it ended."""
    began, status, processors = time.monotonic(), 0, 0.0
    with tempfile.TemporaryFile() as output:
        for arguments in part.runs:
            child = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            _, raw, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(raw)
            status = status or child.returncode
            processors += used.ru_utime + used.ru_stime
        output.seek(0)
        ended = Ended(part, status, time.monotonic() - began, processors, output.read().decode(errors="replace"))
    print(report(ended), flush=True)
    return ended


def report(ended: Ended) -> str:
    """What a part wrote, under a line with its name, its times and whether it failed."""
    how = f"failed with status {ended.status}" if ended.status else "passed"  # below 0: ended by that signal
    times = f"{ended.seconds:.0f} s, {ended.processors:.0f} s of processors"
    return f"== {ended.part.name}: {how} ({times})\n{ended.text.rstrip()}\n"


def main(names: Sequence[str]) -> int:
    """Runs the parts named, or all. Exit status: 0 where all passed, else 1."""
    known = parts()
    unknown = set(names) - {part.name for part in known}
    if unknown:
        print(f"No part is called {', '.join(sorted(unknown))}; there are: {', '.join(part.name for part in known)}.")
        return 1
    began = time.monotonic()
    with ThreadPoolExecutor(LANES) as lanes:
        ended = list(lanes.map(run, [part for part in known if not names or part.name in names]))
    failed = [each.part.name for each in ended if each.status]
    used = sum(each.processors for each in ended)
    print(f"{time.monotonic() - began:.0f} s, {used:.0f} s of processors. Failed: {', '.join(failed) or 'none'}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
