"""Sources of weights: a local folder, the cache or the Hugging Face hub; none for tiny and random weights."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

import huggingface_hub as hub
import torch
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects
from tqdm import tqdm

from camera.errors import InputError, describe_unreachable
from pipelines.method import Checkpoint, Progress
from pipelines.weights.checkpoints import dtype_for

Mode = Literal["real", "tiny", "random"]
T = TypeVar("T")
FOLDER_VARIABLE = "RESHOOT_WEIGHTS"
"""Environment variable: a folder with one folder OWNER/NAME per repository, used before cache and hub."""

_HASHED_BLOCK = 1 << 24
_SECONDS_BETWEEN_REPORTS = 0.2
_shared: WeakValueDictionary[tuple, Any] = WeakValueDictionary()


class Cancelled(Exception):
    """The user cancelled the job while weights were downloading."""


@dataclass
class Weights:
    """Weights for one loading of one method; satisfies `pipelines.method.Weights`.

    ``device``: where the run will happen, which determines ``dtype``. ``folder``: local weights, by default
    ``$RESHOOT_WEIGHTS``. ``announce`` is called for every download and loading step; ``cancelled`` is polled during downloads.
    ``revisions`` collects the commit of every repository that was read.
    """

    mode: Mode = "real"
    seed: int = 0
    device: torch.device | str = "cpu"
    folder: Path | None = field(default_factory=lambda: folder_from_environment())
    announce: Callable[[Progress], None] = lambda progress: None
    cancelled: Callable[[], bool] = lambda: False
    revisions: dict[str, str] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point dtype of networks on ``device``."""
        return dtype_for(self.device)

    def files(self, checkpoint: Checkpoint) -> dict[str, str]:
        """Local paths of a checkpoint's files by name in the repository, downloaded if necessary.

        Raises `InputError` with what to do if they are not available, `ValueError` if the weights are not real.
        """
        if self.mode != "real":
            raise ValueError(f"{self.mode} weights have no files; build the networks from their configuration")
        local = self.folder / checkpoint.repo if self.folder else None
        if local and local.is_dir():
            self.revisions[checkpoint.repo] = "local folder"
            return _local_files(local, checkpoint)
        return _Fetch(checkpoint, self).files()

    def shared(self, key: tuple | str, load: Callable[[], T]) -> T:
        """The component under ``key``, loaded once and shared by all methods while any of them holds it."""
        full_key = (self.mode, self.seed if self.mode != "real" else None, str(self.device), key)
        component = _shared.get(full_key)
        if component is None:
            what = key if isinstance(key, str) else " ".join(str(part) for part in key if part)
            self.announce(Progress("Loading", 0, 1, note=what))
            component = _shared[full_key] = load()
        return component


def folder_of(files: dict[str, str]) -> Path:
    """The folder below which all ``files`` have their names in the repository."""
    name, path = next(iter(files.items()))
    return Path(path).parents[len(Path(name).parts) - 1]


def folder_from_environment() -> Path | None:
    """The folder that `FOLDER_VARIABLE` names."""
    value = os.environ.get(FOLDER_VARIABLE)
    return Path(value).expanduser() if value else None


