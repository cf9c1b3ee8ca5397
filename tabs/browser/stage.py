"""The stage: a `gr.HTML` that shows a path in 3D, plays it, and shows the view from its camera."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import ref

import gradio as gr
import numpy as np
import plotly
from gradio.data_classes import JsonData
from numpy.typing import NDArray

from camera.figure.overlay import shot_over
from camera.figure.path import plain, spec
from camera.objects.scene import StagedScene, subject_distance
from camera.path import CameraPath
from camera.render.exposure import Exposure
from camera.render.painters import SelfRenderedScene
from camera.view import Scene
from pipelines.media.video import complete
from tabs.browser import scene_file
from tabs.browser.splat_file import describe_loss
from tabs.serving.named_files import address_of

_HERE = Path(__file__).parent
DRAWING = _HERE / "drawing"
"""Scripts that draw a scene in the page."""
PLOTLY_JS = Path(plotly.__path__[0]) / "package_data" / "plotly.min.js"
"""plotly.js from the plotly wheel."""
MOST_FIGURES = 8
"""Number of cached figures, for users who look at the same path again."""
MOST_FILES = 256
"""Number of files remembered as written, for users who look at the same scene."""

_TEMPLATE = """
<div class="stage {kind}">
  <div class="stage-plot" role="group" aria-label="Camera path in 3D" data-empty="{empty}"></div>
  <figure class="stage-eye" tabindex="0" title="Drag to look around, wheel or W A S D Q E to fly, Z X to roll, arrows for frames">
    <canvas hidden role="img" aria-label="What the camera sees"></canvas><img alt="What the camera sees" draggable="false"><figcaption></figcaption>
  </figure>
  <div class="stage-bar">
    <button class="stage-play" aria-label="Play">Play</button>
    <input type="range" min="0" max="0" value="0" step="1" aria-label="Frame">
    <output>–</output>
  </div>
</div>
"""


def stage(
    name: str, empty: str = "Open a picture to see the camera's path here in 3D.", *, stays: bool = False,
    eye: bool = True,
) -> gr.HTML:  # fmt: skip
    """An empty stage with the text ``empty``; fill it with `stage_value` and `picture_update`. If it ``stays``, it remains visible while
    the page is scrolled; without an ``eye`` it shows only paths, not the camera's view."""
    gr.set_static_paths([PLOTLY_JS, DRAWING])
    return gr.HTML(
        value=None,
        elem_id=f"{name}-stage" if name else "stage",
        html_template=_TEMPLATE.replace("{empty}", empty).replace("{kind}", "" if eye else "stage-plain"),
        css_template=(_HERE / "stage.css").read_text(),
        js_on_load=(_HERE / "stage.js").read_text(),
        head=f'<script src="{address_of(PLOTLY_JS)}"></script>',
        apply_default_css=False,
        elem_classes="stays" if stays else None,
        eye=None,
        scripts=address_of(DRAWING / "eye.js") if eye else "",
    )


def stage_value(
    path: CameraPath,
    scene: Scene,
    place: Callable[[str], Path],
    *,
    nominal: bool,
    fresh: bool = False,
    at: int | None = None,
    shot: CameraPath | None = None,
    exposure: Exposure | None = None,
) -> dict:
    """Value of a stage: ``path`` in ``scene``; ``fresh`` and ``at`` as in `figure_value`. ``shot``: the measured camera of its shot,
    drawn over it; ``exposure``: lens and shutter, None for a pinhole.

    The scene's points, which are the largest part and do not change with the path, go into a file that the page fetches once;
    ``place`` returns the path for a file name.
    """
    if shot is None and not isinstance(scene, StagedScene):
        figure, dots, number = _figure(ref(path), ref(scene), nominal)
    else:
        figure = spec(path, scene, nominal=nominal)
        figure, dots, number = _without_dots(figure if shot is None else shot_over(figure, shot, scene))
    points = save_points([dots], number, place)
    return {
        **_value(figure, path, fresh, at),
        "points": points,
        "sight": viewfinder_value(path, scene, place, exposure),
    }


@lru_cache(maxsize=MOST_FIGURES)
def _figure(path: ref[CameraPath], scene: ref[Scene], nominal: bool) -> tuple[dict, dict, int]:
    """The parts of `_without_dots`; cached for all users who view one path through one scene, for example an opened example."""
    there, scene_value = path(), scene()
    assert there is not None and scene_value is not None
    return _without_dots(spec(there, scene_value, nominal=nominal))


