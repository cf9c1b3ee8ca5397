"""Plans the model runs for a scene and a path: 12 frames each, some given, the others generated.

One picture: the path is resampled to 12 frames including the picture; then, if wanted, every frame of the path is generated
from the 3 nearest of those 12. Several views: the path's frames are generated in groups from the nearest views.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.genxd import FRAMES, RADIUS, given_index
from camera.view import Scene
from pipelines.inputs.posed_images import SceneWithTruth
from pipelines.methods.genxd import grouping
from pipelines.methods.genxd.settings import GenXDSettings

ANCHOR_CONTEXTS = 3
"""How many of the first 12 views each further group is generated from."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run of the model over F frames.

    ``cameras``: F frames in the scene's world. ``given``: indices of the frames that are given pictures; the first of them is
    the origin of all rays. ``pictures``: for each given frame the index of its picture, among the scene's views or, in the
    second round, among the frames of the first. ``makes``: for each frame its frame in the final path, or -1.
    """

    cameras: CameraPath
    given: tuple[int, ...]
    pictures: tuple[int, ...]
    makes: tuple[int, ...]
    source: Literal["scene", "first run"] = "scene"


@dataclass(frozen=True, eq=False)
class Plan:
    """``path``: the cameras of the final clip. ``notes``: changes to the requested path, one line each."""

    path: CameraPath
    runs: tuple[Run, ...]
    notes: tuple[str, ...]


def plan(scene: Scene, path: CameraPath, settings: GenXDSettings) -> Plan:
    """Plan the runs of a shot; raises `InputError` if they do not fit together."""
    if scene.kind == "views" and len(scene.views) > 1:
        return _plan_from_views(scene, path, settings)
    return _plan_from_one(scene, path, settings)


def group_count(frames: int, settings: GenXDSettings) -> int:
    """The number of runs that a path of ``frames`` needs from one picture."""
    if not settings.more_views or frames <= FRAMES:
        return 1
    return 1 + -(-frames // (FRAMES - ANCHOR_CONTEXTS))


def model_scale(scene: Scene, settings: GenXDSettings) -> float:
    """The model's units per scene unit."""
    if settings.distance == "as given" or (settings.distance == "automatic" and scene.kind == "views"):
        return 1.0
    return RADIUS / scene.first.focus_depth


def _plan_from_one(scene: Scene, path: CameraPath, settings: GenXDSettings) -> Plan:
    cameras, given, notes = _resample_through_picture(path, scene, settings)
    makes = tuple(range(FRAMES)) if given is not None else (-1, *range(FRAMES - 1))
    first = Run(cameras, (given or 0,), (0,), makes)
    if settings.mode == "video":
        notes.append("Video mode has no camera input: the drawn path is not used.")
    if not settings.more_views or len(path) <= FRAMES:
        return Plan(_choose_frames(cameras, [i for i, frame in enumerate(makes) if frame >= 0]), (first,), tuple(notes))
    if settings.mode != "3D":
        raise InputError(f"More than {FRAMES} views need a still scene; choose 3D or turn this off.")
    groups = _groups(path, cameras, ANCHOR_CONTEXTS, settings)
    runs = [_group_run(path, cameras, group, settings, "first run") for group in groups]
    note = f"{FRAMES} views along the path are made first, then its {len(path)} frames in {_groups_of(groups)}, each from the {ANCHOR_CONTEXTS} nearest of the {FRAMES}."
    first = replace(first, makes=(-1,) * FRAMES)
    return _plan_groups(path, (first, *runs), (note,) if given is not None else (*notes, note))


def _plan_from_views(scene: Scene, path: CameraPath, settings: GenXDSettings) -> Plan:
    views = cameras_of(scene, path.fps)
    contexts = min(settings.contexts, len(views))
    if settings.known_targets == "as published" and len(views) == contexts and _is_of_known_targets(scene, path):
        return _groups_of_known_targets(path, views)
    groups = _groups(path, views, contexts, settings)
    runs = tuple(_group_run(path, views, group, settings, "scene") for group in groups)
    note = f"The path's {len(path)} frames are made in {_groups_of(groups)}, each from the {contexts} nearest of {len(views)} given views."
    return _plan_groups(path, runs, (note,))


