"""Stores a shot and its result as single files, so that one Space can shoot for another. Nothing is pickled."""

from __future__ import annotations

import hmac
import io
import json
import os
import struct
import tempfile
import time
import zipfile
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from camera.errors import InputError, reading
from camera.path import CameraPath
from pipelines import registry
from pipelines.inputs.archive import unpack
from pipelines.media.video import read_video
from pipelines.method import Clip
from pipelines.options import RunOptions
from pipelines.results.arrays import clip_arrays, clip_of, scene_arrays, scene_facts, scene_of
from pipelines.results.record import Record, restore
from pipelines.runtime.progress_clock import Phase, Report
from pipelines.settings import Settings
from pipelines.shot import Shot

File = TypeVar("File", Path, io.BytesIO)

LARGEST_JOB = 2 * 10**9
"""Bytes of arrays that a job may unpack to."""
DAMAGED_RESULT = "The result of the other Space is damaged or of another version; update both Spaces."


def write_job(file: File, shot: Shot, *, files: bool = False) -> File:
    """Write a shot as one npz file: arrays, and JSON for the rest. Raises `InputError` if a setting names a file,
    unless ``files`` says that the reader of the job shares this machine's disk."""
    if not files:
        _check_no_files(shot.settings)
    path = shot.path
    head = {
        "method": shot.method.name,
        "settings": shot.settings.values(),
        "options": shot.options.values(),
        "scene": scene_facts(shot.scene),
        "path": {"width": path.width, "height": path.height, "fps": path.fps},
    }
    arrays: dict[str, Any] = scene_arrays(shot.scene) | {"poses": path.world_from_camera, "lenses": path.intrinsics}
    if shot.after is not None:
        more, head["after"] = clip_arrays(shot.after, shot.scene)
        arrays |= more
    np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)
    return file


def read_job(file: str | Path | IO[bytes], *, files: bool = False) -> Shot:
    """Read a file of `write_job`; raises `InputError` for anything else, and for jobs that would not fit into memory.

    ``files``: the job comes from this app and may name files.
    """
    with reading("The job file is damaged or of another version; update both Spaces."):
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_JOB:
                raise InputError(
                    f"The job unpacks to more than {LARGEST_JOB // 10**9} GB; send fewer or smaller pictures."
                )
        with np.load(file, allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"]))
            scene = scene_of(arrays, head["scene"])
            path = CameraPath(arrays["poses"], arrays["lenses"], **head["path"])
            after = clip_of(arrays, head["after"], scene) if "after" in head else None
        method = registry.method(head["method"])
        settings, options = method.settings.of(head["settings"]), RunOptions.of(head["options"])
        if not files:
            _check_no_files(settings)  # a foreign job must not make this Space read its own files
        return Shot(method, scene, path, settings, options, after)  # type: ignore[arg-type]


# --- who sends it ----------------------------------------------------------------------------------------------------

SECRET_VARIABLE = "RESHOOT_SECRET"
"""Environment variable: the secret shared by a hub Space and its siblings. Without it a Space shoots for no other."""
PROOF_SECONDS = 3600
_PROOF = struct.Struct(">Q32s")


def sign(file: Path) -> Path:
    """Write a time stamp and a signature made with the shared secret into the comment of a job file."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = bytes(_PROOF.size)
    data, now = file.read_bytes()[: -_PROOF.size], int(time.time())
    file.write_bytes(data + _PROOF.pack(now, _seal(data, now)))
    return file


def check_sender(file: str | Path) -> None:
    """Raise `InputError` unless the job was signed with this Space's secret (HMAC, SHA-256) within the last hour."""
    if not os.environ.get(SECRET_VARIABLE):
        raise InputError(
            f"This Space does not shoot for other Spaces: set {SECRET_VARIABLE} to the same value in both."
        )
    data = Path(file).read_bytes()
    if len(data) > _PROOF.size:
        made, seal = _PROOF.unpack(data[-_PROOF.size :])
        if hmac.compare_digest(seal, _seal(data[: -_PROOF.size], made)) and abs(time.time() - made) <= PROOF_SECONDS:
            return
    raise InputError(f"This job was not signed with this Space's {SECRET_VARIABLE}, or it is too old.")


def _seal(data: bytes, made: int) -> bytes:
    secret = os.environ.get(SECRET_VARIABLE, "").encode()
    return hmac.new(secret, made.to_bytes(8, "big") + data, "sha256").digest()


def _check_no_files(settings: Settings) -> None:
    for name in settings.files():
        if getattr(settings, name):
            label = settings.controls()[name].label
            raise InputError(
                f"{label}: files on your computer cannot be sent to another Space; use this method's own Space for them."
            )


def read_result(file: str | Path) -> tuple[Clip, Report | None]:
    """Read the clip and report in a file from `serve`; the clip's frames have been through mp4 compression.

    Raises `InputError` for a damaged file, or one that unpacks to more than an upload may.
    """
    file = Path(file)
    with tempfile.TemporaryDirectory(prefix="reshoot-job-") as folder, reading(DAMAGED_RESULT):
        at = Path(folder)
        unpack(file, at)
        head = json.loads((at / "head.json").read_bytes())
        made = restore(at / "result.mp4")
        frames, fps = read_video(at / "result.mp4")
        extras = {title: read_video(at / Path(name).name)[0] for title, name in head["extras"].items()}
        files = {title: (at / Path(name).name).read_bytes() for title, name in head["files"].items()}
        clip_path = CameraPath(**head["path"])
    return Clip(frames, fps, clip_path, extras=extras, notes=tuple(head["notes"]), files=files), _report(made)


def _report(made: Record) -> Report | None:
    if not made.report:
        return None
    values: dict[str, Any] = made.report | {"phases": tuple(Phase(**phase) for phase in made.report["phases"])}
    return Report(**values)