def _local_files(folder: Path, checkpoint: Checkpoint) -> dict[str, str]:
    names = [str(path.relative_to(folder).as_posix()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name: str(folder / name) for name in _choose(names, checkpoint, f"the folder {folder}")}


def _choose(names: Sequence[str], checkpoint: Checkpoint, place: str) -> list[str]:
    """The files among ``names`` that the checkpoint needs; every pattern must match at least one."""
    for pattern in checkpoint.files:
        if not any(fnmatch(name, pattern) for name in names):
            raise InputError(
                f"{place[:1].upper()}{place[1:]} has no file {pattern} that {checkpoint.key} needs; it is incomplete or not "
                f"{checkpoint.repo}, so download that repository again."
            )
    return list(filter_repo_objects(names, allow_patterns=list(checkpoint.files)))


# --- the hub -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Remote:
    """One file of a repository: its size in bytes and, for large files, its SHA-256."""

    name: str
    size: int
    sha256: str | None


class _Fetch:
    """Download of one checkpoint from the hub into the cache."""

    def __init__(self, checkpoint: Checkpoint, weights: Weights) -> None:
        self.checkpoint, self.weights = checkpoint, weights

    def files(self) -> dict[str, str]:
        try:
            commit, remote = self._listing()
        except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise self._refusal(error) from error
        except Exception as error:  # after any error of the hub, try the cache
            return self._read_cache(error)
        self.weights.revisions[self.checkpoint.repo] = commit
        cached = {file.name: path for file in remote if (path := self._in_cache(file, commit))}
        missing = [file for file in remote if file.name not in cached]
        self._check_disk(sum(file.size for file in missing))
        meter = _Meter(self.checkpoint.repo, missing, self.weights)
        return cached | {file.name: self._download(file, meter) for file in missing}

    def _listing(self) -> tuple[str, list[_Remote]]:
        repo, revision = self.checkpoint.repo, self.checkpoint.revision
        info = hub.HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=20)
        known = {
            sibling.rfilename: _Remote(
                sibling.rfilename, sibling.size or 0, sibling.lfs.sha256 if sibling.lfs else None
            )
            for sibling in info.siblings or ()
        }
        names = _choose(sorted(known), self.checkpoint, f"the repository {repo} at revision {revision}")
        return info.sha or revision, [known[name] for name in names]

    def _in_cache(self, file: _Remote, commit: str) -> str | None:
        """Path of the file in the cache; deletes a truncated one, since the hub's client checks only its name."""
        path = hub.try_to_load_from_cache(self.checkpoint.repo, file.name, revision=commit)
        if not isinstance(path, str):
            return None
        if file.size and os.path.getsize(path) != file.size:
            _delete(path)
            return None
        return path

    def _read_cache(self, reason: Exception) -> dict[str, str]:
        """Read everything from the cache, without the hub; raises an error if a pattern has no file there."""
        repo = self.checkpoint.repo
        if isinstance(reason, InputError):
            raise reason
        try:
            snapshot = Path(
                hub.snapshot_download(
                    repo,
                    revision=self.checkpoint.revision,
                    allow_patterns=list(self.checkpoint.files),
                    local_files_only=True,
                )
            )
            files = _local_files(snapshot, self.checkpoint)
        except (LocalEntryNotFoundError, InputError, OSError):
            raise self._refusal(reason) from reason
        self.weights.revisions[repo] = snapshot.name
        return files

    def _download(self, file: _Remote, meter: _Meter) -> str:
        try:
            path = hub.hf_hub_download(
                self.checkpoint.repo, file.name, revision=self.checkpoint.revision, tqdm_class=meter.bar()
            )
        except Cancelled:
            raise
        except Exception as error:
            raise self._refusal(error, file.name) from error
        if file.sha256 and _sha256(path) != file.sha256:
            _delete(path)
            raise InputError(
                f"{file.name} of {self.checkpoint.repo} arrived damaged (its checksum is wrong) and was deleted; start "
                "again to download it once more."
            )
        meter.finished()
        return path

    def _check_disk(self, needed: int) -> None:
        place = Path(constants.HF_HUB_CACHE)
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if needed > free:
            raise InputError(
                f"{self.checkpoint.repo} needs {needed / 1e9:.1f} GB of disk space, {free / 1e9:.1f} GB are free at {place}; "
                "make room or set HF_HOME to a larger disk."
            )

    def _refusal(self, error: Exception, name: str = "") -> InputError:
        repo, revision = self.checkpoint.repo, self.checkpoint.revision
        file = f"{name} of {repo}" if name else repo
        url = f"{constants.ENDPOINT}/{repo}"
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, GatedRepoError):
            return InputError(
                f"{repo} is gated: accept its terms at {url}, then run `hf auth login` or set HF_TOKEN to a token of that account."
            )
        if isinstance(error, RevisionNotFoundError):
            return InputError(f"{repo} has no revision {revision}; update Reshoot or check the repository at {url}.")
        if isinstance(error, RepositoryNotFoundError):
            return InputError(
                f"{repo} does not exist or is private; see {url} and, if you have access, log in with `hf auth login`."
            )
        if status in (401, 403):
            return InputError(
                f"The hub refuses access to {file} ({status}); log in with `hf auth login` and accept its terms at {url}."
            )
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return InputError(f"The disk is full while downloading {file}; make room or set HF_HOME to a larger disk.")
        if isinstance(error, OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE:
            return InputError(
                f"{file} is not in the cache and the hub is switched off (HF_HUB_OFFLINE); switch it on once, or put the "
                f"files into ${FOLDER_VARIABLE}/{repo}."
            )
        if isinstance(error, HfHubHTTPError) and status:
            return InputError(f"The hub answered {status} for {file}; try again later, or check {url}.")
        return InputError(
            f"{file} could not be downloaded ({describe_unreachable(error)}) and is not in the cache; check the network and start "
            f"again, or put the files into ${FOLDER_VARIABLE}/{repo}."
        )


class _Meter:
    """Report the bytes so far to the weights' ``announce`` a few times per second."""

    def __init__(self, repo: str, missing: Sequence[_Remote], weights: Weights) -> None:
        self.repo, self.weights = repo, weights
        self.files, self.total = len(missing), sum(file.size for file in missing)
        self.done_files, self.bytes = 0, 0
        self.began, self.last_report = time.monotonic(), 0.0

    def bar(self) -> type[tqdm]:
        """A progress bar class for the Hub's client; it draws nothing."""
        meter = self

        class Bar(tqdm):
            def __init__(self, *args: Any, **options: Any) -> None:
                options.pop("name", None)
                super().__init__(*args, **options | {"disable": True})

            def update(self, n: float | None = 1) -> bool | None:
                meter.advance(int(n or 0))
                return None

        return Bar

    def advance(self, count: int) -> None:
        if self.weights.cancelled():
            raise Cancelled
        self.bytes += count
        if time.monotonic() - self.last_report > _SECONDS_BETWEEN_REPORTS:
            self.tell()

    def finished(self) -> None:
        self.done_files += 1
        self.tell()

    def tell(self) -> None:
        self.last_report = time.monotonic()
        rate = self.bytes / max(self.last_report - self.began, 1e-3)
        left = max(self.total - self.bytes, 0) / rate if rate > 0 else None
        note = (
            f"{self.done_files} of {self.files} files, {self.bytes / 1e9:.2f} of {self.total / 1e9:.2f} GB, "
            f"{rate / 1e6:.1f} MB/s"
        )
        self.weights.announce(
            Progress(f"Downloading {self.repo}", self.bytes, max(self.total, 1), note=note, seconds_left=left)
        )


def _delete(path: str) -> None:
    """Delete a file of the cache and the content that its link points to."""
    blob = Path(path).resolve()
    Path(path).unlink()
    blob.unlink(missing_ok=True)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_HASHED_BLOCK):
            digest.update(block)
    return digest.hexdigest()
