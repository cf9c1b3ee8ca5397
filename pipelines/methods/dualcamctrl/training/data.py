"""RealEstate10K clips with depth, in the layout that DualCamCtrl's authors train on.

Below the data folder: ``SPLIT_meta.json`` (a list of records with ``key``, ``frame``, ``height``, ``width``; the size of the source,
which upstream's lens rule uses even if its pixels are not square),
``SPLIT_scenes/KEY.torch`` (``cameras`` (N,18) and ``images``, JPEG files as byte tensors),
``SPLIT_captions/KEY/captions.json`` (every 60th frame to a sentence) and
``SPLIT_video_depth_maps/KEY/depth_vitl_fp16.mp4`` (grey disparity).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from camera.errors import InputError, reading
from camera.path import CameraPath, inverse
from pipelines.media.video import read_video
from pipelines.methods.dualcamctrl import cameras

CAPTION_EVERY = 60
"""Number of frames per caption."""


@dataclass(frozen=True)
class ClipShape:
    """``frames`` of ``width`` x ``height``, at most ``stride`` frames of the source apart."""

    frames: int = 61
    width: int = 720
    height: int = 480
    stride: int = 8


def pick_frames(available: int, frames: int, *, stride: int = 8, start: int = 0) -> NDArray[np.int64]:
    """Frames of a clip to use: evenly spaced from ``start``, with a smaller stride if the clip is short."""
    return np.linspace(start, start + clip_length(available, frames, stride) - 1, frames).astype(np.int64)


def clip_length(available: int, frames: int, stride: int) -> int:
    """Number of source frames that a training clip spans; raises `InputError` for a source shorter than ``frames``."""
    step = min(stride, available // frames)
    if step < 1:
        raise InputError(f"A clip of {available} frames is too short for {frames}; remove it from the list.")
    return step * frames


def path_from_rows(rows: NDArray, width: int, height: int) -> CameraPath:
    """Convert rows (N,18) of a scene file to cameras of a ``width`` x ``height`` picture.

    A row contains fx, fy, cx, cy as fractions of width and height, two zeros, and the 3x4 world-to-camera matrix.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 18:
        raise InputError(f"A scene's cameras must be (N,18), got {rows.shape}.")
    camera_from_world = np.repeat(np.eye(4)[None], len(rows), axis=0)
    camera_from_world[:, :3] = rows[:, 6:].reshape(-1, 3, 4)
    lenses = np.repeat(np.eye(3)[None], len(rows), axis=0)
    lenses[:, [0, 1], [0, 1]] = rows[:, :2] * [width, height]
    lenses[:, :2, 2] = rows[:, 2:4] * [width, height] - 0.5
    return CameraPath(inverse(camera_from_world), lenses, width, height)


