"""Moving scenes: several moments seen by the same cameras, as files per moment and as a video to orbit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError, reading
from camera.formats.nerfstudio import write_transforms
from camera.path import CameraPath
from camera.render.painters import RenderedFrame, Renderer
from camera.render.scene import render, render_all
from camera.view import Scene
from pipelines.method import Clip, Frames
from pipelines.results.posed_folders import colmap_files, zip_files

GRID = "grid.json"
MOMENT = re.compile(r"moment-(\d+(?:\.\d+)?)-s\.mp4$")
"""File name suffix of the moments of a saved 4D result."""
COLMAP_POINTS = 3_000
"""Maximum number of points per moment in COLMAP's text format, which is long; the PLY beside it has all."""


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
        """The frames of one camera over time: (M,H,W,3)."""
        return np.stack([view[camera] for view in self.views])


def moments_of(clip: Clip) -> Moments:
    """The moments in the result of a 4D method; raises `InputError` if it has none.

    DimensionX saves a clip per moment beside the video. A plain clip of a moving scene has one moment per frame, seen by one
    camera each; for it use `render_moving_scene`.
    """
    grid = json.loads(clip.files.get("grid.json", b"{}"))
    views = tuple(frames for name, frames in clip.extras.items() if name.startswith("moment "))
    if not views or len(grid.get("seconds", ())) != len(views):
        raise InputError("This result shows no moment from several cameras; make one in DimensionX with 4D chosen.")
    return Moments(views, _grid_path(grid, clip.fps), tuple(grid["seconds"]))


def moments_of_files(files: Sequence[str | Path]) -> Moments:
    """The moments of a saved 4D result from its files, which include ``...grid.json`` and ``...moment-SECONDS-s.mp4``.

    Raises `InputError` if one is missing or they do not belong together.
    """
    from pipelines.media.video import read_video

    given = [Path(file) for file in files]
    grids = [file for file in given if file.name.endswith(GRID)]
    videos = sorted((float(found[1]), file) for file in given if (found := MOMENT.search(file.name)))
    if len(grids) != 1 or not videos:
        raise InputError(
            f"A 4D result is one {GRID} and the videos of its moments, got {len(grids)} and {len(videos)}; add all its files."
        )
    read = [read_video(file) for _, file in videos]
    with reading(f"{grids[0].name} is damaged; use the one saved beside the videos."):
        grid = json.loads(grids[0].read_text())
        path, seconds = _grid_path(grid, read[0][1]), tuple(map(float, grid["seconds"]))
    return Moments(tuple(frames for frames, _ in read), path, seconds)


def _grid_path(grid: dict, fps: float) -> CameraPath:
    return CameraPath(
        np.array(grid["world_from_camera"]), np.array(grid["intrinsics"]), grid["width"], grid["height"], fps
    )


def moments_zip(moments: Moments) -> bytes:
    """`timed_zip` of the frames of all cameras."""
    return timed_zip(moments.seconds, [(view, moments.path, None) for view in moments.views])


def timed_zip(seconds: Sequence[float], steps: Iterable[tuple[Frames, CameraPath, PointCloud | None]]) -> bytes:
    """A zip with a COLMAP folder for each moment (``moment_000/images``, ``moment_000/sparse/0``), its points as ``points.ply``,
    all times in ``moments.json``, and one ``transforms.json`` of all pictures with a ``time`` from 0 to 1, as training of
    dynamic scenes needs."""
    files, frames, values = {}, [], {}
    first, last = seconds[0], seconds[-1]
    for number, (second, (view, path, cloud)) in enumerate(zip(seconds, steps, strict=True)):
        folder = f"moment_{number:03d}"
        few = None if cloud is None else cloud.thinned(COLMAP_POINTS)
        files |= {f"{folder}/{name}": content for name, content in colmap_files(view, path, few).items()}
        if cloud is not None:
            files[f"{folder}/points.ply"] = cloud.ply_bytes()
        time = (second - first) / (last - first) if last > first else 0.0
        values = json.loads(write_transforms(path))
        frames += [
            camera | {"file_path": f"{folder}/{camera['file_path']}", "time": time} for camera in values["frames"]
        ]
    files["transforms.json"] = json.dumps(values | {"frames": frames}).encode()
    files["moments.json"] = json.dumps({"seconds": list(seconds)}).encode()
    return zip_files(files)


def render_moving_scene(
    scenes: Scene | Sequence[Scene], path: CameraPath, *, renderer: Renderer = "mesh", moment: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Frames (H,W,3) of a moving scene along ``path`` while time passes; ``moment`` freezes time at that moment.

    A scene of kind "clip" has one moment per view; otherwise each scene is a moment. Moments are spread over the whole path.
    """
    moments = (
        [replace(scenes, views=(view,), kind="still") for view in scenes.views] if isinstance(scenes, Scene) else scenes
    )
    if not moments:
        raise InputError("A moving scene needs at least one moment; give a scene for each.")
    if moment is not None:
        if not 0 <= moment < len(moments):
            raise InputError(f"The scene has moments 0 to {len(moments) - 1}, got {moment}.")
        yield from map(_colour, render_all(moments[moment], path, renderer=renderer))
        return
    for frame in range(len(path)):
        now = moments[min(frame * len(moments) // len(path), len(moments) - 1)]
        yield _colour(render(now, path, frame=frame, renderer=renderer, fill="background"))


def _colour(image: RenderedFrame) -> NDArray[np.uint8]:
    return image.colour
