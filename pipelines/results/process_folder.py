"""Temporary folders of a process. They are removed when it ends, or by the next process if it was killed."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from camera.errors import NO_TEMPORARY_FOLDER, reading

try:
    import fcntl
except ImportError:  # Windows: killed processes leave their files to its own cleaning
    fcntl = None

_PREFIX, _LOCK = "reshoot-sessions-", "process.lock"
_VARIABLES = {"uploads": "GRADIO_TEMP_DIR", "work": "TMPDIR"}
"""Environment variables that point to the folders inside a process's own folder."""
_held: dict[Path, IO[bytes] | None] = {}
"""Folders of this process, each with the lock that marks it as used."""


@cache
def _system_folder() -> str:
    """The temporary folder that was in use before any of ours."""
    return tempfile.gettempdir()


def make_folder(place: str | Path | None = None) -> Path:
    """Make a folder in ``place`` (default: the system's temporary folder) that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    _held[folder] = None
    if fcntl:
        lock = _held[folder] = (folder / "new.lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(lock.name).rename(folder / _LOCK)  # so that no process finds it unlocked
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder that `make_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
    if lock := _held.pop(folder, None):
        lock.close()


@atexit.register
def _remove_all() -> None:
    for folder in list(_held):
        remove_folder(folder)


def use_for_temporary_files(folder: Path) -> None:
    """Make this process and Gradio put uploads and other temporary files into ``folder`` from now on, so that they are removed
    with it, however this process ends."""
    _system_folder()
    for name, variable in _VARIABLES.items():
        place = folder / name
        place.mkdir(exist_ok=True)
        os.environ[variable] = str(place)
    tempfile.tempdir = os.environ["TMPDIR"]


@contextmanager
def temporary_files() -> Iterator[Path]:
    """A folder for all temporary files of the block, removed at its end; removes files left by killed processes first.

    Raises `InputError` if no folder is writable.
    """
    before, folder_before = {name: os.environ.get(name) for name in _VARIABLES.values()}, tempfile.tempdir
    with reading(NO_TEMPORARY_FOLDER):
        remove_abandoned()
        folder = make_folder()
    use_for_temporary_files(folder)
    try:
        yield folder
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        tempfile.tempdir = folder_before
        remove_folder(folder)


def remove_abandoned(place: str | Path | None = None) -> list[Path]:
    """Remove the folders in ``place`` whose process has ended (the system releases its lock); returns them."""
    found = Path(place or _system_folder()).glob(f"{_PREFIX}*/{_LOCK}")
    abandoned = [lock.parent for lock in found if _free(lock)]
    for folder in abandoned:
        shutil.rmtree(folder, ignore_errors=True)
    return abandoned


def _free(lock: Path) -> bool:
    if not fcntl:
        return False
    try:
        with lock.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, another user's, or just removed
        return False
    return True
