"""Frames a project for one method: scene and path in the method's frame, and what the framing loses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from camera.editing.keys import Key, KeyedMove, seconds_of
from camera.editing.track import path_of as path_of_keys
from camera.errors import InputError
from camera.objects.scene import StagedScene, subject_distance
from camera.path import CameraPath
from camera.trajectories import film_script
from camera.trajectories.scaling import scale_path
from camera.view import Scene, View
from pipelines.method import Method, Moves
from pipelines.project.content import FILM_MOVES, KEYFRAMES, METHOD_MOVES, Content

_taken: WeakKeyDictionary[Scene, dict[tuple[bool, bool], Scene]] = WeakKeyDictionary()


def scene_for_method(scene: Scene, method: Method) -> Scene:
    """The scene for ``method``: only the first picture if it supports no clips or views, without objects if it supports none."""
    first, plain = scene.kind not in method.scenes, isinstance(scene, StagedScene) and not method.projects
    if first and "still" not in method.scenes:
        return scene
    if not first and not plain:
        return scene
    known = _taken.setdefault(scene, {})
    if (first, plain) not in known:
        views, kind = (scene.views[:1], "still") if first else (scene.views, scene.kind)
        known[first, plain] = Scene(**scene.plain_fields() | {"views": views, "kind": kind})
    return known[first, plain]


def path_of(content: Content, method: Method, moves: Moves, framed: Scene) -> CameraPath:
    """The path on which ``method`` follows the project's move through the ``framed`` scene. Raises `InputError`."""
    source = content.source
    if source.moves_from == METHOD_MOVES:
        return method.path(moves, framed)
    if source.moves_from == FILM_MOVES:
        return film_script.path_of(source.film_moves, framed.first, frames=moves.frames, fps=moves.fps)
    if source.moves_from == KEYFRAMES:
        keys = keys_of_move(content, moves).fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
        return path_of_keys(keys, frames=moves.frames, fps=moves.fps)
    if content.own is None:
        raise InputError("Upload a path file first: COLMAP, nerfstudio, RealEstate10K, TUM, GEN3C or Reshoot JSON.")
    own, _ = scale_path(content.own, content.own_scale, subject_distance(framed.first))
    return frame_path(own, moves, framed, as_given=source.path_as_given or content.own_as_given)


def frame_path(path: CameraPath, moves: Moves, framed: Scene, *, as_given: bool) -> CameraPath:
    """A path from a file, in the frame of ``moves``; moved to the ``framed`` scene's first camera, with the number of frames and
    rate of ``moves``, unless ``as_given``."""
    path = path.fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
    if as_given:
        return path
    return path.moved_to(framed.first.world_from_camera).resampled(moves.frames).with_fps(moves.fps)


def keys_of_move(content: Content, moves: Moves) -> KeyedMove:
    """The keys of the move; without keys, a single one: the picture's own camera, for the duration of ``moves``. Over a clip
    with known cameras it follows these."""
    if content.scene is None:
        raise InputError("There is no scene yet: choose an example or open a picture first.")
    if content.track is not None:
        return content.track
    first, source = content.scene.first.camera, clip_camera(content.scene)
    if source is not None:
        return KeyedMove((Key(first, 0.0, follows=True),), seconds_of(source), source=source)
    return KeyedMove((Key(first, 0.0),), max(moves.frames - 1, 1) / moves.fps)


_clip_cameras: WeakKeyDictionary[Scene, CameraPath | None] = WeakKeyDictionary()


def clip_camera(scene: Scene) -> CameraPath | None:
    """The camera of a clip, frame by frame, at the clip's rate; None if the scene is not a clip or its camera is static."""
    if scene not in _clip_cameras:
        _clip_cameras[scene] = _own_camera(scene)
    return _clip_cameras[scene]


def _own_camera(scene: Scene) -> CameraPath | None:
    views = scene.views
    if scene.kind != "clip" or len(views) < 2:
        return None
    poses, lenses = (np.stack([getattr(view, name) for view in views]) for name in ("world_from_camera", "intrinsics"))
    if np.ptp(poses, axis=0).max() < 1e-9 and np.ptp(lenses, axis=0).max() < 1e-9:
        return None
    return CameraPath(poses, lenses, scene.first.width, scene.first.height, scene.fps)


@dataclass(frozen=True, eq=False)
class FramedScene:
    """``scene`` in the method's frame and its ``path``, or a sentence on ``why`` there is no path."""

    scene: Scene
    path: CameraPath | None
    why: str = ""

    @cached_property
    def viewfinder(self):
        """See `pipelines.rehearsal.Viewfinder`; requires a path."""
        from pipelines.rehearsal import Viewfinder

        assert self.path is not None
        return Viewfinder(self.scene, self.path)


