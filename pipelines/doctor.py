"""What stands between this machine and a result: hub, access, disk, GPU, versions; one line each."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import huggingface_hub as hub
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from pipelines import method
from pipelines.method import Checkpoint, Method
from pipelines.runtime.device import Device
from pipelines.runtime.estimates import HEADROOM
from pipelines.runtime.weights import folder_from_environment

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "huggingface_hub", "gradio")


@dataclass(frozen=True)
class Finding:
    """``good`` is None for what is only worth knowing."""

    good: bool | None
    words: str

    def __str__(self) -> str:
        return f"{ {True: 'ok  ', False: 'FAIL', None: 'note'}[self.good] }  {self.words}"


def examine(names: Sequence[str]) -> int:
    """Print what was found for the machine and each method; 0 when nothing fails, else 1."""
    failed = False
    for title, findings in _chapters(names):
        print(title)
        for finding in findings:
            failed |= finding.good is False
            print(f"  {finding}")
    return int(failed)


def _chapters(names: Sequence[str]) -> Iterator[tuple[str, Iterator[Finding]]]:
    device = Device()
    yield "machine", _machine(device)
    for name in names:
        yield name, _method(method(name), device)


def _machine(device: Device) -> Iterator[Finding]:
    python = sys.version_info
    good = (3, 10) <= python[:2] < (3, 13)
    yield Finding(good, f"Python {python.major}.{python.minor}" + ("" if good else "; 3.10 to 3.12 are supported"))
    for package in PACKAGES:
        try:
            yield Finding(True, f"{package} {installed(package)}")
        except PackageNotFoundError:
            yield Finding(False, f"{package} is missing; install requirements.txt")
    words = f"{device.label}, {device.free_bytes() / 1e9:.1f} of {device.total_bytes() / 1e9:.1f} GB free"
    yield Finding(
        True if device.is_gpu else None, words if device.is_gpu else f"no GPU: {words}; tiny weights run anyway"
    )


def _method(known: Method, device: Device) -> Iterator[Finding]:
    missing = 0.0
    for checkpoint in known.checkpoints:
        finding, there = _checkpoint(checkpoint)
        missing += 0 if there else checkpoint.gigabytes
        yield finding
    free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE))).free / 1e9
    yield Finding(missing < free, f"{missing:.0f} GB to download at most, {free:.0f} GB of disk free")
    if device.is_gpu:
        yield _gpu(known, device)


def _gpu(known: Method, device: Device) -> Finding:
    from pipelines.bench import default_shot

    _, path, settings = default_shot(known)
    needs = known.estimate(path, settings).gigabytes
    mode = min(needs, key=lambda name: needs[name])
    total = device.total_bytes() / 1e9
    words = (
        f"needs at least {needs[mode]:.1f} GB of GPU memory ({mode}) for {len(path)} frames, this one has {total:.0f}"
    )
    return Finding(needs[mode] * HEADROOM <= total, words)


def _checkpoint(checkpoint: Checkpoint) -> tuple[Finding, bool]:
    """Whether it can be had, and whether it is here already."""
    folder = folder_from_environment()
    if folder and (folder / checkpoint.repo).is_dir():
        return Finding(True, f"{checkpoint.repo}: in the local folder"), True
    try:
        hub.snapshot_download(
            checkpoint.repo, revision=checkpoint.revision, allow_patterns=list(checkpoint.files), local_files_only=True
        )
        return Finding(True, f"{checkpoint.repo}: in the cache"), True
    except OSError:
        pass
    try:
        hub.HfApi().auth_check(checkpoint.repo)
        hub.HfApi().model_info(checkpoint.repo, revision=checkpoint.revision, timeout=20)
    except GatedRepoError:
        url = f"{constants.ENDPOINT}/{checkpoint.repo}"
        return Finding(False, f"{checkpoint.repo}: gated; accept its terms at {url} and run `hf auth login`"), False
    except RevisionNotFoundError:
        return Finding(False, f"{checkpoint.repo}: has no revision {checkpoint.revision}"), False
    except RepositoryNotFoundError:
        return Finding(False, f"{checkpoint.repo}: does not exist or is private"), False
    except Exception as error:
        return Finding(
            False, f"{checkpoint.repo}: hub not reachable ({type(error).__name__}) and not in the cache"
        ), False
    return Finding(True, f"{checkpoint.repo}: can be downloaded"), False


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
