"""Scenes embedded in a result's mp4 beside its record, with the state needed to continue it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.scene import StagedScene
from camera.view import Scene, View
from pipelines.inputs.npz import read_npz
from pipelines.method import Clip
from pipelines.results import mp4_box
from pipelines.results.arrays import scene_arrays, scene_facts

MOST_PIXELS = 4_000_000
"""Maximum number of pixels of an embedded scene: four pictures of 1280 x 704, about 4 MB each. Larger scenes must be opened again."""
_MOST_VIEWS, _MOST_ADDED, _MOST_BYTES = 500, 8, 64 << 20
"""Limits for untrusted files: number of pictures, and bytes of each array."""
SHAPES = {"colour": "H W 3", "depth": "H W", "known": "H W", "intrinsics": "3 3", "world_from_camera": "4 4"}
"""Shapes of the arrays of one view, as in `pipelines.inputs.npz.read_npz`."""


@dataclass(frozen=True, eq=False)
class EmbeddedScene:
    """``scene``: fitted to the method's frame; ``added``: pictures that were added to its cache."""

    scene: Scene
    added: tuple[View, ...] = ()


def scene_to_embed(clip: Clip, scene: Scene, *, goes_on: bool) -> bytes:
    """The scene to embed for ``clip``, shot from ``scene``; with the state needed to continue it if its method can (``goes_on``)."""
    if not goes_on:
        return pack_scene(EmbeddedScene(scene))
    added = clip.scene.views[len(scene.views) :] if clip.scene is not None else ()
    return pack_scene(EmbeddedScene(scene, tuple(added)), clip.frames[-1])


def pack_scene(carried: EmbeddedScene, last: NDArray[np.uint8] | None = None) -> bytes:
    """The bytes to embed in an mp4; ``last``: (H,W,3), the video's last frame, lossless.

    Empty for a scene that is too large or contains objects.
    """
    scene = carried.scene
    pictures = (*scene.views, *scene.others)
    large = sum(view.depth.size for view in pictures) > MOST_PIXELS or len(pictures) > _MOST_VIEWS
    arrays: dict[str, Any] = {} if last is None else {"last": last}
    facts: dict[str, Any] = {"views": 0, "added": 0}
    if not large and not isinstance(scene, StagedScene):
        arrays |= scene_arrays(replace(scene, views=(*scene.views, *carried.added)))
        facts = scene_facts(scene) | {"added": len(carried.added)}
    elif not arrays:
        return b""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
    return buffer.getvalue()


def read_embedded_scene(file: str | Path) -> EmbeddedScene | None:
    """The scene embedded in an mp4, or None; raises `InputError` if it is damaged."""
    if (box := _box(file)) is None:
        return None
    read, facts = box
    try:
        count, added, beside = int(facts.pop("views")), int(facts.pop("added")), int(facts.pop("others", 0))
        if not (0 <= count <= _MOST_VIEWS and 0 <= added <= _MOST_ADDED and 0 <= beside <= _MOST_VIEWS):
            raise ValueError(f"{count}, {added} and {beside} pictures")
        if not count:
            return None
        arrays = read(shapes_of(count + added, beside))
        views = [read_view(arrays, number) for number in range(count + added)]
        others = tuple(read_view(arrays, number, "other") for number in range(beside))
        return EmbeddedScene(Scene(tuple(views[:count]), **check_facts(facts), others=others), tuple(views[count:]))
    except (ValueError, KeyError, TypeError) as error:
        raise _damage_error(file) from error


def last_frame(file: str | Path) -> NDArray[np.uint8] | None:
    """The embedded lossless last frame (H,W,3) of an mp4, or None."""
    box = _box(file)
    return box[0]({}, optional={"last": "H W 3"}).get("last") if box else None


def _box(file: str | Path) -> tuple[Callable[..., dict[str, NDArray]], dict[str, Any]] | None:
    """A reader of the arrays embedded in an mp4, and the facts among them."""
    content = mp4_box.read_box(file)
    if content is None:
        return None
    read = partial(read_npz, io.BytesIO(content), name=Path(file).name, most_bytes=_MOST_BYTES)
    try:
        return read, dict(json.loads(read({"facts": "N"})["facts"].tobytes()))
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise _damage_error(file) from error


def _damage_error(file: str | Path) -> InputError:
    return InputError(f"The scene embedded in {Path(file).name} is damaged; open the picture it was shot from.")


def shapes_of(views: int, others: int = 0) -> dict[str, str]:
    """Names and shapes of the arrays of the given number of pictures, as named by `pipelines.results.arrays.scene_arrays`."""
    numbered = [f"view{number}" for number in range(views)] + [f"other{number}" for number in range(others)]
    return {f"{name}.{field}": shape for name in numbered for field, shape in SHAPES.items()}


def read_view(arrays: dict[str, NDArray], number: int, kind: str = "view") -> View:
    """View ``number`` from arrays of `SHAPES`, or one of the others, checked."""
    part = {field: arrays[f"{kind}{number}.{field}"] for field in SHAPES}
    view = View.of(part["colour"], part["depth"], part["intrinsics"], part["world_from_camera"])
    return replace(view, known=view.known & part["known"].astype(bool))


def check_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Check the fields of a scene."""
    hints = get_type_hints(Scene)
    for name in ("kind", "unit"):
        if facts[name] not in get_args(hints[name]):
            raise ValueError(f"{name} {facts[name]}")
    fps = float(facts["fps"])
    if not 0 < fps < 1000:
        raise ValueError(f"{fps} frames per second")
    texts = {name: str(facts[name])[:200] for name in ("source", "name")}
    return {"kind": facts["kind"], "unit": facts["unit"], "fps": fps, **texts}