class RealEstateClips(Dataset):
    """Items are dicts: ``rgb``, ``depth`` (3,F,H,W) in -1..1, ``camera`` (24,(F+3)/4,H,W) packed rays, ``caption``.

    Item ``round * len(self) + index`` is scene ``index`` in that epoch of a training. A clip starts at frame 0, or at a random
    frame if ``seed`` is given, determined by seed and item number.
    """

    def __init__(self, folder: str | Path, *, split: str, shape: ClipShape, seed: int | None = None) -> None:
        self.folder, self.split, self.shape, self.seed = Path(folder), split, shape, seed
        records = _json(self.folder / f"{split}_meta.json")
        if not isinstance(records, list) or not all(isinstance(r, dict) and "key" in r for r in records):
            raise InputError(f"{split}_meta.json must be a list of records, each with a key.")
        self.keys = [str(record["key"]) for record in records]
        self.aspects = [_aspect(record, f"{split}_meta.json") for record in records]
        if not self.keys:
            raise InputError(f"{split}_meta.json lists no clip.")

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, number: int) -> dict[str, Any]:
        key, aspect, shape = self.keys[number % len(self)], self.aspects[number % len(self)], self.shape
        scene = self._scene(key)
        rows, images = scene["cameras"].numpy(), scene["images"]
        length = clip_length(len(rows), shape.frames, shape.stride)
        start = self._start(number, len(rows) - length)
        picked = pick_frames(len(rows), shape.frames, stride=shape.stride, start=start)
        path = path_from_rows(rows[picked], shape.width, shape.height)
        rgb = np.stack([self._resize(_jpeg(images[i], key), cv2.INTER_LINEAR) for i in picked])
        return {
            "rgb": _to_signed(rgb),
            "depth": _to_signed(self._depth(key, picked)),
            "camera": torch.from_numpy(
                cameras.pack_rays(cameras.rays(cameras.network_path(path, source_aspect=aspect)))
            ),
            "caption": self._caption(key, start + length),
        }

    def _start(self, number: int, latest: int) -> int:
        if self.seed is None:
            return 0
        return int(np.random.default_rng((self.seed, *divmod(number, len(self)))).integers(latest + 1))

    def _scene(self, key: str) -> dict[str, Any]:
        path = self.folder / f"{self.split}_scenes" / f"{key}.torch"
        try:
            scene = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged files raise many kinds of errors
            raise InputError(f"{path.name} is missing or cannot be read; create the scene file again.") from error
        if not isinstance(scene, dict) or not {"cameras", "images"} <= scene.keys():
            raise InputError(f"{path.name} must contain cameras and images.")
        if len(scene["cameras"]) != len(scene["images"]):
            raise InputError(
                f"{path.name} contains {len(scene['cameras'])} cameras for {len(scene['images'])} images; there must be one per image."
            )
        return scene

    def _depth(self, key: str, picked: NDArray) -> NDArray[np.uint8]:
        path = self.folder / f"{self.split}_video_depth_maps" / key / "depth_vitl_fp16.mp4"
        frames, _ = read_video(path, max_frames=int(picked[-1]) + 1, every=True)
        if len(frames) <= picked[-1]:
            raise InputError(f"The depth video of {key} has {len(frames)} frames, frame {picked[-1]} is needed.")
        return np.stack([self._resize(frames[i], cv2.INTER_NEAREST_EXACT) for i in picked])

    def _resize(self, picture: NDArray, interpolation: int) -> NDArray[np.uint8]:
        """Stretch to the training size, as upstream does."""
        return cv2.resize(picture, (self.shape.width, self.shape.height), interpolation=interpolation).astype(np.uint8)

    def _caption(self, key: str, end: int) -> str:
        """The caption of the last captioned frame of the clip, with "video" in place of "image"."""
        captions = _json(self.folder / f"{self.split}_captions" / key / "captions.json")
        sentence = captions.get(str(end // CAPTION_EVERY * CAPTION_EVERY)) if isinstance(captions, dict) else None
        if sentence is None:
            raise InputError(
                f"captions.json of {key} has no sentence for frame {end // CAPTION_EVERY * CAPTION_EVERY}."
            )
        return str(sentence).replace("image", "video")


class ClipOrder(Sampler[int]):
    """Endless indices of `RealEstateClips`, every epoch in a new order; skips the first ``done`` clips.

    The order depends on ``seed`` only, so a resumed training gets the same clips as an uninterrupted one.
    """

    def __init__(self, clips: int, *, seed: int, done: int = 0) -> None:
        self.clips, self.seed, self.done = clips, seed, done

    def __iter__(self) -> Iterator[int]:
        for round_number in count(self.done // self.clips):
            order = np.random.default_rng((self.seed, round_number)).permutation(self.clips)
            passed = self.done % self.clips if round_number == self.done // self.clips else 0
            yield from (round_number * self.clips + int(index) for index in order[passed:])


def _aspect(record: dict[str, Any], name: str) -> float | None:
    """Width over height of a clip's source; None if the record does not contain it."""
    if "width" not in record or "height" not in record:
        return None
    sides = [record[key] for key in ("width", "height")]
    if not all(isinstance(side, (int, float)) and not isinstance(side, bool) and 1 <= side <= 1e5 for side in sides):
        raise InputError(f"{record['key']} of {name} should have a width and a height in pixels, got {sides}.")
    return float(sides[0] / sides[1])


def _to_signed(frames: NDArray[np.uint8]) -> Tensor:
    """(F,H,W,3) bytes to (3,F,H,W) in -1..1."""
    return torch.from_numpy(frames.astype(np.float32) / 127.5 - 1).permute(3, 0, 1, 2).contiguous()


def _jpeg(encoded: Tensor, key: str) -> NDArray[np.uint8]:
    picture = cv2.imdecode(encoded.numpy(), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"A picture of {key} is damaged; create the scene file again.")
    return np.asarray(picture[..., ::-1], dtype=np.uint8)


def _json(path: Path) -> Any:
    with reading(f"{path.name} is missing in {path.parent.name} or is not JSON."):
        return json.loads(path.read_text(encoding="utf-8"))
