"""A long video piece by piece: paths that go on, what later chunks need of earlier ones, and taking the last one back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.gen3c.chunks import chunks
from pipelines.method import Clip


def extended_path(path: CameraPath, more: CameraPath) -> CameraPath:
    """``path``, then ``more`` begun at the last camera of ``path``; they share that one frame."""
    if (more.width, more.height) != (path.width, path.height):
        raise InputError(
            f"The added path is drawn for {more.width} x {more.height}, the video is {path.width} x {path.height}."
        )
    rest = more.moved_to(path.world_from_camera[-1]).sliced(slice(1, None))
    poses = np.concatenate([path.world_from_camera, rest.world_from_camera])
    return replace(path, world_from_camera=poses, intrinsics=np.concatenate([path.intrinsics, rest.intrinsics]))


def take_back(clip: Clip, scene: Scene, *, chunk_frames: int) -> Clip:
    """The clip, shot from ``scene`` in chunks of ``chunk_frames``, without its last chunk.

    The picture that was added to the cache for that chunk goes too. Raises `InputError` when there is one chunk only.
    """
    count = len(chunks(len(clip.frames), chunk_frames))
    if count < 2:
        raise InputError("The video has a single chunk; there is nothing to take back.")
    left = slice(0, len(clip.frames) - (chunk_frames - 1))
    added = added_views(clip, scene)[: count - 2]
    extras = {name: frames[left] for name, frames in clip.extras.items()}
    shot_from = grown_scene(scene, added)
    return replace(
        clip, frames=clip.frames[left], path=clip.path.sliced(left), extras=extras, scene=shot_from, files={}
    )


def grown_scene(scene: Scene, added: list[View]) -> Scene:
    """A still scene with the generated pictures that later chunks were shot from, each with its aligned depth."""
    if not added:
        return scene
    source = f"{scene.source}; generated pictures aligned to it"
    return replace(scene, views=(*scene.views, *added), kind="views", source=source)


def added_views(clip: Clip, scene: Scene) -> list[View]:
    """The generated pictures that `grown_scene` added to ``scene`` for ``clip``."""
    return list(clip.scene.views[len(scene.views) :]) if clip.scene is not None else []


def check_continues(clip: Clip, path: CameraPath, chunk_frames: int) -> int:
    """Chunks of ``path`` that ``clip`` already holds; raises `InputError` when the path does not go on from the clip."""
    cuts = chunks(len(path), chunk_frames)
    done = next((index + 1 for index, cut in enumerate(cuts) if cut.stop == len(clip.frames)), 0)
    if not done or done == len(cuts):
        raise InputError(
            f"The clip of {len(clip.frames)} frames is no beginning of a longer video of {len(path)} frames in chunks of "
            f"{chunk_frames}; extend it by {chunk_frames - 1} frames per chunk."
        )
    begun = path.world_from_camera[: len(clip.frames)]
    if not np.allclose(begun, clip.path.world_from_camera, atol=1e-4):
        raise InputError("The path does not begin with the clip's own cameras; append to the clip's path instead.")
    return done
