"""The timeline's queries about the scene: collisions along the move, the point under a pixel, and the move as film text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from camera.editing.commands import Command, read_camera
from camera.editing.film_text import film_text
from camera.editing.fit import resample_walk
from camera.editing.limits import Limits, measure_path
from camera.errors import InputError, reading
from camera.objects.scene import StagedScene
from camera.objects.target import object_at, points_on_object
from camera.path import CameraPath
from camera.view import Scene
from pipelines.project.look import Look, exposure_of
from tabs.project.project import Project

NEAR_SHARE = 0.15
"""Minimum distance as a share of the distance to the subject; closer surfaces give a collision warning."""
NEW_SHARE = 0.2
"""Maximum share of a frame that no picture shows; a larger share gives a warning."""
MOST_UNSEEN = 3000
"""Maximum number of unseen places drawn from above."""
LONGEST_WALK = 20_000
"""Maximum number of cameras in a recording."""


def read_limits(command: Command) -> Limits:
    """Limits from a message; missing or null values mean no limit."""
    given = {field.name: command.get(field.name) for field in fields(Limits)}
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"The limit {name.replace('_', ' ')} must be a number, got {value!r:.40}.")
    if not any(value is not None for value in given.values()):
        raise InputError("Set at least one limit, then fit the move to the scene.")
    return Limits(**given)


def read_walk(command: Command, fps: float) -> CameraPath:
    """The recorded walk: "cameras", "times" in seconds and "smooth", in seconds."""
    with reading("The recording is incomplete; record the walk again."):
        given, times = list(command["cameras"]), list(command["times"])
        smooth = float(command.get("smooth", 0.2))
    if not 2 <= len(given) <= LONGEST_WALK or not 0 <= smooth <= 5:
        raise InputError("Record a walk for a moment, and smooth it by 0 to 5 seconds.")
    cameras = [read_camera(one) for one in given]
    first = cameras[0]
    path = CameraPath(
        np.concatenate([one.world_from_camera for one in cameras]),
        np.concatenate([one.intrinsics for one in cameras]), first.width, first.height, fps,
    )  # fmt: skip
    with reading("The recording is incomplete; record the walk again."):
        return resample_walk(path, np.array(times, np.float64), smooth_seconds=smooth)


def answer_query(project: Project, command: Command) -> dict[str, Any]:
    """Answer a query of the timeline; project and selected keys are unchanged."""
    return {"chosen": _chosen(command), **QUERIES[command["do"]](project, command)}


def _chosen(command: Command) -> tuple[int, ...]:
    """The selected keys, which stay selected."""
    chosen = command.get("chosen")
    return tuple(number for number in chosen if type(number) is int) if isinstance(chosen, list) else ()


def _check(project: Project, command: Command) -> dict[str, Any]:
    """Warnings at every frame; "quiet" omits the message."""
    scene, path = project.ready()
    found = measure_path(scene, path)
    limit = NEAR_SHARE * scene.first.focus_depth
    most, nearest = int(np.argmax(found.new)), int(np.argmin(found.nearest))
    unit = "m" if scene.unit == "metres" else "scene units"
    words = f"Most is new in frame {most + 1}: {found.new[most]:.0%} of it."
    if found.nearest[nearest] < limit:
        words += f" At frame {nearest + 1} the camera is {found.nearest[nearest]:.2g} {unit} from the nearest surface."
    near = (found.nearest < limit).tolist()
    return {
        "warnings": {"new": found.new.round(4).tolist(), "near": near, "most": NEW_SHARE},
        "status": "" if command.get("quiet") else words,
    }


def _coverage(project: Project, command: Command) -> dict[str, Any]:
    """Places, seen from above, that the move shows but no picture does, and where one more picture would help most."""
    from camera.editing.coverage import coverage

    found = coverage(*project.ready())
    every = max(1, -(-len(found.points) // MOST_UNSEEN))
    return {"unseen": found.points[::every, [0, 2]].round(4).tolist(), "status": found.words}


def _film_text(project: Project, command: Command) -> dict[str, Any]:
    """The move as film text, which is also entered in the film moves field."""
    scene, path = project.ready()
    found = film_text(path, scene.first)
    return {"status": found.words, "film": found.text}


def _pick(project: Project, command: Command) -> dict[str, Any]:
    """The scene's point at a position in the camera's view."""
    scene, path = project.ready()
    point = find_point(scene, path, read_camera(command.get("camera")), command)
    share = _share_of(path, command)
    number = None
    if isinstance(scene, StagedScene) and scene.objects:
        number = object_at(scene, point, share=share, seconds=share * (len(path) - 1) / path.fps)
    on = None if number is None else {"number": number, "share": share}
    words = "The target is picked." if on is None else "The target is picked; it moves with its object."
    return {"target": point.tolist(), "object": on, "status": words}


def _share_of(path: CameraPath, command: Command) -> float:
    """Time of the current frame as a share of the video: 0 the first frame, 1 the last."""
    return min(max(int(command.get("frame", 0)), 0), len(path) - 1) / max(len(path) - 1, 1)


def add_waypoints(project: Project, command: Command) -> Command:
    """A command whose target is on an object, extended with the target's positions at the chosen keys, or at all keys."""
    on, scene = command.get("object"), project.scene
    if not isinstance(on, dict) or not isinstance(scene, StagedScene):
        return command
    move = project.keyed()
    with reading("That object does not exist any more; pick the target again."):
        chosen = sorted({int(number) for number in command.get("chosen") or range(len(move.keys))})
        shares = [min(move.keys[number].time / move.seconds, 1.0) for number in chosen]
        way = points_on_object(scene, int(on["number"]), command["point"], share=float(on["share"]), shares=shares)
    return {**command, "way": way.tolist()}


