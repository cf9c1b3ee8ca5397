"""Files of sessions go away with their process, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tabs.parts import session_files

ROOT = Path(__file__).parents[3]
HOLD = "import sys; from tabs.parts import session_files; print(session_files.make_folder(sys.argv[1]), flush=True); sys.stdin.read()"


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
    mine, strange = session_files.make_folder(tmp_path), tmp_path / "reshoot-sessions-strange"
    strange.mkdir()
    (left / "shot.mp4").write_bytes(b"x")
    ended(killed, signal.SIGKILL)
    ended(closed)
    assert left.is_dir() and not gone.exists()
    assert session_files.remove_abandoned(tmp_path) == [left]
    assert sorted(tmp_path.iterdir()) == sorted([kept, mine, strange])
    ended(alive)
