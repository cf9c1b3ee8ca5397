"""Results with their records: an mp4 that contains settings, path and provenance, the same as JSON beside it, and frames as a zip."""

from __future__ import annotations

import hashlib
import json
import re
import time
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from camera.errors import InputError, reading
from camera.formats.content import kind_of
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.view import Scene
from pipelines.media.concat import VideoPrefix, write_continuation
from pipelines.media.image import png
from pipelines.media.video import complete, probe
from pipelines.method import Clip, Method, Moves
from pipelines.results import mp4_box
from pipelines.settings import Settings
from pipelines.shot import Shot

VERSION = "0.1.0"
FORMAT = 1
TAG = "reshoot"
"""Name of the metadata entry in the mp4, and of the format number in the JSON."""

LARGEST_JSON = 64 * 10**6
_STALE_SECONDS = 3600
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, eq=False)
class Record:
    """The record of a result: what it was made from.

    ``moves``: the camera controls that made the path, empty if it came from elsewhere. ``input_sha256``: of the scene's
    pictures, depths, cameras and objects. ``revisions``: commits of the weights' repositories. ``version``: of this program.
    """

    method: str
    settings: dict[str, Any]
    path: CameraPath
    moves: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    input_sha256: str = ""
    revisions: dict[str, str] = field(default_factory=dict)
    version: str = VERSION
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> str:
        return self.options.get("weights", "real")

    def settings_for(self, method: Method) -> tuple[Settings, tuple[str, ...]]:
        """The settings for ``method``, and one sentence for each setting that it does not know or no longer accepts."""
        return filter_values(method.settings, self.settings)

    def moves_for(self, method: Method) -> tuple[Moves, tuple[str, ...]]:
        """The camera controls for ``method``, and sentences as in `settings_for`."""
        moves, notes = filter_values(method.moves, self.moves)
        return moves, notes  # type: ignore[return-value]

    def to_json(self) -> str:
        values = asdict(self) | {"path": self.path.values()}
        return json.dumps({TAG: FORMAT, **values}, allow_nan=False)


@dataclass(frozen=True)
class SavedResult:
    """Files of one result: the video, its record as JSON, companion videos and further files by name."""

    video: Path
    sidecar: Path
    companions: dict[str, Path]
    files: dict[str, Path]


def record(shot: Shot, *, moves: Moves | None = None, report: Any = None) -> Record:
    """The record of a run; ``moves``: the camera controls that made its path, ``report``: the runtime's `Report`."""
    return Record(
        method=shot.method.name,
        settings=_drop_folders(shot.settings),
        path=shot.path,
        moves=moves.values() if moves else {},
        options=shot.options.values(),
        input_sha256=scene_sha256(shot.scene),
        revisions=dict(report.revisions) if report else {},
        version=version(),
        report=report.values() if report else {},
    )


