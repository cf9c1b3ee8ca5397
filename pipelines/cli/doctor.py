"""Checks whether this machine has what a shot needs: Hub, access, disk, GPU, versions; one line each."""

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
from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError, RevisionNotFoundError

from camera.errors import InputError, describe_unreachable
from pipelines import method
from pipelines.method import Checkpoint, Method
from pipelines.runtime.device import Device
from pipelines.runtime.forecast import HEADROOM
from pipelines.runtime.monitor.status import in_words, status
from pipelines.runtime.pool.settings import pool_settings as wanted_pool
from pipelines.weights.hub import folder_from_environment

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "huggingface_hub", "gradio")
EXTRAS = {"pycolmap": "poses from video", "torchao": "memory mode int8"}
"""Optional packages, and their purpose."""


MACHINE, POOL = "machine", "pool"


@dataclass(frozen=True)
class Finding:
    """The outcome of a check: ``good`` is True, False, or None for information."""

    good: bool | None
    words: str

    def __str__(self) -> str:
        return f"{ {True: 'ok  ', False: 'FAIL', None: 'note'}[self.good] }  {self.words}"


def examine(names: Sequence[str]) -> int:
    """Print the findings for the machine and each method, and a summary; returns 0 if nothing fails, else 1."""
    failed = []
    for title, findings in _chapters(names):
        print(title)
        for finding in findings:
            print(f"  {finding}", flush=True)
            if finding.good is False and title not in failed:
                failed.append(title)
    print(_summary(failed, names))
    return int(bool(failed))


def _summary(failed: Sequence[str], names: Sequence[str]) -> str:
    if not failed:
        return "Everything that shooting needs is installed."
    ready = [name for name in names if name not in failed and MACHINE not in failed]
    able = f"{', '.join(ready)} can be shot here" if ready else "Nothing can be shot here with real weights"
    return f"{able}; see FAIL above for {', '.join(failed)}. Rehearsing and tiny weights need none of it."


def _chapters(names: Sequence[str]) -> Iterator[tuple[str, Iterator[Finding]]]:
    device = Device()
    silence = hub_silence()
    yield MACHINE, _machine(device, silence)
    if wanted_pool():
        yield POOL, _pool()
    for name in names:
        yield name, _method(method(name), device, silence)


def _pool() -> Iterator[Finding]:
    try:
        now = status()
    except InputError as error:
        yield Finding(False, str(error))
        return
    yield Finding(True if now.gpus else None, in_words(now)[0])
    yield from (Finding(None, line) for line in in_words(now)[1:])


def hub_silence() -> str:
    """Why the hub does not answer, or an empty string if it does; cached, because a time-out takes long."""
    try:
        hub.get_session().head(constants.ENDPOINT, timeout=10)
    except OfflineModeIsEnabled:
        return "the hub is switched off (HF_HUB_OFFLINE)"
    except Exception as error:
        return f"the hub {constants.ENDPOINT} does not answer ({describe_unreachable(error)})"
    return ""


def _machine(device: Device, silence: str) -> Iterator[Finding]:
    python = sys.version_info
    good = (3, 10) <= python[:2] < (3, 13)
    yield Finding(good, f"Python {python.major}.{python.minor}" + ("" if good else "; 3.10 to 3.12 are supported"))
    for package in PACKAGES:
        there = _installed_version(package)
        yield Finding(bool(there), f"{package} {there}" if there else f"{package} is missing; install requirements.txt")
    for package, use in EXTRAS.items():
        there = _installed_version(package)
        yield Finding(True if there else None, f"{package} {there}" if there else f"no {package}: {use} is not offered")
    yield Finding(None if silence else True, silence or f"the hub {constants.ENDPOINT} answers")
    words = f"{device.label}, {device.free_bytes() / 1e9:.1f} of {device.total_bytes() / 1e9:.1f} GB free"
    yield Finding(
        True if device.is_gpu else None, words if device.is_gpu else f"no GPU: {words}; tiny weights run anyway"
    )


def _installed_version(package: str) -> str:
    """The installed version of a package, empty if it is missing."""
    try:
        return installed(package)
    except PackageNotFoundError:
        return ""


def _method(known: Method, device: Device, silence: str) -> Iterator[Finding]:
    missing = 0.0
    for checkpoint in known.checkpoints:
        finding, there = _checkpoint(checkpoint, silence)
        missing += 0 if there else checkpoint.gigabytes
        yield finding
    free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE))).free / 1e9
    yield Finding(missing < free, f"{missing:.0f} GB to download at most, {free:.0f} GB of disk free")
    yield _gpu(known, device)


def _gpu(known: Method, device: Device) -> Finding:
    from pipelines.cli.bench import default_shot

    _, path, settings = default_shot(known)
    needs = known.estimate(path, settings).gigabytes
    mode = min(needs, key=lambda name: needs[name])
    words = f"needs at least {needs[mode]:.1f} GB of GPU memory ({mode}) for {len(path)} frames"
    if not device.is_gpu:
        return Finding(None, words)
    total = device.total_bytes() / 1e9
    words += f", this one has {total:.0f}"
    return Finding(needs[mode] * HEADROOM <= total, words)


def _checkpoint(checkpoint: Checkpoint, silence: str = "") -> tuple[Finding, bool]:
    """Whether a checkpoint is accessible and whether it is downloaded; ``silence``: why the hub cannot be reached."""
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
    if silence:
        return Finding(False, f"{checkpoint.repo}: not in the cache, and {silence}"), False
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
            False, f"{checkpoint.repo}: not in the cache, and the hub did not answer ({describe_unreachable(error)})"
        ), False
    return Finding(True, f"{checkpoint.repo}: can be downloaded"), False


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
