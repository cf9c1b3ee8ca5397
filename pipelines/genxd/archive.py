"""A data set's entry as a folder, from a folder or a zip file of which only expected files are taken."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from camera.errors import InputError

MAX_FILES, MAX_BYTES = 5000, 4 << 30
PICTURES = (".jpg", ".jpeg", ".png")


@contextmanager
def entry_folder(path: str | Path) -> Iterator[Path]:
    """The folder that holds `images/` and `0/`: ``path``, a folder right below it, or a zip unpacked for the while."""
    path = Path(path)
    if path.is_dir():
        yield _place(path)
        return
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path.name} is neither a folder nor a zip file; give an entry with images/ and 0/.")
    with tempfile.TemporaryDirectory(prefix="entry-") as temporary:
        _unpack(path, Path(temporary))
        yield _place(Path(temporary))


def _place(folder: Path) -> Path:
    for candidate in (folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())):
        if (candidate / "images").is_dir() and (candidate / "0").is_dir():
            return candidate
    raise InputError(f"{folder.name} holds no images/ and 0/; give one entry of CamVid-30K, not a whole batch.")


def _unpack(path: Path, folder: Path) -> None:
    """Pictures under images/ and the model under 0/; names are rebuilt from their last two parts, so none can escape."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [(entry, place) for entry in archive.infolist() if (place := _wanted(entry.filename))]
            entries = {PurePosixPath(entry.filename).parent.parent for entry, _ in wanted}
            if len(entries) > 1:
                raise InputError(f"{path.name} holds {len(entries)} entries; unpack it and give one of them.")
            if len(wanted) > MAX_FILES or sum(entry.file_size for entry, _ in wanted) > MAX_BYTES:
                raise InputError(f"{path.name} unpacks to more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB.")
            for entry, place in wanted:
                target = folder / place
                target.parent.mkdir(exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path.name} is a damaged or encrypted zip file; download it again.") from error


def _wanted(name: str) -> Path | None:
    parts = PurePosixPath(name).parts
    if len(parts) < 2 or "\\" in name or parts[-1] in (".", ".."):
        return None
    kind, file = parts[-2:]
    if (kind == "images" and file.lower().endswith(PICTURES)) or (kind == "0" and file.endswith(".bin")):
        return Path(kind, file)
    return None
