"""Runs the same checks as CI, two parts at a time: ``python -m tests.parts [PART ...]``; ``make test`` calls it without a name.

Every part has its own processes, so that global state (torch's threads, a running Ray, a server) does not affect other
parts. The longest parts begin first and a free core takes the next one, so both cores are busy to the end.

Tests that use a real browser or Ray depend on processes outside our control: those that fail run once more at the end, with
nothing else running. Tests that pass only then are named in the last lines; a test that fails again fails the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
LANES = 2
"""As many as CI has cores: with three, everything took just as long, and browser tests had to wait."""
POOL = "tests/pipelines/runtime/pool"
TESTS = {
    "page": ("tests/tabs",),
    "browser": (
        "tests/tabs/test_page.py", "tests/tabs/browser", "tests/tabs/scene/test_scene_page.py", "tests/tabs/test_one_project.py",
        "tests/tabs/shared/test_path_file.py", "tests/tabs/shared/test_restore.py", "tests/pipelines/viewer",
    ),
    "methods": ("tests/pipelines/methods",),
    "3D": ("tests/pipelines/reconstruct", "tests/pipelines/splats", "tests/pipelines/estimation"),
    "pool": (POOL,),
    "camera": ("tests/camera",),
    "runtime": ("tests/pipelines/runtime", "tests/pipelines/cli"),
    "others": ("tests",),
}  # fmt: skip
"""Files and folders of each part, longest first; a part leaves out what another part contains, so nothing runs twice or never."""
UNCERTAIN = ("page", "browser", "pool")
"""Parts that drive a browser or Ray."""
CACHE = "cache_dir="
"""``pytest`` setting: the folder in which it records failed tests."""
TESTS_FAILED = 1
"""Exit status of ``pytest`` when it ran to the end and tests failed."""


@dataclass(frozen=True)
class Part:
    """Runs that follow each other, each given as the arguments of a ``python``, and a name.

    ``second_try``: the runs are of ``pytest``, and failed tests run once more.
    """

    name: str
    runs: tuple[tuple[str, ...], ...]
    second_try: bool = False


@dataclass(frozen=True)
class PartResult:
    """Exit status of each run, wall time, processor time, and the output."""

    part: Part
    statuses: tuple[int, ...]
    seconds: float
    processors: float
    text: str

    @property
    def status(self) -> int:
        """The first exit status that is not 0, or 0."""
        return next(filter(None, self.statuses), 0)


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_runs(name: str) -> tuple[tuple[str, ...], ...]:
    """The ``pytest`` runs of a part. Every file of the pool has its own run: a second Ray in one process sometimes hangs."""
    if name == "pool":
        files = [file.relative_to(ROOT).as_posix() for file in sorted((ROOT / POOL).glob("test_*.py"))]
        return tuple(_pytest(name, file) for file in files)
    own = TESTS[name]
    others = [path for other, paths in TESTS.items() if other != name for path in paths]
    apart = [path for path in others if any(path != folder and within(path, folder) for folder in own)]
    return (_pytest(name, *own, *(f"--ignore={path}" for path in apart)),)


def _pytest(name: str, *arguments: str) -> tuple[str, ...]:
    return ("-m", "pytest", *(() if name in UNCERTAIN else ("-p", "no:cacheprovider")), *arguments)


def parts() -> list[Part]:
    """All parts, in the order in which they begin: renderers are compiled once, before any test needs them."""
    return [
        Part("kernels", (("-m", "pipelines.cli.warm_up"),)),
        Part("types", (("-m", "pyright"),)),
        *(Part(name, test_runs(name), name in UNCERTAIN) for name in TESTS),
        Part("documentation", (("-m", "mkdocs", "build", "--strict", "--quiet"),)),
    ]


def with_caches(part: Part, folder: Path) -> Part:
    """The part with its own cache folder per run, below ``folder``, if it gets a second try."""
    if not part.second_try:
        return part
    options = [("-o", f"{CACHE}{folder / part.name / str(number)}") for number in range(len(part.runs))]
    return replace(part, runs=tuple((*run, *option) for run, option in zip(part.runs, options)))


def failed_tests(part: Part) -> set[str]:
    """Names of the tests that failed in the runs of a part with caches, as stored by ``pytest``."""
    files = [Path(run[-1].removeprefix(CACHE)) / "v/cache/lastfailed" for run in part.runs]
    return {name for file in files if file.exists() for name in json.loads(file.read_text())}


def deserves_second_try(ended: PartResult) -> bool:
    """Whether its tests failed while every run ended normally: a crash or a collection error is not bad luck."""
    return ended.part.second_try and set(ended.statuses) in ({TESTS_FAILED}, {0, TESTS_FAILED})


def run_again(ended: PartResult) -> tuple[PartResult, str]:
    """Run only the failed tests of a part with caches once more; also return a closing sentence with their names."""
    failed = [arguments for arguments, status in zip(ended.part.runs, ended.statuses) if status]
    options = ("--last-failed", "--last-failed-no-failures", "none")
    first = failed_tests(ended.part)
    again = run(Part(f"{ended.part.name}, second try", tuple((*run[:2], *options, *run[2:]) for run in failed)))
    still = failed_tests(ended.part) if again.status else set()
    names = {"passed on a second try": first - still, "failed twice": still}
    return again, " ".join(f"{how}: {', '.join(sorted(tests))}." for how, tests in names.items() if tests)


def run(part: Part) -> PartResult:
    """Run a part to its end and print at once how it ended."""
    began, statuses, processors = time.monotonic(), [], 0.0
    with tempfile.TemporaryFile() as output:
        for arguments in part.runs:
            command = [sys.executable, "-m", "tests.supervisor", *arguments]  # counts orphaned browsers too
            child = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            _, raw, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(raw)
            statuses.append(child.returncode)
            processors += used.ru_utime + used.ru_stime
        output.seek(0)
        ended = PartResult(
            part, tuple(statuses), time.monotonic() - began, processors, output.read().decode(errors="replace")
        )
    print(report(ended), flush=True)
    return ended


def report(ended: PartResult) -> str:
    """Print a part's output under a line with its name, its times and whether it failed."""
    how = f"failed with status {ended.status}" if ended.status else "passed"  # negative: ended by that signal
    times = f"{ended.seconds:.0f} s, {ended.processors:.0f} s of processors"
    return f"== {ended.part.name}: {how} ({times})\n{ended.text.rstrip()}\n"


def main(names: Sequence[str]) -> int:
    """Run the named parts, or all. Exit status: 0 if all passed, else 1."""
    known = parts()
    unknown = set(names) - {part.name for part in known}
    if unknown:
        print(f"No part is called {', '.join(sorted(unknown))}; there are: {', '.join(part.name for part in known)}.")
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as caches:
        chosen = [with_caches(part, Path(caches)) for part in known if not names or part.name in names]
        with ThreadPoolExecutor(LANES) as lanes:
            ended = list(lanes.map(run, chosen))
        again = {each: run_again(each) for each in ended if deserves_second_try(each)}
    failed = [each.part.name for each in ended if (again[each][0] if each in again else each).status]
    used = sum(each.processors for each in [*ended, *(second for second, _ in again.values())])
    for each, (_, sentence) in again.items():
        print(f"{each.part.name}: {sentence}")
    print(f"{time.monotonic() - began:.0f} s, {used:.0f} s of processors. Failed: {', '.join(failed) or 'none'}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
