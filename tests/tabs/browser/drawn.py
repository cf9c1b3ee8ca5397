"""A bare page that draws scenes with the scripts of the stage, without the app around it."""

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
const bytes = async (name) => (await fetch(name)).arrayBuffer();
window.painter = new Painter(document.querySelector("canvas"));
painter.load(await readScene(await bytes("scene")));
if (HAS_OBJECTS) painter.place(await readObjects(await bytes("objects")));
window.drawn = (cameras, moment, size, options) => {
  painter.resize(...size);
  painter.drawMany(cameras, moment, options);
  let text = "";
  const pixels = painter.pixels();
  for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
  return btoa(text);
};
document.title = "ready";
</script>"""


class Drawn:
    """``scene`` in a page of ``chromium``; `frame` draws it."""

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
        """What several cameras see at the moment of ``frame``, as one picture."""
        given = [
            {"pose": one.world_from_camera[0].ravel().tolist(), "lens": one.intrinsics[0].ravel().tolist()}
            | {"width": one.width, "height": one.height}
            for one in cameras
        ]
        size = [path.width, path.height]
        text = self.page.evaluate(
            "([cameras, moment, size, options]) => drawn(cameras, moment, size, options)",
            [given, {"frame": frame, "frames": len(path)}, size, options],
        )
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(path.height, path.width, 4)[..., :3]