def frame_content(content: Content, method: Method, moves: Moves, views: tuple[View, ...] | None = None) -> FramedScene:
    """Frame a content that has a scene for ``method``; ``views``: its views in the method's frame, if already computed.

    Raises `InputError` if the scene cannot be framed.
    """
    assert content.scene is not None
    scene = scene_for_method(content.scene, method)
    if views is None:
        scene = scene.fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
    else:
        scene = replace(scene, views=views)
    try:
        return FramedScene(scene, path_of(content, method, moves, scene))
    except InputError as error:
        return FramedScene(scene, None, str(error))


MOST_KEPT = 3
_shared: WeakKeyDictionary[Scene, WeakValueDictionary[tuple, FramedScene]] = WeakKeyDictionary()


def frame_shared(content: Content, method: Method, moves: Moves) -> FramedScene:
    """Like `frame_content`; projects with the same scene, for example those that opened one example, share one result as long as
    one of them uses it. Not shared if they have their own path, keys or objects."""
    scene = content.scene
    assert scene is not None
    if content.own is not None or content.track is not None or isinstance(scene, StagedScene):
        return frame_content(content, method, moves)
    known = _shared.setdefault(scene, WeakValueDictionary())
    described = method.name, moves, content.source
    found = known.get(described)
    if found is None:
        found = known[described] = frame_content(content, method, moves)
    return found


class Framings:
    """A cache of the last framings of a few methods."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Content, Moves, FramedScene]] = {}
        self._shown: Scene | None = None

    def of(self, content: Content, method: Method, moves: Moves) -> FramedScene:
        """Like `frame_content`."""
        known = self._kept.get(method.name)
        if known is None or known[1] != moves or not _is_same(known[0], content):
            views = _views_of(known, content, moves) if known else None
            framed = (
                frame_shared(content, method, moves) if views is None else frame_content(content, method, moves, views)
            )
            known = (content, moves, framed)
            others = {name: one for name, one in self._kept.items() if name != method.name}
            self._kept = dict([*others.items(), (method.name, known)][-MOST_KEPT:])
        return known[2]

    def is_new(self, scene: Scene | None) -> bool:
        """Whether the previous call was for another scene; then the stage returns to its first view."""
        before, self._shown = self._shown, scene
        return before is not scene


def _views_of(known: tuple[Content, Moves, FramedScene], content: Content, moves: Moves) -> tuple[View, ...] | None:
    """The framed views of the last framing, if only objects have changed since."""
    old, new = known[0].scene, content.scene
    frame = (moves.width, moves.height, moves.fit) == (known[1].width, known[1].height, known[1].fit)
    if not (frame and isinstance(old, StagedScene) and isinstance(new, StagedScene)):
        return None
    return known[2].scene.views if old.views is new.views else None


def _is_same(one: Content, other: Content) -> bool:
    """Whether both describe the same scene and move for one method."""
    same = one.scene is other.scene and one.own is other.own and one.track is other.track
    return same and (one.own_as_given, one.own_scale, one.source) == (other.own_as_given, other.own_scale, other.source)


def framing_words(given: Scene, framed: Scene, fit: str) -> str:
    """A sentence on how the picture is fitted to the frame of the move."""
    old, new = given.first, framed.first
    sizes = f"The picture of {old.width} x {old.height} fills the frame of {new.width} x {new.height}"
    ratio = (old.width / old.height) / (new.width / new.height)
    if abs(ratio - 1) < 0.01:
        return f"{sizes}, whole."
    part, side = (
        1 - min(ratio, 1 / ratio),
        "left and right" if (ratio > 1) == (fit == "crop") else "above and below",
    )
    return {
        "crop": f"{sizes}, cropped: {part:.0%} of it is cut off {side}.",
        "pad": f"{sizes}, padded: {part:.0%} of the frame is black {side}.",
    }.get(
        fit,
        f"{sizes}, stretched: it gets {max(ratio, 1 / ratio):.2f} times too {'narrow' if ratio > 1 else 'wide'}.",
    )


def losses(given: Scene, method: Method) -> list[str]:
    """Sentences on the parts of the scene that ``method`` does not use."""
    found = []
    if given.kind not in method.scenes and "still" in method.scenes:
        what = f"clip of {len(given.views)} frames" if given.kind == "clip" else f"{len(given.views)} views"
        found.append(f"{method.title} uses one picture: the first of this {what}.")
    if given.others:
        found.append(
            f"{len(given.others)} more pictures of the place fill holes of rehearsals, packs and exports; {method.title} does not receive them."
        )
    if isinstance(given, StagedScene) and given.objects and not method.projects:
        found.append(f"{method.title} supports no objects: they are left out.")
    return found
