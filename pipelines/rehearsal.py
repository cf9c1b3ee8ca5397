"""The rehearsal: renders a path over the 3D cache of a scene as a video, on any CPU, without weights."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.render.exposure import Exposure
from camera.render.painters import HiddenPart, Renderer, SelfRenderedScene
from camera.render.scene import Inpainter, render, render_all
from camera.render.scene import warm_up as warm_up_renderers
from camera.view import Scene, View
from pipelines.media.video import mp4_writer
from pipelines.method import Progress
from pipelines.turns import Turns

Holes = Literal["filled", "completed", "remembered", "shown", "map"]
HOLE_COLOUR = (235, 64, 122)
"""The colour of holes, conspicuous on purpose: the model will have to invent them."""
SCRUB_SIDE = 480
THIN_COVERAGE = 0.03
TURNS = Turns()
"""The queue of all rehearsals in this process. One runs at a time, because it uses all cores."""


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """``video``: the mp4. ``holes``: (F,) share of each frame that the scene does not show, 0 to 1.

    ``completed``: how the colours of the second layer were made, None without one. ``look``: the effect of lens and shutter,
    in words.
    """

    video: Path
    holes: NDArray[np.float64]
    completed: Literal["patches", "model"] | None = None
    look: str = ""

    @property
    def summary(self) -> str:
        """One or two sentences about holes along the path."""
        worst = int(np.argmax(self.holes))
        text = f"{len(self.holes)} frames; on average {self.holes.mean():.0%} of the picture is new to the scene"
        text += f", most in frame {worst + 1} ({self.holes[worst]:.0%})."
        if (1 - self.holes).min() < THIN_COVERAGE:
            text += " The path leaves the scene behind: shorten the move or aim back at the subject."
        if self.completed:
            maker = "by your model" if self.completed == "model" else "from patches of the picture"
            text += f" The new parts were invented once for all frames, {maker}."
        return f"{text} {self.look}".rstrip()


def rehearse(
    scene: Scene,
    path: CameraPath,
    video: Path,
    *,
    renderer: Renderer = "mesh",
    holes: Holes = "filled",
    inpaint: Inpainter | None = None,
    exposure: Exposure | None = None,
    moving: NDArray[np.bool_] | None = None,
) -> Iterator[Progress | Rehearsal]:
    """Render ``path`` into ``video``, yielding progress and, last, the `Rehearsal`; closing it cancels and leaves no file.

    ``holes``: "filled" from the background side in every frame, "completed" once for all frames by a second layer,
    "remembered" from static parts at other times of a clip (`camera.completion.remember`) with the rest filled, "shown" in
    a signal colour, or "map": white where the scene shows nothing. ``inpaint``: the user's own model for the colours of the
    second layer. ``moving`` (F,H,W) in the frame of ``scene``: True on moving parts in addition to the detected ones, for
    "remembered". ``exposure``: depth of field and motion blur, not for a map. Concurrent rehearsals take turns, see
    `pipelines.turns`; rehearsals in one folder belong to one visitor.
    """
    steps = _rehearse_steps(scene, path, video, renderer, holes, inpaint, None if holes == "map" else exposure, moving)
    yield from TURNS.shared(video.parent, steps)


def _rehearse_steps(
    scene: Scene,
    path: CameraPath,
    video: Path,
    renderer: Renderer,
    holes: Holes,
    inpaint: Inpainter | None,
    exposure: Exposure | None,
    moving: NDArray[np.bool_] | None,
) -> Generator[Progress | Rehearsal, None, None]:
    fill = "holes" if holes in ("shown", "map") else "background"
    shares = np.zeros(len(path))
    behind: list[HiddenPart] = []
    if holes == "completed":
        yield from _completing(scene, path, inpaint, behind)
    if holes == "remembered":
        from camera.completion.remember import standing_parts

        yield Progress("Finding static parts", 0, 1)
        behind += standing_parts(scene, moving)
    with mp4_writer(video, path.fps, speed="preview") as write:
        images = render_all(
            scene, path, renderer=renderer, fill=fill, hole_colour=HOLE_COLOUR, behind=behind, exposure=exposure
        )
        try:
            for index, image in enumerate(images):
                write(_hole_map(image.holes) if holes == "map" else image.colour)
                unseen = image.holes
                if holes == "remembered" and image.completed is not None:
                    unseen = image.holes & ~image.completed
                shares[index] = np.count_nonzero(unseen) / unseen.size
                yield Progress("Rehearsing", index + 1, len(path))
        finally:
            images.close()  # type: ignore[attr-defined]
    made = None if holes == "remembered" else "model" if inpaint else "patches" if behind else None
    yield Rehearsal(video, shares, made, exposure.words(path) if exposure else "")


def _completing(
    scene: Scene, path: CameraPath, inpaint: Inpainter | None, behind: list[HiddenPart]
) -> Iterator[Progress]:
    """Append the parts of the second layer to ``behind``."""
    if isinstance(scene, SelfRenderedScene):
        raise InputError(f"A second layer needs pictures, and {scene.name} is {scene.source}; use filled holes.")
    from camera.completion.complete import MOST_PARTS, parts

    for number, part in enumerate(parts(scene, path, inpaint=inpaint)):
        behind.append(part)
        yield Progress("Completing what is hidden", number + 1, MOST_PARTS)


def warm_up() -> None:
    """Compile, or load from disk, what the first rehearsal needs; takes a second or two, so call it in a thread."""
    warm_up_renderers()
    view = View.of(np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), np.float32), np.diag([16.0, 16.0, 1.0]))
    with TemporaryDirectory() as folder:
        for _ in rehearse(Scene((view,)), view.camera, Path(folder) / "warm.mp4"):
            pass


def _hole_map(holes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.repeat(np.where(holes, np.uint8(255), np.uint8(0))[..., None], 3, axis=2)


class Viewfinder:
    """Renders single frames fast for scrubbing, with scene and path at reduced size."""

    def __init__(self, scene: Scene, path: CameraPath) -> None:
        scale = min(1.0, SCRUB_SIDE / max(path.width, path.height))
        width, height = max(1, round(path.width * scale)), max(1, round(path.height * scale))
        self.path = path.resized(width, height)
        self.scene = scene.fitted(width, height, "stretch") if scale < 1 else scene

    def see(
        self, camera: CameraPath, renderer: Renderer = "zbuffer", *, frame: int = 0
    ) -> tuple[NDArray[np.uint8], float]:
        """Picture (h,w,3) of a path of one frame, with holes in a signal colour, and the share of holes.

        ``frame``: frame of the whole path; sets the time at which moving parts of the scene are shown.
        """
        small = camera.resized(self.path.width, self.path.height)
        frame = min(max(frame, 0), len(self.path) - 1)
        poses, lenses = self.path.world_from_camera.copy(), self.path.intrinsics.copy()
        poses[frame], lenses[frame] = small.world_from_camera[0], small.intrinsics[0]
        now = replace(self.path, world_from_camera=poses, intrinsics=lenses)
        image = render(self.scene, now, frame=frame, renderer=renderer, hole_colour=HOLE_COLOUR)
        return image.colour, float(image.holes.mean())
