"""Scenes that move: several moments, each seen by the same cameras, as files per moment, and as a video one can orbit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.nerfstudio import write_transforms
from camera.path import CameraPath
from camera.render import RenderedFrame, Renderer, render, rendered
from camera.view import Scene
from pipelines.method import Clip, Frames
from pipelines.reconstruct.export import colmap_files, zipped


@dataclass(frozen=True, eq=False)
class Moments:
    """``views``: for every moment the frames (F,H,W,3) of all cameras of ``path``; ``seconds``: when each moment is."""

    views: tuple[Frames, ...]
    path: CameraPath
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        shape = (len(self.path), self.path.height, self.path.width, 3)
        wrong = [view.shape for view in self.views if view.shape != shape]
        if not self.views or wrong or len(self.seconds) != len(self.views):
            raise InputError(
                f"Moments need one time and frames of shape {shape} each, got {len(self.seconds)} times and "
                f"{wrong[0] if wrong else len(self.views)}; give the frames of one path."
            )

    def cameras_at(self, camera: int) -> Frames:
        """What one camera sees over time: (M,H,W,3)."""
        return np.stack([view[camera] for view in self.views])


def moments_of(clip: Clip) -> Moments:
    """The moments in a result of a 4D method; raises `InputError` for a result that has none.

    DimensionX keeps a clip per moment beside the video. A plain clip whose scene moves has a moment per frame, seen by one
    camera each; for it there is `orbited`.
    """
    grid = json.loads(clip.files.get("grid.json", b"{}"))
    views = tuple(frames for name, frames in clip.extras.items() if name.startswith("moment "))
    if not views or len(grid.get("seconds", ())) != len(views):
        raise InputError("This result shows no moment from several cameras; make one in DimensionX with 4D chosen.")
    path = CameraPath(
        np.array(grid["world_from_camera"]), np.array(grid["intrinsics"]), grid["width"], grid["height"], clip.fps
    )
    return Moments(views, path, tuple(grid["seconds"]))


def moments_zip(moments: Moments) -> bytes:
    """A COLMAP folder for each moment (``moment_000/images``, ``moment_000/sparse/0``), their times in ``moments.json``,
    and one ``transforms.json`` of all pictures with a ``time`` from 0 to 1, as dynamic scenes are trained from."""
    files, frames = {}, []
    first, last = moments.seconds[0], moments.seconds[-1]
    cameras = json.loads(write_transforms(moments.path))
    for number, (view, second) in enumerate(zip(moments.views, moments.seconds)):
        folder = f"moment_{number:03d}"
        files |= {f"{folder}/{name}": content for name, content in colmap_files(view, moments.path).items()}
        time = (second - first) / (last - first) if last > first else 0.0
        frames += [
            camera | {"file_path": f"{folder}/{camera['file_path']}", "time": time} for camera in cameras["frames"]
        ]
    files["transforms.json"] = json.dumps(cameras | {"frames": frames}).encode()
    files["moments.json"] = json.dumps({"seconds": list(moments.seconds)}).encode()
    return zipped(files)


def orbited(
    scenes: Scene | Sequence[Scene], path: CameraPath, *, renderer: Renderer = "mesh", moment: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Frames (H,W,3) of a moving scene seen along ``path`` while its time passes; ``moment`` stops time there.

    A scene of kind "clip" has a moment per view; else there is a scene per moment. Moments spread over the whole path.
    """
    moments = (
        [replace(scenes, views=(view,), kind="still") for view in scenes.views] if isinstance(scenes, Scene) else scenes
    )
    if not moments:
        raise InputError("A moving scene needs at least one moment; give a scene for each.")
    if moment is not None:
        if not 0 <= moment < len(moments):
            raise InputError(f"The scene has moments 0 to {len(moments) - 1}, got {moment}.")
        yield from map(_colour, rendered(moments[moment], path, renderer=renderer))
        return
    for frame in range(len(path)):
        now = moments[min(frame * len(moments) // len(path), len(moments) - 1)]
        yield _colour(render(now, path, frame=frame, renderer=renderer, fill="background"))


def _colour(image: RenderedFrame) -> NDArray[np.uint8]:
    return image.colour
