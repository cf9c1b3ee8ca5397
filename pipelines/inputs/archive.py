"""Unpacks zip files safely: checks sizes first, and lets no path leave the target folder."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from camera.errors import InputError, reading
from pipelines.media.budget import BUDGET

MAX_FILES, MAX_BYTES = BUDGET.files, BUDGET.unpacked_gigabytes << 30

Place = Callable[[str], PurePosixPath | None]
"""Function from an entry's name to its path below the folder; None skips the entry."""


@contextmanager
def open_folder(path: str | Path, *, place: Place | None = None) -> Iterator[Path]:
    """``path`` itself if it is a folder; a zip file is unpacked temporarily, see `unpack`."""
    path = Path(path)
    if path.is_dir():
        yield path
        return
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path.name} is neither a folder nor a zip file; use one of them.")
    with tempfile.TemporaryDirectory(prefix="reshoot-zip-") as temporary:
        unpack(path, Path(temporary), place=place)
        yield Path(temporary)


def unpack(
    path: Path,
    folder: Path,
    *,
    place: Place | None = None,
    most_files: int = MAX_FILES,
    most_bytes: int = MAX_BYTES,
) -> None:
    """Unpack a zip file into ``folder``: everything at its path in the zip, or only the entries that ``place`` selects, at the path it returns.

    Raises `InputError` for paths that leave the folder, for more files or bytes than allowed, and for damage. Checks the sizes
    stated in the zip and never reads beyond them.
    """
    with (
        reading(f"{path.name} is a damaged or encrypted zip file; pack it again."),
        zipfile.ZipFile(path) as archive,
    ):
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        chosen = [(entry, at) for entry in entries if (at := (place or _own_place)(entry.filename)) is not None]
        if len(chosen) > most_files or sum(entry.file_size for entry, _ in chosen) > most_bytes:
            raise InputError(
                f"{path.name} unpacks to more than {most_files} files or {most_bytes >> 30} GiB; use fewer or smaller files."
            )
        for entry, at in chosen:
            if at.is_absolute() or ".." in at.parts or "\\" in str(at):
                raise InputError(
                    f"{path.name} contains a file with the path {entry.filename!r}, which leaves its folder."
                )
            target = folder.joinpath(*at.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)


def _own_place(name: str) -> PurePosixPath:
    return PurePosixPath(name)
