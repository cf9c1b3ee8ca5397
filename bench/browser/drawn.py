"""A bare page that renders scenes with the stage's scripts, without the app around it."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.view import Scene
from tabs.browser import scene_file

DRAWING = Path(scene_file.__file__).parent / "drawing"
ORIGIN = "http://stage.test/"
OPEN = """<!doctype html><canvas></canvas><script type="module">
import { Painter } from "./painter.js";
import { readScene, readObjects } from "./scene.js";
import { camerasOf } from "./exposure.js";
const bytes = async (name) => (await fetch(name)).arrayBuffer();
window.painter = new Painter(document.querySelector("canvas"));
painter.load(await readScene(await bytes("scene")));
if (HAS_OBJECTS) painter.place(await readObjects(await bytes("objects")));
window.drawn = (cameras, moment, size, options) => {
  painter.resize(...size);
  painter.drawMany(cameras, moment, options);
  return packed();
};
window.exposed = (path, frame, look, size, options) =>
  drawn(camerasOf(look, (at) => path[at], frame, path.length), { frame, frames: path.length }, size, options);
const packed = () => {
  let text = "";
  const pixels = painter.pixels();
  for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
  return btoa(text);
};
document.title = "ready";
</script>"""


class Drawn:
    """``scene`` in a page of ``chromium``; `frame` renders it."""

    def __init__(self, page, scene: Scene, frames: int = 121, fps: float = 24.0) -> None:
        self.page = page
        objects = isinstance(scene, StagedScene) and bool(scene.objects)
        served = {"": OPEN.replace("HAS_OBJECTS", str(objects).lower()).encode(), "scene": scene_file.scene_file(scene)}
        if isinstance(scene, StagedScene) and objects:
            served["objects"] = scene_file.objects_file(scene, frames, fps)

        def answer(route) -> None:
            name = route.request.url.removeprefix(ORIGIN)
            kind = "text/html" if not name else "text/javascript"
            body = served.get(name) if name in served else (DRAWING / name).read_bytes()
            route.fulfill(body=body, content_type=kind)

        page.route(ORIGIN + "**", answer)
        page.goto(ORIGIN)
        page.wait_for_function("document.title === 'ready'")

    def frame(self, path: CameraPath, frame: int, **options) -> NDArray[np.uint8]:
        """(H,W,3): frame ``frame`` of ``path`` at its own size."""
        return self.mean(path, frame, [path.sliced(slice(frame, frame + 1))], **options)

    def mean(self, path: CameraPath, frame: int, cameras: list[CameraPath], **options) -> NDArray[np.uint8]:
        """The mean of the pictures of several cameras at the time of ``frame``."""
        given = [one for each in cameras for one in _given(each)]
        return self._evaluate("drawn", path, given, {"frame": frame, "frames": len(path)}, options)

    def exposed(self, path: CameraPath, frame: int, look: dict, **options) -> NDArray[np.uint8]:
        """Frame ``frame`` of ``path`` through lens and shutter, in drawing/exposure.js."""
        return self._evaluate("exposed", path, _given(path), frame, look, options)

    def _evaluate(self, function: str, path: CameraPath, *given) -> NDArray[np.uint8]:
        size = [path.width, path.height]
        text = self.page.evaluate(f"(given) => {function}(...given)", [*given[:-1], size, given[-1]])
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(path.height, path.width, 4)[..., :3]


def _given(path: CameraPath) -> list[dict]:
    size = {"width": path.width, "height": path.height}
    cameras = zip(path.world_from_camera, path.intrinsics)
    return [{"pose": pose.ravel().tolist(), "lens": lens.ravel().tolist()} | size for pose, lens in cameras]
