"""Temporary folders of sessions. They are removed when their process ends, or by the next process if it was killed."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: killed processes leave their files to its own cleaning
    fcntl = None

_PREFIX, _LOCK = "reshoot-sessions-", "process.lock"
_COMPUTERS = tempfile.gettempdir()
_held: list[IO[bytes]] = []


def make_folder(place: str | Path | None = None) -> Path:
    """Make a folder in ``place`` (default: the system's temporary folder) that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if fcntl:
        lock = (folder / "new.lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(lock.name).rename(folder / _LOCK)  # nobody can find it unlocked
        _held.append(lock)
    return folder


def use_for_temporary_files(folder: Path) -> None:
    """From now on this process and Gradio put uploads and everything else that is temporary into ``folder``, so that it goes
    away with it, however this process ends."""
    for name, variable in (("uploads", "GRADIO_TEMP_DIR"), ("work", "TMPDIR")):
        place = folder / name
        place.mkdir(exist_ok=True)
        os.environ[variable] = str(place)
    tempfile.tempdir = os.environ["TMPDIR"]


def remove_abandoned(place: str | Path | None = None) -> list[Path]:
    """Remove the folders in ``place`` whose process is gone (the system lets go of its lock); returns them."""
    found = Path(place or _COMPUTERS).glob(f"{_PREFIX}*/{_LOCK}")
    gone = [lock.parent for lock in found if _free(lock)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def _free(lock: Path) -> bool:
    if not fcntl:
        return False
    try:
        with lock.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, another user's, or just removed
        return False
    return True
