"""Clips of data sets with ground-truth cameras and frames: RealEstate10K, DL3DV, CamVid-30K, in their published layouts.

- RealEstate10K: ``CLIP.txt`` with time stamps, and the frames as ``CLIP.mp4`` or in a folder ``CLIP`` named by time stamp, anywhere below.
- DL3DV: ``HASH/transforms.json`` (or ``HASH/nerfstudio/transforms.json``) with pictures in ``images_8``, ``images_4``, ``images_2`` or ``images``.
- CamVid-30K: a folder with ``images/`` and a COLMAP model in ``0/``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats import nerfstudio
from camera.formats.account import Account
from camera.formats.parsing import json_object
from camera.formats.realestate10k import read_rows
from camera.path import CameraPath, pinhole
from pipelines.inputs.datasets.genxd import read_camvid
from pipelines.inputs.posed_files import fit_picture
from pipelines.media.image import read_picture
from pipelines.media.video import read_video

PICTURES = (".png", ".jpg", ".jpeg")
SIZES = ("images_8", "images_4", "images_2", "images")
"""Folders of DL3DV's pictures, smallest first."""
Frames = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DatasetClip:
    """``path``: the ground-truth cameras of ``frames`` (F,H,W,3), in their size and order."""

    name: str
    dataset: str
    path: CameraPath
    frames: Frames

    def fitted(self, count: int, width: int, height: int) -> DatasetClip:
        """``count`` evenly spaced frames, scaled and centre-cropped to another size."""
        if count > len(self.path):
            raise InputError(
                f"{self.name} has {len(self.path)} frames, the shot has {count}; the true clip must be as long."
            )
        chosen = np.linspace(0, len(self.path) - 1, count).round().astype(int)
        frames = np.stack([fit_picture(self.frames[i], width, height) for i in chosen])
        path = self.path.fitted(width, height, "crop").sliced(chosen)  # type: ignore[arg-type]
        return replace(self, path=path, frames=frames)


def find_clips(folder: Path) -> dict[str, Callable[[], DatasetClip]]:
    """Functions that read each clip below ``folder``, by name; raises `InputError` if there is none."""
    found: dict[str, Callable[[], DatasetClip]] = {}
    files = sorted(folder.rglob("*"))
    pictures = {file.parent.name: file.parent for file in files if file.suffix.lower() in PICTURES}
    pictures |= {file.stem: file for file in files if file.suffix.lower() == ".mp4"}
    for file in files:
        if file.name == "transforms.json":
            place = file.parent.parent if file.parent.name == "nerfstudio" else file.parent
            found[place.name] = partial(_read_dl3dv, file, place.name)
        elif file.name == "0" and (file.parent / "images").is_dir():
            found[file.parent.name] = partial(_read_camvid, file.parent)
        elif file.suffix == ".txt" and file.stem in pictures:
            found[file.stem] = partial(_read_realestate, file, pictures[file.stem])
    if not found:
        raise InputError(
            f"{folder.name} contains no clip of RealEstate10K, DL3DV or CamVid-30K; docs/evaluation.md has their layouts."
        )
    return found


def clip_of(result: str, folder: Path) -> DatasetClip:
    """The clip whose name is, or is contained in, the name of a ``result``; the longest name if there are several."""
    clips = find_clips(folder)
    names = [name for name in clips if name in result]
    if not names:
        raise InputError(f"No clip of {folder.name} has its name in {result!r}; name results after their clips.")
    return clips[max(names, key=len)]()


def _pictures(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES}


def _read_realestate(file: Path, pictures: Path) -> DatasetClip:
    text = file.read_text(errors="replace")
    if pictures.is_dir():
        files = _pictures(pictures)
        stamps, _ = read_rows(text, file.name, None, Account(file.name))
        if missing := [stamp for stamp in stamps if stamp not in files]:
            raise InputError(f"{pictures.name} lacks the frame {missing[0]} of {file.name}.")
        frames, fps = np.stack([read_picture(files[stamp]).colour for stamp in stamps]), 24.0
    else:
        frames, fps = read_video(pictures)
    height, width = frames.shape[1:3]
    like = CameraPath(np.eye(4)[None], pinhole(width, height, 60), width, height, fps)
    stamps, path = read_rows(text, file.name, like, Account(file.name))
    if len(path) != len(frames):
        raise InputError(
            f"{file.name} has {len(path)} cameras, {pictures.name} has {len(frames)} frames; the numbers must be equal."
        )
    seconds = (float(stamps[-1]) - float(stamps[0])) / 1e6
    return DatasetClip(
        file.stem, "RealEstate10K", path.with_fps((len(path) - 1) / seconds if seconds > 0 else fps), frames
    )


def _read_dl3dv(file: Path, name: str) -> DatasetClip:
    values = json_object(file.read_bytes(), file.name)
    place = next((file.parent / size for size in SIZES if (file.parent / size).is_dir()), None)
    if place is None:
        raise InputError(f"{name} has no pictures in {', '.join(SIZES)}.")
    own = Account(file.name)
    first = CameraPath(np.eye(4)[None], pinhole(64, 36, 60), 64, 36)
    listed = sorted(nerfstudio.frames_of(values, file.name, first, own), key=lambda frame: frame.file_path)
    frames = np.stack([read_picture(place / Path(frame.file_path).name).colour for frame in listed])
    lens = np.stack([frame.matrix for frame in listed])
    poses = np.stack([frame.world_from_camera for frame in listed])
    path = CameraPath(poses, lens, listed[0].width, listed[0].height).resized(frames.shape[2], frames.shape[1])
    return DatasetClip(name, "DL3DV", path, frames)


def _read_camvid(entry: Path) -> DatasetClip:
    given = read_camvid(entry)
    return DatasetClip(entry.name, "CamVid-30K", given.path, given.pictures)
