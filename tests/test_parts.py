"""`make test` runs every test exactly once, however the parts are divided."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import parts
from tests.parts import POOL, ROOT, TESTS, Part, within


def below(path: str) -> list[str]:
    whole = ROOT / path
    return [file.relative_to(ROOT).as_posix() for file in ([whole] if whole.is_file() else whole.rglob("test_*.py"))]


def files(run: tuple[str, ...]) -> list[str]:
    """Test files that pytest finds with these arguments."""
    given = [each for each in run if each.startswith("tests")]
    apart = [each.removeprefix("--ignore=") for each in run if each.startswith("--ignore=")]
    return [file for path in given for file in below(path) if not any(within(file, other) for other in apart)]


def test_every_test_file_runs_once():
    found = [file for name in TESTS for run in parts.test_runs(name) for file in files(run)]
    assert sorted(found) == sorted(below("tests"))
    assert all((ROOT / path).exists() for paths in TESTS.values() for path in paths)


def test_files_of_the_pool_run_alone_and_one_after_the_other():
    pool = [files(run) for run in parts.test_runs("pool")]
    assert [file for alone in pool for file in alone] == sorted(below(POOL)) and all(len(alone) == 1 for alone in pool)


LUCK = """
import sys
from pathlib import Path
import pytest

def meet(name):
    file = Path(__file__).with_name(name)
    file.write_text((file.read_text() if file.exists() else "") + "x")
    return len(file.read_text())

def test_sound():
    meet("sound")

def test_luck():
    assert meet("luck") == 2

@pytest.mark.skipif("not Path(__file__).with_name('worse').exists()")
def test_worse():
    assert meet("worse") < 0
"""


@pytest.fixture
def bare_pytest(monkeypatch):
    """``pytest`` starts faster without plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def write_tests(folder: Path, *, worse: bool = False) -> Part:
    """A part of two runs. The first has a test that passes on the second try, one that passes, and optionally one that never does;
    the second has a test that passes."""
    (folder / "test_luck.py").write_text(LUCK)
    (folder / "test_plain.py").write_text("def test_plain(): pass")
    if worse:
        (folder / "worse").touch()
    runs = [
        ("-m", "pytest", "-c", str(folder / "none.ini"), str(folder / name))
        for name in ("test_luck.py", "test_plain.py")
    ]
    (folder / "none.ini").touch()
    return Part("uncertain", tuple(runs), second_try=True)


def test_what_fails_by_bad_luck_runs_once_more_alone_and_is_named(bare_pytest, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(parts, "parts", lambda: [write_tests(tmp_path), Part("last", (("-c", "print('last')"),))])
    assert parts.main([]) == 0
    told = capsys.readouterr().out
    firsts = [told.index(part) for part in ("== uncertain: failed with status 1", "== last: passed")]
    assert max(firsts) < told.index("== uncertain, second try: passed")
    assert "\nuncertain: passed on a second try: test_luck.py::test_luck.\n" in told and "Failed: none." in told
    assert (tmp_path / "sound").read_text() == "x" and (
        tmp_path / "luck"
    ).read_text() == "xx"  # tests that had passed ran only once
    assert "test_plain.py" not in told.partition("second try")[2]


def test_what_fails_twice_fails_the_run(bare_pytest, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(parts, "parts", lambda: [write_tests(tmp_path, worse=True)])
    assert parts.main([]) == 1
    told = capsys.readouterr().out
    assert "passed on a second try: test_luck.py::test_luck. failed twice: test_luck.py::test_worse.\n" in told
    assert "Failed: uncertain." in told and (tmp_path / "worse").read_text() == "xx"


@pytest.mark.parametrize("second_try, status, tries", [(True, 1, 2), (True, 3, 1), (True, -9, 1), (False, 1, 1)])
def test_only_tests_that_fail_in_a_browser_or_ray_run_again(second_try, status, tries):
    ended = parts.PartResult(Part("one", (), second_try), (0, status), 0, 0, "")
    assert parts.deserves_second_try(ended) == (tries == 2)
    assert {part.name for part in parts.parts() if part.second_try} == {"page", "browser", "pool"}


@pytest.mark.parametrize("status", [0, 3])
def test_a_part_that_fails_fails_the_run_is_named_and_stops_no_other(monkeypatch, capsys, status):
    first = Part("first", (("-c", f"print('one'); raise SystemExit({status})"), ("-c", "print('two')")))
    monkeypatch.setattr(parts, "parts", lambda: [first, Part("second", (("-c", "print('three')"),))])
    assert parts.main([]) == (1 if status else 0)
    told = capsys.readouterr().out
    assert "one\ntwo" in told and "three" in told and "== second: passed" in told
    assert ("== first: failed with status 3" in told) == ("Failed: first." in told) == bool(status)
    assert parts.main(["second"]) == 0 and parts.main(["third"]) == 1
    assert "there are: first, second." in capsys.readouterr().out


def test_a_part_is_timed_with_the_processes_that_it_starts():
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    assert parts.run(Part("busy", (("-c", busy),))).processors > 0.05


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process whose parent has ended becomes the system's")
def test_what_outlives_its_parent_is_counted_and_a_signal_is_told():
    busy = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    leaves = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
    assert parts.run(Part("leaves", (("-c", leaves),))).processors > 0.3
    assert parts.run(Part("killed", (("-c", "import os; os.kill(os.getpid(), 9)"),))).statuses == (-9,)
