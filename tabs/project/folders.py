"""Folders for the files of visitors' projects."""

from __future__ import annotations

import uuid
from pathlib import Path

from pipelines.results import process_folder

ROOT = process_folder.make_folder()
"""The folder of all sessions' files; the names of its folders cannot be guessed."""


def new_folder() -> Path:
    """The path of a new folder for one session; it is created on first write."""
    return ROOT / uuid.uuid4().hex


def is_inside(file: Path, folder: Path) -> bool:
    """Whether ``file`` is in ``folder``, after following links."""
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):  # not a valid path, or a loop of links
        return False
