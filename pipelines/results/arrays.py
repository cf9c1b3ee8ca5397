"""A clip as plain arrays, lossless, so that a job can send it and another process can continue it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from camera.errors import InputError
from camera.objects.archive import pack_objects, unpack_objects
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Clip

_VIEW_ARRAYS = ("colour", "depth", "intrinsics", "world_from_camera", "known")
_SAME = "the given scene"


def scene_arrays(scene: Scene, prefix: str = "") -> dict[str, Any]:
    """A scene's views as arrays named ``prefix`` + "view0.colour" and so on; see `scene_facts` for the rest."""
    arrays = {
        f"{prefix}{kind}{number}.{field}": getattr(view, field)
        for kind, views in (("view", scene.views), ("other", scene.others))
        for number, view in enumerate(views)
        for field in _VIEW_ARRAYS
    }
    if isinstance(scene, StagedScene):
        arrays[f"{prefix}objects"] = np.frombuffer(pack_objects(scene.objects), np.uint8)
    return arrays


def scene_facts(scene: Scene) -> dict[str, Any]:
    """Everything in a scene except its views, for JSON."""
    facts = {"kind": scene.kind, "unit": scene.unit, "fps": scene.fps, "source": scene.source, "name": scene.name}
    if isinstance(scene, StagedScene):
        facts["distance"] = scene.distance
    return facts | {"views": len(scene.views), "others": len(scene.others)}


def scene_of(arrays: Mapping[str, Any], facts: Mapping[str, Any], prefix: str = "") -> Scene:
    """The scene from `scene_arrays` and `scene_facts`; raises `InputError` for invalid views."""
    facts = dict(facts)
    views, others = (
        tuple(
            View(**{field: arrays[f"{prefix}{kind}{number}.{field}"] for field in _VIEW_ARRAYS})
            for number in range(int(facts.pop(f"{kind}s", 0)))
        )
        for kind in ("view", "other")
    )
    facts["others"] = others
    for view in (*views, *others):
        View.of(view.colour, view.depth, view.intrinsics, view.world_from_camera)
    if "distance" in facts:
        return StagedScene(views, **facts, objects=unpack_objects(arrays[f"{prefix}objects"].tobytes()))
    return Scene(views, **facts)


def clip_arrays(clip: Clip, scene: Scene | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and JSON facts of a clip shot from ``scene``, without its files and notes."""
    arrays: dict[str, Any] = {
        "frames": clip.frames,
        "poses": clip.path.world_from_camera,
        "lenses": clip.path.intrinsics,
    }
    arrays |= {f"extra{number}": frames for number, frames in enumerate(clip.extras.values())}
    facts: dict[str, Any] = {"fps": clip.fps, "extras": list(clip.extras), "scene": None}
    facts["path"] = {"width": clip.path.width, "height": clip.path.height, "fps": clip.path.fps}
    if clip.scene is not None and scene is not None and len(clip.scene.views) == len(scene.views):
        facts["scene"] = _SAME
    elif clip.scene is not None:
        facts["scene"] = scene_facts(clip.scene)
        arrays |= scene_arrays(clip.scene, "grown.")
    return {f"clip.{name}": array for name, array in arrays.items()}, facts


def clip_of(arrays: Mapping[str, Any], facts: Mapping[str, Any], scene: Scene) -> Clip:
    """The clip from `clip_arrays`."""
    path = CameraPath(arrays["clip.poses"], arrays["clip.lenses"], **facts["path"])
    extras = {name: arrays[f"clip.extra{number}"] for number, name in enumerate(facts["extras"])}
    behind = scene if facts["scene"] == _SAME else facts["scene"] and scene_of(arrays, facts["scene"], "clip.grown.")
    frames = arrays["clip.frames"]
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[3] != 3 or len(frames) != len(path):
        raise InputError(f"A clip needs frames (F,H,W,3) in bytes, one per camera, got {frames.shape} for {len(path)}.")
    return Clip(frames, float(facts["fps"]), path, extras=extras, scene=behind)
