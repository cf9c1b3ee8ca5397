"""Extension of videos chunk by chunk: extended paths, state that later chunks need, removal of the last chunk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.view import Scene, View
from pipelines.media.video import read_video
from pipelines.method import Clip, Frames
from pipelines.methods.gen3c.chunks import CHUNK, LONGEST, chunks
from pipelines.methods.gen3c.export import cache_files
from pipelines.results.embedded_scene import last_frame, read_embedded_scene
from pipelines.results.record import Record, companion_file, restore
from pipelines.settings import Settings

SHOWN = (FIRST_SHOWN, FROM_PICTURE, FROM_VIEW) = ("cache", "cache, first picture", "cache, second view")
"""Companion videos of a result: the cache renders that conditioned the denoiser."""


def continue_path(scene: Scene, planned: CameraPath, done: int, more: CameraPath, *, chunk_frames: int) -> CameraPath:
    """The path of a video with ``done`` frames, shot along ``planned``, extended by its continuation.

    A cancelled video first continues to the end of ``planned``. Otherwise one chunk is added: ``more``, compressed into one
    chunk and starting at the last camera. Over a clip, the clip's own camera continues, with the offset of the last frame.
    """
    if done < len(planned):
        return planned
    count = done + chunk_frames - 1
    if count > LONGEST:
        raise InputError(f"The video would have {count} frames; {LONGEST} is the longest, so remove a chunk first.")
    if scene.kind == "clip":
        return _extend_over_clip(scene, planned, count)
    return extend_path(planned, more if len(more) == chunk_frames else more.resampled(chunk_frames))


def _extend_over_clip(scene: Scene, path: CameraPath, count: int) -> CameraPath:
    if len(scene.views) < count:
        raise InputError(
            f"The clip has {len(scene.views)} frames and the longer video would need {count}; the video cannot be extended further."
        )
    last = len(path) - 1
    offset = inverse(scene.views[last].world_from_camera) @ path.world_from_camera[last]
    poses = np.stack([view.world_from_camera @ offset for view in scene.views[last:count]])
    lenses = np.stack([view.intrinsics for view in scene.views[last:count]])
    return extend_path(path, replace(path, world_from_camera=poses, intrinsics=lenses))


def continue_shot(
    clip: Clip, made: Record, scene: Scene, more: CameraPath | None, settings: Settings
) -> tuple[CameraPath, Settings]:
    """Path and settings of a run that continues ``clip`` with the record ``made``, by the rules of `continue_path`.

    ``more``: the move to add; None repeats the last chunk's move.
    """
    done, chunk = len(clip.frames), chunk_of(clip, made)
    more = made.path.sliced(slice(done - chunk, done)) if more is None else more
    path = continue_path(scene, made.path, done, more, chunk_frames=chunk)
    return path, type(settings).of(settings.values() | {"chunk_frames": chunk})


def chunk_of(clip: Clip, made: Record) -> int:
    """Frames per chunk of a video, from its record; a video shorter than a chunk is extended by its own length."""
    return min(len(clip.frames), int(made.settings.get("chunk_frames", CHUNK)))


def read_shot(video: str | Path) -> tuple[Clip, Record]:
    """A saved result as a clip to continue, and its record.

    The path holds one camera per saved frame: a cancelled shot has fewer than its record's path. The clip includes companion
    videos whose files lie beside it, and the scene if the file contains it. Raises `InputError` for any other file.
    """
    video = Path(video)
    made, box = restore(video), read_embedded_scene(video)
    frames, fps = read_video(video, max_frames=LONGEST)
    if len(frames) > len(made.path):
        raise InputError(f"{video.name} has {len(frames)} frames and {len(made.path)} cameras; its length was changed.")
    path = made.path.sliced(slice(0, len(frames))).resized(frames.shape[2], frames.shape[1])
    last = last_frame(video)
    if last is not None and last.shape == frames.shape[1:] and last.dtype == np.uint8:
        frames[-1] = last
    behind = grow_scene(box.scene, list(box.added)) if box is not None else None
    return Clip(frames, fps, path, extras=_companions(video, len(frames)), scene=behind), made


def _companions(video: Path, count: int) -> dict[str, Frames]:
    found = {title: file for title in SHOWN if (file := companion_file(video, title)).is_file()}
    videos = {title: read_video(file, max_frames=LONGEST)[0] for title, file in found.items()}
    return {title: frames for title, frames in videos.items() if len(frames) == count}


def extend_path(path: CameraPath, more: CameraPath) -> CameraPath:
    """``path`` followed by ``more``, which starts at the last camera and lens of ``path``; they share that one frame."""
    if (more.width, more.height) != (path.width, path.height):
        raise InputError(
            f"The added path is drawn for {more.width} x {more.height}, the video is {path.width} x {path.height}."
        )
    rest = more.moved_to(path.world_from_camera[-1]).sliced(slice(1, None))
    poses = np.concatenate([path.world_from_camera, rest.world_from_camera])
    lenses = np.concatenate([path.intrinsics, _continue_lens(path.intrinsics[-1], more.intrinsics)[1:]])
    return replace(path, world_from_camera=poses, intrinsics=lenses)


def _continue_lens(lens: NDArray[np.float64], more: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lenses (F,3,3) that zoom and shift like ``more``, starting at ``lens`` (3,3)."""
    lenses = np.repeat(lens[None], len(more), axis=0)
    lenses[:, [0, 1], [0, 1]] *= more[:, [0, 1], [0, 1]] / more[0, [0, 1], [0, 1]]
    lenses[:, :2, 2] += more[:, :2, 2] - more[0, :2, 2]
    return lenses


