"""Scene files for the browser's renderer: pictures and depths in one file, objects in another; each is sent once."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camera.horizon import padding_mask
from camera.objects.scene import StagedScene
from camera.render.painters import (
    CUT_RATIO,
    PLANE_RUN,
    PLANE_TOLERANCE,
    SAME_SURFACE,
    STRETCH,
    SelfRenderedScene,
)
from camera.view import Scene, View
from tabs.browser.splat_file import pack_splats

if TYPE_CHECKING:
    from pipelines.splats.splats import Splats

MOST_SIDE = 640
"""Maximum width and height of pictures drawn in the page, in pixels."""
MOST_PIXELS = 12_000_000
"""Maximum number of pixels in all views together; a long clip is sent smaller."""
MOST_LOSSLESS = 4_000_000
"""Maximum number of pixels of all views sent as PNG; more of them (frames of a clip) are sent as JPEG."""
KEPT_BITS = np.uint32(0xFFFFFF80)
"""Bits of a depth that are sent: 16 of the 23 mantissa bits, a relative error of 1e-5, so that the rest compresses to nothing."""
NEAR_SHARE = 0.02
"""Surfaces nearer than this share of the nearest depth are not drawn."""

_scene_files: WeakKeyDictionary[Scene, bytes] = WeakKeyDictionary()


def scene_file(scene: Scene) -> bytes:
    """A file for `tabs/browser/drawing/scene.js`: views of ``scene`` and the pictures that fill their holes, at most `MOST_SIDE`
    pixels wide and high, or the splats of a scene of splats; packed once."""
    found = _scene_files.get(scene)
    if found is None:
        found = _scene_files[scene] = _file(*_views(scene))
    return found


def splats_of(scene: Scene) -> Splats | None:
    """The splats of a scene rendered from splats, else None."""
    return getattr(scene, "splats", None) if isinstance(scene, SelfRenderedScene) else None


def _views(scene: Scene) -> tuple[dict[str, Any], list[bytes]]:
    width, height = _size(scene)
    small = scene.fitted(width, height, "stretch")
    parts: list[bytes] = []
    add = _appender(parts)
    others = tuple(view.at_most(max(width, height)) for view in small.others)
    pictures = (*small.views, *others)
    far = float(_drop_bits(np.array([max(view.far for view in pictures)], "<f4"))[0])
    lossless = sum(view.known.size for view in pictures) <= MOST_LOSSLESS
    splats = splats_of(scene)

    def packed(view: View) -> dict[str, Any]:
        return {
            "width": view.width,
            "height": view.height,
            "pose": view.world_from_camera.ravel().tolist(),
            "lens": view.intrinsics.ravel().tolist(),
            "focus": view.focus_depth if view.known.any() else view.far,
            "colour": add(_picture(view.colour, lossless)),
            "depth": add(_depth(view, far)),
        }

    shown = {
        name: [] if splats else list(map(packed, views)) for name, views in (("views", small.views), ("others", others))
    }
    nearest = min((float(view.depth[view.known].min()) for view in pictures if view.known.any()), default=1.0)
    facts = {"width": width, "height": height, "kind": scene.kind, "unit": scene.unit, "near": nearest * NEAR_SHARE}
    plane = {"plane_run": PLANE_RUN, "plane_tolerance": PLANE_TOLERANCE}
    rules = {"far": far, "cut_ratio": CUT_RATIO, "stretch": STRETCH, **plane, "advantage": SAME_SURFACE}
    more = {"splats": pack_splats(splats, add), "focus": small.first.focus_depth} if splats else {}
    return {**facts, **rules, **shown, **more}, parts


def _size(scene: Scene) -> tuple[int, int]:
    width, height = scene.first.width, scene.first.height
    count = len(scene.views) + len(scene.others)
    scale = min(1.0, MOST_SIDE / max(width, height), math.sqrt(MOST_PIXELS / (width * height * count)))
    return max(2, round(width * scale)), max(2, round(height * scale))


def _picture(colour: NDArray[np.uint8], lossless: bool) -> bytes:
    import cv2

    kind, options = (".png", [cv2.IMWRITE_PNG_COMPRESSION, 4]) if lossless else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])
    return cv2.imencode(kind, colour[..., ::-1], options)[1].tobytes()


def _depth(view: View, far: float) -> bytes:
    """Depth as float32, 0 where nothing is drawn and ``far`` in the sky; bytes are split into four planes and deflated."""
    depth = np.where(view.depth >= view.far, np.float32(far), view.depth)
    depth = np.where(padding_mask(view), np.float32(0), depth).astype("<f4")
    planes = _drop_bits(depth).view(np.uint8).reshape(-1, 4).T
    return zlib.compress(planes.tobytes(), 1)


def _drop_bits(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth reduced to `KEPT_BITS` bits, rounded down."""
    return (depth.view("<u4") & KEPT_BITS).view("<f4")


OBJECT_MOMENTS = 61
"""Number of moments at which moving objects are sent; the page shows the nearest one."""
MOST_OBJECT_NUMBERS = 12_000_000
"""Maximum number of vertex coordinates at all moments; larger objects are sent at fewer moments."""


def objects_file(scene: StagedScene, frames: int, fps: float) -> bytes:
    """A file for `drawing/objects.js`: the objects of ``scene`` along a path of ``frames`` frames at ``fps``."""
    first = scene.surfaces(0, frames, fps)
    numbers = sum(surface.vertices.size for surface in first)
    moments = max(1, min(OBJECT_MOMENTS, frames, MOST_OBJECT_NUMBERS // max(numbers, 1)))
    shown = [scene.surfaces(round(at), frames, fps) for at in np.linspace(0, frames - 1, moments)]
    parts: list[bytes] = []
    pack = _appender(parts)

    def add(values: NDArray | None, kind: str) -> tuple[int, int] | None:
        return None if values is None else pack(zlib.compress(np.ascontiguousarray(values, kind).tobytes(), 1))

    pieces = []
    for number, surface in enumerate(first):
        places = np.stack([moment[number].vertices for moment in shown])
        moves = bool((places != places[:1]).any())
        pieces.append(
            {
                "points": add(places if moves else places[:1], "<f4"),
                "colours": add(surface.colours, "u1"),
                "triangles": add(surface.triangles, "<u4"),
                "uv": add(surface.uv, "<f4"),
                "texture": None if surface.texture is None else pack(_picture(surface.texture, True)),
            }
        )
    return _file({"moments": moments, "pieces": pieces}, parts)


def _appender(parts: list[bytes]) -> Callable[[bytes], tuple[int, int]]:
    """A function that appends to ``parts`` and returns offset and length in bytes."""

    def add(part: bytes) -> tuple[int, int]:
        at = sum(map(len, parts))
        parts.append(part)
        return at, len(part)

    return add


def _file(header: dict[str, Any], parts: list[bytes]) -> bytes:
    header_bytes = json.dumps(header).encode()
    return b"".join([b"RSH1", len(header_bytes).to_bytes(4, "little"), header_bytes, *parts])