def save(
    folder: str | Path, name: str, clip: Clip, made: Record, *, carries: bytes = b"", begun: VideoPrefix | None = None
) -> SavedResult:
    """Write ``clip`` as ``folder``/``name``.mp4 with its other files beside it; each file appears only when complete. Removes
    files that an interrupted writer left there long ago.

    ``carries``: see `pipelines.results.embedded_scene`. ``begun``: a saved video with which ``clip`` begins; its pictures, and those of
    its companions, are copied instead of being encoded again.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    text = made.to_json()
    metadata = {"title": name, "comment": _comment(made), TAG: text}
    video = _video(folder / f"{name}.mp4", clip.frames, clip.fps, metadata, begun, carries)
    sidecar = _write(folder / f"{name}.json", text.encode())
    companions = {}
    for title, frames in clip.extras.items():
        if len(frames) > 1:
            before = begun and VideoPrefix(companion_file(begun.video, title), begun.frames)
            file, tags = companion_file(video, title), {"comment": _comment(made)}
            companions[title] = _video(file, frames, clip.fps, tags, before)
    stills = {f"{title}.png": png(frames[0]) for title, frames in clip.extras.items() if len(frames) == 1}
    files = {
        title: _write(folder / f"{name}-{plain_name(title)}", data) for title, data in (stills | clip.files).items()
    }
    return SavedResult(video, sidecar, companions, files)


def companion_file(video: Path, title: str) -> Path:
    """Path of the companion video ``title`` of a saved ``video``."""
    return beside_file(video, f"{title}.mp4")


def beside_file(video: Path, name: str) -> Path:
    """Path of the additional file ``name`` of a saved ``video``."""
    return video.with_name(f"{video.stem}-{plain_name(name)}")


def restore(file: str | Path) -> Record:
    """Read the record from an mp4 or JSON written by `save`; raises `InputError` for any other file."""
    file = Path(file)
    if kind_of(file) == ".json":
        if file.stat().st_size > LARGEST_JSON:
            raise InputError(f"{file.name} is too large for a record of Reshoot; use the JSON beside a result.")
        text = file.read_bytes().decode("utf-8", errors="replace")
    else:
        text = probe(file).metadata.get(TAG, "")
    if not text:
        raise InputError(f"{file.name} contains no record; use an mp4 made by Reshoot or the JSON beside it.")
    return _parse(text, file.name)


def frames_zip(file: str | Path, clip: Clip, cameras: Mapping[str, bytes]) -> Path:
    """Write frames as PNG and ``cameras`` (names and contents of camera files) into one zip, which appears only when complete."""
    with complete(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for number, frame in enumerate(clip.frames):
            archive.writestr(f"frames/{number:05d}.png", png(frame))
        for name, data in cameras.items():
            archive.writestr(f"cameras/{name}", data, zipfile.ZIP_DEFLATED)
    return Path(file)


def sweep(folder: str | Path) -> int:
    """Remove files that an interrupted writer left at least an hour ago; returns their number."""
    stale = [part for part in Path(folder).glob(".part-*") if time.time() - part.stat().st_mtime > _STALE_SECONDS]
    for part in stale:
        part.unlink(missing_ok=True)
    return len(stale)


# --- parts ---------------------------------------------------------------------------------------------------------


def scene_sha256(scene: Scene) -> str:
    """One hash of all pictures, depths and cameras of a scene, and of its objects."""
    digest = hashlib.sha256(scene.kind.encode())
    if isinstance(scene, StagedScene) and scene.objects:
        digest.update(repr((float(scene.distance), [item.described for item in scene.objects])).encode())
    for view in (*scene.views, *scene.others):
        for array in (view.colour, view.depth, view.intrinsics, view.world_from_camera):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def version() -> str:
    """The program's version, with the commit if it runs from a checkout."""
    head = _ROOT / ".git" / "HEAD"
    try:
        commit = head.read_text().strip()
        if commit.startswith("ref: "):
            commit = (_ROOT / ".git" / commit[5:]).read_text().strip()
    except OSError:
        return VERSION
    return f"{VERSION}+{commit[:12]}" if re.fullmatch("[0-9a-f]{40}", commit) else VERSION


def _video(
    file: Path,
    frames: np.ndarray,
    fps: float,
    metadata: dict[str, str],
    begun: VideoPrefix | None,
    carries: bytes = b"",
) -> Path:
    with complete(file) as part:
        write_continuation(part, frames, fps, metadata=metadata, begun=begun)
        if carries:
            mp4_box.append_box(part, carries)
    return file


def _comment(made: Record) -> str:
    if made.weights == "real":
        return f"Made by Reshoot {made.version} with {made.method}."
    return f"Made by Reshoot {made.version} with {made.method} on {made.weights} random weights: noise, not a picture."


def plain_name(title: str, otherwise: str = "file") -> str:
    """A title as part of a file name; ``otherwise`` if none of its characters is allowed there."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(title).name).strip("-.") or otherwise


def _write(file: Path, data: bytes) -> Path:
    with complete(file) as part:
        part.write_bytes(data)
    return file


def _parse(text: str, name: str) -> Record:
    with reading(f"The record in {name} is damaged; use an mp4 made by Reshoot or the JSON beside it."):
        values = json.loads(text)
        if values.pop(TAG) > FORMAT:
            raise InputError(f"{name} was made by a newer Reshoot; update to open it.")
        path = CameraPath(**values.pop("path"))
        texts = {key: str(values.pop(key)) for key in ("method", "input_sha256", "version")}
        tables = {key: values.pop(key) for key in ("settings", "moves", "options", "revisions", "report")}
    if not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(f"The record in {name} is damaged; use an mp4 made by Reshoot or the JSON beside it.")
    return Record(path=path, **texts, **tables)


def _drop_folders(settings: Settings) -> dict[str, Any]:
    """Replace paths of files by file names, so that records contain no folders of this machine."""
    return settings.values() | {name: Path(getattr(settings, name)).name for name in settings.files()}


def filter_values(kind: type[Settings], values: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    good: dict[str, Any] = {}
    notes = []
    for name, value in values.items():
        try:
            if value and name in kind.files():
                raise InputError(
                    f"{kind.controls()[name].label}: a result does not contain {value}; choose the file again."
                )
            kind.of({name: value})
        except InputError as error:
            notes.append(str(error))
        else:
            good[name] = value
    return kind.of(good), tuple(notes)