def _without_dots(figure: dict) -> tuple[dict, dict, int]:
    """The figure, ready for JSON, without its scene's points; the trace with the points; and that trace's index."""
    number = next(i for i, trace in enumerate(figure["data"]) if trace["name"] == "scene")
    dots = figure["data"][number]
    nowhere = {axis: np.zeros(0, np.float32) for axis in "xyz"}
    figure["data"][number] = {**dots, **nowhere, "marker": {**dots["marker"], "color": np.zeros(0, np.uint8)}}
    return plain(figure), dots, number


def viewfinder_value(
    path: CameraPath, scene: Scene, place: Callable[[str], Path], exposure: Exposure | None = None
) -> dict:
    """Data for the page's viewfinder along ``path``; the page fetches scene and objects once, as files."""
    objects = None
    if isinstance(scene, StagedScene) and scene.objects:
        objects = save_beside("objects", scene_file.objects_file(scene, len(path), path.fps), place)
    return {
        "scene": save_beside("scene", scene_file.scene_file(scene), place),
        "objects": objects,
        "frames": len(path),
        "poses": _numbers(path.world_from_camera[:, :3]),
        "lenses": _numbers(path.intrinsics[:1] if (path.intrinsics == path.intrinsics[0]).all() else path.intrinsics),
        "width": path.width,
        "height": path.height,
        "focus": subject_distance(scene.first),
        "stands_for": _describe_reduction(scene),
        "look": {**vars(exposure), "count": exposure.count(path)} if exposure else None,
    }


def _describe_reduction(scene: Scene) -> str:
    """A sentence on what the page draws if it does not draw the whole scene."""
    splats = scene_file.splats_of(scene)
    if splats is not None:
        return describe_loss(splats)
    return "the first picture only; a rehearsal draws all of the scene" if isinstance(scene, SelfRenderedScene) else ""


def _numbers(values: NDArray[np.float64]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()


def save_beside(kind: str, data: bytes, place: Callable[[str], Path]) -> str:
    """Save ``data`` as a file named by its hash, and return a URL from which the page can fetch it."""
    file = place(f"{kind}-{hashlib.sha256(data).hexdigest()[:32]}.bin")
    if not file.is_file() and not _link_existing(file):
        with complete(file) as part:
            part.write_bytes(data)
        _last_files[file.name] = file
        if len(_last_files) > MOST_FILES:
            _last_files.pop(next(iter(_last_files)), None)
    return address_of(file)


_last_files: dict[str, Path] = {}
"""Last written file by name. Files of that name in other sessions have the same content, and share its disk blocks."""


def _link_existing(file: Path) -> bool:
    """Whether ``file`` could be hard-linked to the file with the same content in another session's folder."""
    known = _last_files.get(file.name)
    try:
        if known is not None:
            os.link(known, file)
        return known is not None
    except OSError:  # that session has ended, or the file system supports no hard links
        return file.is_file()


def save_points(dots: Sequence[dict], trace: int, place: Callable[[str], Path]) -> dict:
    """The entry in a stage's value for points in a separate file: its URL, the number of points per moment, and their trace.

    The file contains x, y and z of each of ``dots`` as float32, then all colours as bytes. Its name is the hash of its content.
    """
    parts = [each[axis].tobytes() for each in dots for axis in "xyz"]
    data = b"".join([*parts, *(each["marker"]["color"].tobytes() for each in dots)])
    return {"url": save_beside("points", data, place), "counts": [len(each["x"]) for each in dots], "trace": trace}


class _Figure(JsonData):
    """Gradio's own wrapper of JSON: in a plain dictionary with 6,000 parts Gradio would search for files, several times. Without
    pydantic's validation of each part when it is sent, which is a quarter of the time to draw a move."""

    def model_dump(self, **_: Any) -> Any:
        return self.root


def figure_value(figure: dict, path: CameraPath, *, fresh: bool = False, at: int | None = None) -> dict:
    """Value of a stage that shows ``figure`` (see `camera.figure.path.spec`) of ``path``.

    ``fresh`` resets the 3D view (for a new scene), ``at`` moves to a frame.
    """
    return _value(plain(figure), path, fresh, at)


def _value(figure: dict, path: CameraPath, fresh: bool, at: int | None) -> dict:
    return {
        "id": uuid.uuid4().hex,
        "figure": _Figure.model_construct(figure),
        "frames": len(path),
        "fps": path.fps,
        "fresh": fresh,
        "at": at,
    }


def picture_update(picture: NDArray[np.uint8], question: int, caption: str) -> dict:
    """Update of a stage: ``picture`` (H,W,3) RGB answers request number ``question``; see `tabs.browser.players.clips`."""
    import cv2

    _, jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    uri = "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
    return gr.update(eye={"id": question, "picture": uri, "caption": caption})
