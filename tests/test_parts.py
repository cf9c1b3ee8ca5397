"""`make test` runs every test once, whatever the parts are."""

from __future__ import annotations

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
