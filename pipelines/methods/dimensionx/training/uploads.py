"""Collects uploaded clips in a folder; the same clips always give the same folder.

This makes trainings resumable: uploading the same clips under the same name continues from the last save, and nobody else
can find the folder.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from camera.errors import InputError, reading
from pipelines.environment import cache_folder
from pipelines.inputs.archive import unpack
from pipelines.inputs.open import VIDEOS
from pipelines.methods.dimensionx.training.settings import check_name

FOLDER_VARIABLE = "RESHOOT_TRAININGS"
"""Environment variable: the folder of trainings started in the page."""
ACCEPTED = "a zip of videos, or the videos themselves, with a .txt caption beside each or one CSV of files and captions"
_KEPT = (*VIDEOS, ".txt", ".csv")
_BLOCK = 1 << 20
_CODE = re.compile(r"([A-Za-z0-9_-]{1,100})\.([a-z]+-[0-9a-f]+)")
_COPY = re.compile(r"(.+_lora_weights)_(\d{6,})\.safetensors")


def trainings_folder() -> Path:
    """The folder of trainings started in the page; it survives sessions and restarts."""
    return cache_folder(FOLDER_VARIABLE, "trainings")


def collect_clips(files: Sequence[str | Path], name: str, root: Path) -> Path:
    """The folder of the training ``name`` on these files, below ``root``; the clips are in its folder ``clips``.

    ``files``: see `ACCEPTED`. Raises `InputError` for anything else and for a zip that is damaged or too large.
    """
    check_name(name)
    paths = [Path(file) for file in files]
    if not paths:
        raise InputError(f"A training needs clips; give {ACCEPTED}.")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=root) as part:
        clips = Path(part, "clips")
        clips.mkdir()
        for path in paths:
            unpack(path, clips, place=_place) if path.suffix.lower() == ".zip" else _copy(path, clips)
        folder = root / f"{name}-{_fingerprint(clips)}"
        if not (folder / "clips").is_dir():
            folder.mkdir(exist_ok=True)
            clips.replace(folder / "clips")
    return folder


def find_source(clips: Path) -> Path:
    """Find the input of `pipelines.methods.dimensionx.training.data.find_clips` below ``clips``: the only CSV file, or the only folder with videos."""
    files = [path for path in sorted(clips.rglob("*")) if path.is_file()]
    tables = [path for path in files if path.suffix.lower() == ".csv"]
    folders = sorted({path.parent for path in files if path.suffix.lower() in VIDEOS})
    if not folders:
        raise InputError(f"There is no video among the files; give {ACCEPTED}.")
    if len(tables) > 1:
        raise InputError(f"There are {len(tables)} CSV files; give one with all clips.")
    if not tables and len(folders) > 1:
        raise InputError(f"The videos are in {len(folders)} folders; put them into one, or add a CSV that lists them.")
    if not tables:
        return folders[0]
    _check_inside(tables[0], clips)
    return tables[0]


def _check_inside(table: Path, clips: Path) -> None:
    """Raise `InputError` if a CSV lists files of this computer that were not uploaded with it."""
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        with reading(f"{table.name} is damaged: a line is incomplete; save it again as CSV."):
            rows = list(csv.reader(file))
        for row in rows[1:]:
            if row and not _is_inside(table.parent / row[0], clips):
                raise InputError(
                    f"{table.name} names {row[0][:80]!r}, which was not uploaded with it; use names of the clips."
                )


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether ``path``, read from a file and possibly not a valid name, is below ``folder``."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError):
        return False


def code_of(output: Path) -> str:
    """The code with which a user can find the training in ``output`` (two folders below the root) again."""
    return f"{output.parent.name}.{output.name}"


def read_progress(code: str, root: Path) -> tuple[int, tuple[Path, ...]]:
    """Number of steps that the training with this code has saved below ``root``, and its LoRA and moving average.

    Raises `InputError` for a code without a training.
    """
    found = _CODE.fullmatch(code)
    folder = root / found[1] / found[2] if found else None
    if folder is None or not folder.is_dir():
        raise InputError("No training here has this code; check that all of it was copied.")
    copies = [saved for file in folder.glob("*.safetensors") if (saved := _COPY.fullmatch(file.name))]
    if not copies:
        return 0, ()
    newest = max(copies, key=lambda saved: int(saved[2]))
    return int(newest[2]), tuple(folder / f"{newest[1]}{suffix}.safetensors" for suffix in ("", "_ema"))


def _copy(path: Path, clips: Path) -> None:
    if path.suffix.lower() not in _KEPT:
        raise InputError(f"{path.name} is neither a clip nor a caption; give {ACCEPTED}.")
    if (clips / path.name).exists():
        raise InputError(f"Two of the files are called {path.name}; rename one.")
    shutil.copyfile(path, clips / path.name)


def _place(name: str) -> PurePosixPath | None:
    """The path of a zip entry, unchanged; None for hidden files and for files that are neither clips nor captions."""
    place = PurePosixPath(name)
    hidden = any(part.startswith("__MACOSX") or (part.startswith(".") and part != "..") for part in place.parts)
    return None if hidden or place.suffix.lower() not in _KEPT else place


def _fingerprint(clips: Path) -> str:
    """Hash of names and contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(clips.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(clips).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
    return digest.hexdigest()[:24]
