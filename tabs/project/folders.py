"""Where the files of a visitor's project are."""

from __future__ import annotations

import uuid
from pathlib import Path

from tabs.parts import session_files

ROOT = session_files.made()
"""Where the files of all sessions are; folder names cannot be guessed."""


def new_folder() -> Path:
    """A folder for one session, made when something is written to it."""
    return ROOT / uuid.uuid4().hex


def is_inside(file: Path, folder: Path) -> bool:
    """Whether ``file`` lies in ``folder``, links followed."""
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):  # no path at all, or a loop of links
        return False