def _is_of_known_targets(scene: Scene, path: CameraPath) -> bool:
    """Whether the path consists of the cameras of the data set's other pictures, in order."""
    truth = scene.truth.path if isinstance(scene, SceneWithTruth) and scene.truth is not None else None
    if truth is None or len(truth) != len(path):
        return False
    return bool(np.allclose(truth.world_from_camera, path.world_from_camera, atol=1e-5))


def _groups_of_known_targets(path: CameraPath, views: CameraPath) -> Plan:
    """As in ``dataset/reconf_gen.py`` of the original code: every group uses all given views in their own order, and the first
    is the origin; targets in order, the last group filled from the start."""
    contexts = tuple(range(len(views)))
    groups = [grouping.Group(tuple(each), contexts) for each in grouping.in_order(len(path), FRAMES - len(views))]
    runs = tuple(_group_run(path, views, group, GenXDSettings(), "scene") for group in groups)
    note = (
        f"The {len(path)} known target cameras are made in order in {_groups_of(groups)}, each from the {len(views)} given views in the "
        "data set's order, the first of which is the origin, as published."
    )
    return _plan_groups(path, runs, (note,))


def _groups_of(groups: list[grouping.Group]) -> str:
    return f"{len(groups)} group{'s' * (len(groups) > 1)} of {len(groups[0].targets)}"


def cameras_of(scene: Scene, fps: float) -> CameraPath:
    """The cameras of a scene's views, one frame each."""
    poses = np.stack([view.world_from_camera for view in scene.views])
    lenses = np.stack([view.intrinsics for view in scene.views])
    return CameraPath(poses, lenses, scene.first.width, scene.first.height, fps)


def _plan_groups(path: CameraPath, runs: tuple[Run, ...], notes: tuple[str, ...]) -> Plan:
    """The plan for runs in groups; frames that no run generates are removed from the path, and the others renumbered."""
    made = sorted({frame for run in runs for frame in run.makes} - {-1})
    place = {frame: i for i, frame in enumerate(made)} | {-1: -1}
    runs = tuple(replace(run, makes=tuple(place[frame] for frame in run.makes)) for run in runs)
    if len(made) < len(path):
        notes += (f"{len(path) - len(made)} of the path's frames fill no group and are left out.",)
    return Plan(_choose_frames(path, made), runs, notes)


def _groups(path: CameraPath, known: CameraPath, contexts: int, settings: GenXDSettings) -> list[grouping.Group]:
    size = FRAMES - contexts
    if settings.grouping == "by place":
        targets = grouping.by_place(path.centres, known.centres[0], size, cover=settings.cover)
    else:
        cover = settings.cover_trajectories if settings.per_trajectory else settings.cover
        targets = grouping.in_order(len(path), size, per_trajectory=settings.per_trajectory, cover=cover)
    if not targets:
        raise InputError(f"{len(path)} views fill no group of {size}; turn on 'Make every view' or ask for more.")
    return grouping.with_contexts(targets, path.centres, known.centres, contexts)


def _group_run(
    path: CameraPath,
    known: CameraPath,
    group: grouping.Group,
    settings: GenXDSettings,
    source: Literal["scene", "first run"],
) -> Run:
    given = grouping.context_frames(len(group.contexts), FRAMES)
    poses, lenses = np.zeros((FRAMES, 4, 4)), np.zeros((FRAMES, 3, 3))
    made = [frame for frame in range(FRAMES) if frame not in given]
    contexts, targets = list(group.contexts), list(group.targets)
    poses[list(given)], lenses[list(given)] = known.world_from_camera[contexts], known.intrinsics[contexts]
    poses[made], lenses[made] = path.world_from_camera[targets], path.intrinsics[targets]
    if settings.original_lens:
        lenses[:] = known.intrinsics[contexts[0]]
    makes = np.full(FRAMES, -1)
    makes[made] = targets
    cameras = CameraPath(poses, lenses, path.width, path.height, path.fps)
    return Run(cameras, given, group.contexts, tuple(makes.tolist()), source)


