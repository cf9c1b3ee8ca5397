"""A complete clip as one lossless npz file, in which the processes and machines of a pool return it."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from camera.view import Scene
from pipelines.method import Clip, Progress
from pipelines.results.arrays import clip_arrays, clip_of
from pipelines.runtime.progress_clock import Phase, Report


def clip_bytes(clip: Clip, scene: Scene) -> bytes:
    """Pack ``clip``, shot from ``scene``, for `clip_of_bytes`; frames stay bit-identical."""
    arrays, facts = clip_arrays(clip, scene)
    head = {"clip": facts, "notes": list(clip.notes), "files": list(clip.files)}
    files = {f"file{number}": np.frombuffer(file, np.uint8) for number, file in enumerate(clip.files.values())}
    whole = io.BytesIO()
    packed: dict[str, Any] = {**arrays, **files, "head": np.array(json.dumps(head))}
    np.savez(whole, **packed)
    return whole.getvalue()


def clip_of_bytes(file: bytes, scene: Scene) -> Clip:
    """Unpack a file of `clip_bytes`; ``scene`` is the scene that the clip was shot from."""
    with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
        head = json.loads(str(arrays["head"]))
        files = {name: arrays[f"file{number}"].tobytes() for number, name in enumerate(head["files"])}
        return replace(clip_of(arrays, head["clip"], scene), notes=tuple(head["notes"]), files=files)


def plain(item: Progress | Report) -> dict[str, Any]:
    """Convert to plain values; a preview frame stays an array."""
    return asdict(item) | ({"preview": item.preview} if isinstance(item, Progress) else {})


def report_of(values: dict[str, Any]) -> Report:
    return Report(**{**values, "phases": tuple(Phase(**phase) for phase in values["phases"])})
