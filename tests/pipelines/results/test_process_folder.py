"""Temporary files are deleted with their process, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from camera.errors import NO_TEMPORARY_FOLDER
from pipelines.results import process_folder

ROOT = Path(__file__).parents[3]
HOLD = "import sys; from pipelines.results import process_folder; print(process_folder.make_folder(sys.argv[1]), flush=True); sys.stdin.read()"


def holder(place: Path) -> tuple[subprocess.Popen, Path]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def ended(child: subprocess.Popen, by: int | None = None) -> None:
    if by:
        child.send_signal(by)
    child.communicate()


def test_only_folders_of_processes_that_are_gone_are_removed(tmp_path):
    (alive, kept), (killed, left), (closed, gone) = (holder(tmp_path) for _ in range(3))
    mine, strange = process_folder.make_folder(tmp_path), tmp_path / "reshoot-sessions-strange"
    strange.mkdir()
    (left / "shot.mp4").write_bytes(b"x")
    ended(killed, signal.SIGKILL)
    ended(closed)
    assert left.is_dir() and not gone.exists()
    assert process_folder.remove_abandoned(tmp_path) == [left]
    assert sorted(tmp_path.iterdir()) == sorted([kept, mine, strange])
    ended(alive)


def test_the_command_line_leaves_nothing_even_when_killed(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "import sys, tempfile; import pipelines.__main__ as program; "
        "program._list = lambda given: print(tempfile.mkdtemp(), flush=True) or sys.stdin.read() and 0; program.main(['list'])"
    )
    places = []
    for end in (signal.SIGKILL, None):
        child = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        places.append(Path(child.stdout.readline().strip()))
        assert places[-1].is_dir() and places[-1].is_relative_to(tmp_path)
        ended(child, end)
        assert places[0].is_dir() == (end is not None)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_says_that_it_has_no_temporary_folder():
    code = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere/at/all']; "
        "import pipelines.__main__ as program; sys.exit(program.main(['list']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", NO_TEMPORARY_FOLDER)