def _resample_through_picture(
    path: CameraPath, scene: Scene, settings: GenXDSettings
) -> tuple[CameraPath, int | None, list[str]]:
    """The path in 12 frames, the frame that is the picture, and notes on the changes.

    If the path does not pass the picture's camera, that camera comes first, 11 frames follow, and None is returned for the frame.
    """
    frame = _picture_frame(path, scene, settings.given_frame)
    if frame is None:
        fits = len(path) == FRAMES - 1
        cameras = path if fits else path.resampled(FRAMES - 1)
        start = scene.first.camera
        cameras = replace(
            cameras,
            world_from_camera=np.concatenate([start.world_from_camera, cameras.world_from_camera]),
            intrinsics=np.concatenate([start.intrinsics, cameras.intrinsics]),
        )
        note = (
            f"The path does not pass the given picture's camera, so the picture takes one of the {FRAMES} frames and "
        )
        note += "the path's 11 the others." if fits else f"the path's {len(path)} are resampled to {FRAMES - 1}."
        return cameras, None, [note]
    if len(path) == FRAMES:
        return path, frame, []
    note = f"The path's {len(path)} frames are resampled to the {FRAMES} that the model makes at a time"
    note += (
        "."
        if settings.more_views or len(path) < FRAMES
        else "; 'More than 12 views' makes all of them, of a still scene."
    )
    cameras, given = _resample_around(path, frame)
    return cameras, given, [note]


def _picture_frame(path: CameraPath, scene: Scene, wish: str) -> int | None:
    """The frame whose camera is the first view's (to 0.1 % of the depth and 0.1 degrees), or None; preferably frame ``wish``."""
    pose = scene.first.world_from_camera
    away = np.linalg.norm(path.centres - pose[:3, 3], axis=1) / scene.first.focus_depth
    trace = np.einsum("fij,ij->f", path.world_from_camera[:, :3, :3], pose[:3, :3])
    turned = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    there = np.flatnonzero((away < 1e-3) & (turned < np.radians(0.1)))
    if wish == "automatic":
        return int(there[0]) if len(there) else None
    frame = given_index(wish, len(path))
    if frame not in there:
        raise InputError(
            f"The given picture should be the {wish} frame, but the path's camera is elsewhere there; choose automatic."
        )
    return frame


def _resample_around(path: CameraPath, frame: int) -> tuple[CameraPath, int]:
    """Resample to 12 frames, one of which is exactly the given ``frame``: the parts before and after it are resampled separately."""
    last = len(path) - 1
    if frame == 0 and _is_closed(path):
        around = _choose_frames(path, [*range(len(path)), 0]).resampled(FRAMES + 1)
        return around.sliced(slice(0, FRAMES)).with_fps(path.fps * FRAMES / len(path)), 0
    if frame in (0, last):
        return path.resampled(FRAMES), 0 if frame == 0 else FRAMES - 1
    place = int(np.clip(round(frame * (FRAMES - 1) / last), 1, FRAMES - 2))
    before = path.sliced(slice(0, frame + 1)).resampled(place + 1)
    after = path.sliced(slice(frame, None)).resampled(FRAMES - place)
    cameras = CameraPath(
        np.concatenate([before.world_from_camera, after.world_from_camera[1:]]),
        np.concatenate([before.intrinsics, after.intrinsics[1:]]),
        path.width,
        path.height,
        path.fps * FRAMES / len(path),
    )
    return cameras, place


def _is_closed(path: CameraPath) -> bool:
    """Whether the frame after the last would be the first again, as in an orbit."""
    steps = np.linalg.norm(np.diff(path.centres, axis=0), axis=1)
    home = float(np.linalg.norm(path.centres[-1] - path.centres[0]))
    return len(path) > 3 and 0 < home <= 1.5 * float(np.median(steps))


def _choose_frames(path: CameraPath, frames: Iterable[int]) -> CameraPath:
    frames = list(frames)
    return replace(path, world_from_camera=path.world_from_camera[frames], intrinsics=path.intrinsics[frames])
