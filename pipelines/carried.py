"""What a result carries inside its mp4 beside its record: the scene it was shot from, and what going on from it needs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects import StagedScene
from camera.view import Scene, View
from pipelines import mp4box
from pipelines.clips import scene_arrays, scene_facts
from pipelines.gen3c.arrays import read_npz
from pipelines.method import Clip

MOST_PIXELS = 4_000_000
"""Of a scene that is carried: four pictures of 1280 x 704, about 4 MB each. Larger ones must be opened again."""
_MOST_VIEWS, _MOST_ADDED, _MOST_BYTES = 500, 8, 64 << 20
"""What is believed of a stranger's file: pictures, and bytes of each array."""
_SHAPES = {"colour": "H W 3", "depth": "H W", "known": "H W", "intrinsics": "3 3", "world_from_camera": "4 4"}


@dataclass(frozen=True, eq=False)
class Carried:
    """``scene`` as the method's frame saw it, ``added``: pictures that joined its cache, ``last``: (H,W,3), the video's last
    frame without loss."""

    scene: Scene
    added: tuple[View, ...] = ()
    last: NDArray[np.uint8] | None = None


def carrying(clip: Clip, scene: Scene, *, goes_on: bool) -> bytes:
    """What ``clip``, shot from ``scene``, carries; with what going on from it needs where its method can (``goes_on``)."""
    if not goes_on:
        return packed(Carried(scene))
    added = clip.scene.views[len(scene.views) :] if clip.scene is not None else ()
    return packed(Carried(scene, tuple(added), clip.frames[-1]))


def packed(carried: Carried) -> bytes:
    """The bytes to put into an mp4; none for a scene that is too large, or that has objects in it."""
    scene, first = carried.scene, carried.scene.first
    large = len(scene.views) * first.width * first.height > MOST_PIXELS or len(scene.views) > _MOST_VIEWS
    if large or isinstance(scene, StagedScene):
        return b""
    whole = replace(scene, views=(*scene.views, *carried.added))
    facts = json.dumps(scene_facts(scene) | {"added": len(carried.added)}).encode()
    arrays: dict[str, Any] = scene_arrays(whole) | {"facts": np.frombuffer(facts, np.uint8)}
    if carried.last is not None:
        arrays["last"] = carried.last
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def carried(file: str | Path) -> Carried | None:
    """What an mp4 carries, None where it carries nothing; raises `InputError` where that is damaged."""
    content = mp4box.read(file)
    if content is None:
        return None
    name = Path(file).name
    try:
        read = partial(read_npz, io.BytesIO(content), name=name, most_bytes=_MOST_BYTES)
        facts = json.loads(read({"facts": "N"})["facts"].tobytes())
        count, added = int(facts.pop("views")), int(facts.pop("added"))
        if not 0 < count <= _MOST_VIEWS or not 0 <= added <= _MOST_ADDED:
            raise ValueError(f"{count} and {added} pictures")
        shapes = {f"view{number}.{field}": _SHAPES[field] for number in range(count + added) for field in _SHAPES}
        arrays = read(shapes, optional={"last": "H W 3"})
        views = [_view(arrays, number) for number in range(count + added)]
        scene = Scene(tuple(views[:count]), **_facts(facts))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"What {name} carries is damaged; open the picture it was shot from.") from error
    return Carried(scene, tuple(views[count:]), arrays.get("last"))


def _view(arrays: dict[str, NDArray], number: int) -> View:
    part = {field: arrays[f"view{number}.{field}"] for field in _SHAPES}
    view = View.of(part["colour"], part["depth"], part["intrinsics"], part["world_from_camera"])
    return replace(view, known=view.known & part["known"].astype(bool))


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Checked fields of a scene."""
    hints = get_type_hints(Scene)
    for name in ("kind", "unit"):
        if facts[name] not in get_args(hints[name]):
            raise ValueError(f"{name} {facts[name]}")
    fps = float(facts["fps"])
    if not 0 < fps < 1000:
        raise ValueError(f"{fps} frames per second")
    texts = {name: str(facts[name])[:200] for name in ("source", "name")}
    return {"kind": facts["kind"], "unit": facts["unit"], "fps": fps, **texts}
