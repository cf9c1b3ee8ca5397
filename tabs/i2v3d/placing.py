"""Objects of a project's scene: adds them, finds them by their name in the page, and places them on visible surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.objects.model import Model, read_models
from camera.objects.obj_ply import LARGEST_BYTES
from camera.objects.scene import Key, SceneObject, StagedScene, stage_objects
from camera.path import CameraPath
from tabs.project.project import Project

SEEN_SIDE = 480
"""Longest side of the picture drawn while sliders move."""
NO_SCENE = "Choose an example or open a picture first; objects are placed in its scene."


def with_objects(
    project: Project, objects: Sequence[SceneObject], name: str = "change the objects", *, merges: bool = False
) -> Project:
    """The project with ``objects`` instead of its own; the path stays. ``name`` and ``merges``: as in `Project.changed`."""
    if project.scene is None:
        raise InputError(NO_SCENE)
    return project.with_scene(stage_objects(project.scene, objects), name, merges=merges)


def objects_of(project: Project) -> tuple[SceneObject, ...]:
    """The objects of the project's scene; empty without a scene."""
    return project.scene.objects if isinstance(project.scene, StagedScene) else ()


def names(objects: Sequence[SceneObject]) -> list[str]:
    """Names of the objects in the page: number and file name."""
    return [f"{number}: {item.model.name}" for number, item in enumerate(objects, 1)]


def read_model(files: list[str] | None) -> Model:
    """The model in uploaded files: a mesh with its companion files. Raises `InputError` if there is none or the files are too large."""
    if not files:
        raise InputError("Choose a GLB, glTF, OBJ or PLY file, with the files that belong to it.")
    if sum(Path(file).stat().st_size for file in files) > LARGEST_BYTES:
        raise InputError(f"These files have more than {LARGEST_BYTES >> 20} MB; reduce the mesh or its textures.")
    return read_models({Path(file).name: Path(file).read_bytes() for file in files})


def find_object(project: Project, chosen: str) -> tuple[tuple[SceneObject, ...], int]:
    """All objects, and the index of the one named ``chosen`` in the page; raises `InputError` if there is none."""
    objects = objects_of(project)
    called = names(objects)
    if chosen not in called:
        known = ", ".join(called) or "none yet; add one first"
        raise InputError(f"There is no object {chosen!r} in the scene. Its objects: {known}.")
    return objects, called.index(chosen)


def replace_key(keys: Sequence[Key], key: Key) -> tuple[Key, ...]:
    """The keys in order of time, with ``key`` replacing any key at its time."""
    others = [old for old in keys if abs(old.at - key.at) > 5e-3]
    return tuple(sorted((*others, key), key=lambda one: one.at))


def small_scene(project: Project) -> tuple[StagedScene, CameraPath]:
    """Scene and path of the project, scaled down for drawing while sliders move."""
    scene, path = project.ready()
    scale = min(1.0, SEEN_SIDE / max(path.width, path.height))
    width, height = max(1, round(path.width * scale)), max(1, round(path.height * scale))
    small = scene.fitted(width, height, "stretch")
    assert isinstance(small, StagedScene)
    return small, path.resized(width, height)


def spot_at(project: Project, moment: float, column: float, row: float) -> tuple[float, float, float]:
    """Right, up and ahead of the scene's surface, without its objects, at a pixel of the coarse render."""
    from camera.render.scene import render

    scene, path = small_scene(project)
    at = round(float(np.clip(moment, 0, 1)) * (len(path) - 1))
    image = render(scene.with_objects(()), path, frame=at)
    x, y = int(np.clip(column, 0, path.width - 1)), int(np.clip(row, 0, path.height - 1))
    if image.holes[y, x] or image.far[y, x]:
        raise InputError("There is no surface at that point; click on the ground or on an object.")
    local: NDArray = np.linalg.inv(path.intrinsics[at]) @ [x, y, 1.0] * image.depth[y, x]
    return scene.place_of(path.world_from_camera[at] @ [*local, 1.0])


def describe_object(item: SceneObject) -> str:
    """Name, size, keys and notes of an object, as Markdown."""
    at = ", ".join(f"{key.at:g}" for key in item.keys)
    moves = "stands in one place" if len(item.keys) == 1 else f"is placed at {at} of the video"
    return "  \n".join((f"{item.model.name}: {item.model.triangles:,} triangles, {moves}.", *item.model.notes))