def take_back(clip: Clip, scene: Scene | None, *, chunk_frames: int) -> Clip:
    """Remove the last chunk of ``clip``, which was shot from ``scene`` in chunks of ``chunk_frames``.

    Also removes the picture that was added to the cache for that chunk. ``scene`` may be None for a clip read from its file.
    Raises `InputError` if there is only one chunk.
    """
    count = len(chunks(len(clip.frames), chunk_frames))
    if count < 2:
        raise InputError("The video has a single chunk, which cannot be removed.")
    left = slice(0, len(clip.frames) - (chunk_frames - 1))
    extras = {name: frames[left] for name, frames in clip.extras.items()}
    path = clip.path.sliced(left)
    shorter = replace(clip, frames=clip.frames[left], path=path, extras=extras, files={})
    if scene is None or clip.scene is None:
        return replace(shorter, scene=None)
    added = added_views(clip, scene)
    for view in added[count - 2 : count - 1]:  # the new last frame, uncompressed
        if np.allclose(view.world_from_camera, path.world_from_camera[-1], atol=1e-6):
            shorter = replace(shorter, frames=np.concatenate([shorter.frames[:-1], view.colour[None]]))
    shot_from = grow_scene(scene, added[: count - 2])
    return replace(shorter, scene=shot_from, files=cache_files(shot_from, path) if clip.extras else {})


def grow_scene(scene: Scene, added: list[View]) -> Scene:
    """The still scene extended by the generated pictures that later chunks were based on, each with its aligned depth."""
    if not added:
        return scene
    source = f"{scene.source}; generated pictures aligned to it"
    return replace(scene, views=(*scene.views, *added), kind="views", source=source)


def added_views(clip: Clip, scene: Scene) -> list[View]:
    """The generated pictures that `grow_scene` added to ``scene`` for ``clip``."""
    return list(clip.scene.views[len(scene.views) :]) if clip.scene is not None else []


def check_size(clip: Clip, path: CameraPath) -> None:
    """Raise `InputError` if the frames of ``clip`` do not have the size of ``path``."""
    height, width = clip.frames.shape[1:3]
    if (width, height) != (path.width, path.height):
        raise InputError(
            f"The video is {width} x {height} and would continue at {path.width} x {path.height}; use the size and the kind of "
            "weights that it was shot with."
        )


def check_continues(clip: Clip, path: CameraPath, chunk_frames: int) -> int:
    """The number of chunks of ``path`` that ``clip`` already contains; raises `InputError` if the path does not continue the clip."""
    cuts = chunks(len(path), chunk_frames)
    done = next((index + 1 for index, cut in enumerate(cuts) if cut.stop == len(clip.frames)), 0)
    if not done or done == len(cuts):
        raise InputError(
            f"The clip of {len(clip.frames)} frames is not the beginning of a longer video of {len(path)} frames in chunks of "
            f"{chunk_frames}; extend it by {chunk_frames - 1} frames per chunk."
        )
    begun = path.world_from_camera[: len(clip.frames)]
    if not np.allclose(begun, clip.path.world_from_camera, atol=1e-4):
        raise InputError("The path does not begin with the clip's own cameras; append to the clip's path instead.")
    return done
