"""An entry of CamVid-30K as a folder, from a folder or from the relevant files of a zip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from camera.errors import InputError
from camera.formats.account import Account
from pipelines.inputs.archive import open_folder

PICTURES = (".jpg", ".jpeg", ".png")


@contextmanager
def entry_folder(path: str | Path, *, account: Account | None = None) -> Iterator[Path]:
    """The folder that contains `images/` and `0/`: ``path``, a folder directly inside it, or a temporarily unpacked zip.

    Other files are noted in ``account``.
    """
    entries, left = set(), []

    def place(name: str) -> PurePosixPath | None:
        at = _choose_place(name)
        if at is not None:
            entries.add(PurePosixPath(name).parent.parent)
        else:
            left.append(name)
        return at

    with open_folder(path, place=place) as folder:
        if len(entries) > 1:
            raise InputError(f"{Path(path).name} contains {len(entries)} entries; unpack it and use one of them.")
        place_of_entry = _place(folder)
        if folder == Path(path):
            named = (each.relative_to(place_of_entry) for each in sorted(place_of_entry.rglob("*")) if each.is_file())
            left = [name.as_posix() for name in named if _choose_place(name.as_posix()) is None]
        (account or Account("")).fields(dict.fromkeys(left), "files")
        yield place_of_entry


def _place(folder: Path) -> Path:
    for candidate in (folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())):
        if (candidate / "images").is_dir() and (candidate / "0").is_dir():
            return candidate
    raise InputError(f"{folder.name} contains no images/ and 0/; use one entry of CamVid-30K, not a whole batch.")


def _choose_place(name: str) -> PurePosixPath | None:
    """Select pictures in images/ and the model in 0/; paths are rebuilt from their last two parts, so none can leave the folder."""
    parts = PurePosixPath(name).parts
    if len(parts) < 2 or "\\" in name or parts[-1] in (".", ".."):
        return None
    kind, file = parts[-2:]
    if (kind == "images" and file.lower().endswith(PICTURES)) or (kind == "0" and file.endswith(".bin")):
        return PurePosixPath(kind, file)
    return None