def find_point(scene: Scene, path: CameraPath, camera: CameraPath, command: Command) -> np.ndarray:
    """(3,): the scene's point that ``camera`` shows at "x" and "y", shares of its picture from the left and the top, at the moment of "frame"."""
    from camera.render.scene import render

    with reading("Click on the picture again; the position was not a number."):
        share = np.array([float(command["x"]), float(command["y"])])
        frame = min(max(int(command.get("frame", 0)), 0), len(path) - 1)
    if not ((share >= 0) & (share <= 1)).all():
        raise InputError("That place is outside the picture; click inside it.")
    camera = camera.fitted(path.width, path.height)
    poses, lenses = (np.repeat(one, len(path), axis=0) for one in (camera.world_from_camera, camera.intrinsics))
    image = render(scene, replace(path, world_from_camera=poses, intrinsics=lenses), frame=frame, renderer="zbuffer")
    x, y = np.minimum(share * [path.width, path.height], [path.width - 1, path.height - 1]).astype(int)
    if image.holes[y, x] or image.far[y, x]:
        raise InputError("There is no surface at that place; click on something that the picture shows.")
    local = np.linalg.inv(camera.intrinsics[0]) @ [x, y, 1.0] * image.depth[y, x]
    pose = camera.world_from_camera[0]
    return pose[:3, :3] @ local + pose[:3, 3]


def set_look(project: Project, command: Command) -> tuple[Project, dict[str, Any]]:
    """The project with the given ones of "aperture", "focus" and "shutter" changed; or with its focus on the point at a position of
    the picture, as in `_pick`."""
    scene, path = project.ready()
    given = {name: command[name] for name in Look.controls() if name in command}
    if command["do"] == "focus":
        point = find_point(scene, path, read_camera(command.get("camera")), command)
        given["focus"] = ",".join(f"{value:.4f}" for value in point)
    before = project.content.look
    look: Any = Look.of({**before.values(), **given})
    exposure = exposure_of(look, scene)
    status = exposure.words(path) if exposure else "Lens and shutter are off: everything is sharp."
    if look == before:
        return project, {"status": status, "chosen": _chosen(command)}
    changed = [Look.controls()[name].label for name, value in look.values().items() if value != before.values()[name]]
    return project.changed(f"change {' and '.join(changed)}", look=look), {"status": status, "chosen": _chosen(command)}


QUERIES: dict[str, Callable[[Project, Command], dict[str, Any]]] = {
    "check": _check,
    "words": _film_text,
    "pick": _pick,
    "coverage": _coverage,
}
