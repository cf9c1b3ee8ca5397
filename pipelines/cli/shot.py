"""Builds the shot described by a command line: a scene from pictures, files or a project, with objects, path and settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.cli.parser import GUESS, given_settings, read_settings
from pipelines.inputs.open import VIDEOS, Material
from pipelines.method import Method, Moves
from pipelines.options import RunOptions
from pipelines.project.content import METHOD_MOVES
from pipelines.project.file import content_of, is_project, read_look, read_project
from pipelines.project.framing import frame_content, frame_path, losses
from pipelines.project.look import Look
from pipelines.settings import Settings
from pipelines.shot import Shot

_KEYFRAMES = {"keyframes_file", "keyframes_at", "keyframe_prompts", "window", "form"}
"""Settings that may require other keyframes than those of a project."""
_AS_PAINTED = "Between the keyframes of the project; --keyframes-file '' paints them again."
_FRAME = ("frames", "width", "height", "fps", "fit")
"""Moves that only describe the format of a path."""
_Parts = tuple[Scene, CameraPath, Settings, Moves | None]


def shot_of(known: Method, given: argparse.Namespace, folder: Path) -> tuple[Shot, Moves | None]:
    """The shot for the method ``known``, and the moves that made its path, None if it has another source; ``folder`` stores the
    files of a project. Raises `InputError`."""
    if getattr(given, "project", None) and is_project(given.project):
        return _shot_of_saved_project(known, given, folder)
    scene, path, settings, moves = _read_parts(known, given, folder)
    options: Any = read_settings(RunOptions, given, "options")
    return Shot(known, scene, path, settings, options), moves


def _shot_of_saved_project(known: Method, given: argparse.Namespace, folder: Path) -> tuple[Shot, Moves | None]:
    """The shot of a project saved by the page. Options of the command line override it; a move among them makes a new path."""
    content, notes = content_of(read_project(given.project, folder=folder))
    if content.scene is None:
        raise InputError(
            f"{given.project.name} contains no picture yet; open one in the page and save the project again."
        )
    scene = _replace_objects(content.scene, getattr(given, "objects", None))
    chosen = given_settings(known.moves, given, "moves")
    moves: Any = known.moves.of({**(content.moves.get(known.name) or known.moves()).values(), **chosen})
    if set(chosen) - set(_FRAME):
        content = replace(content, source=replace(content.source, moves_from=METHOD_MOVES))
    messages = [*notes, *losses(scene, known)]
    print(*messages, sep="\n", end="\n" * bool(messages), file=sys.stderr)
    framed = frame_content(replace(content, scene=scene), known, moves)
    if given.path is not None:
        path, drawn = _own_path(given, known.path(moves, framed.scene), framed.scene), False
        path = frame_path(path, moves, framed.scene, as_given=given.path_as_given)
    elif framed.path is None:
        raise InputError(framed.why)
    else:
        path, drawn = framed.path, content.source.moves_from == METHOD_MOVES
    stored = content.settings.get(known.name, {})
    settings = _merge(stored, known.settings, given, "settings")
    if known.projects and not _paints_anew(known, given):
        before = settings
        settings = import_module(known.projects).with_kept(settings, content.kept_by(known.name), folder)
        if settings is not before:
            print(_AS_PAINTED, file=sys.stderr)
    options: Any = _merge(stored, RunOptions, given, "options")
    return Shot(known, framed.scene, path, settings, options), moves if drawn else None


def _paints_anew(known: Method, given: argparse.Namespace) -> bool:
    """Whether the command line sets another move, other objects or other keyframes than those painted in a project."""
    settings = given_settings(known.settings, given, "settings")
    return bool(
        given_settings(known.moves, given, "moves") or given.path or given.objects or settings.keys() & _KEYFRAMES
    )


def look_of(given: argparse.Namespace) -> Look:
    """Lens and shutter of a rehearsal: those of a saved project, overridden by the command line."""
    file = getattr(given, "project", None)
    stored = read_look(file) if file and is_project(file) else Look()
    look: Any = read_settings(Look, given, "look", over=stored)
    return look


def moving_masks(
    known: Method, given: argparse.Namespace, scene: Scene, moves: Moves | None
) -> NDArray[np.bool_] | None:
    """Masks of moving parts of the clip ``scene`` from ``--moving``, fitted to its frame; None without the option."""
    if given.moving is None:
        return None
    if given.holes != "remembered":
        raise InputError("--moving works only with --holes remembered; add that option.")
    from camera.completion.masks import fit_masks
    from pipelines.reconstruct.object_mask import read_masks

    masks = read_masks(given.moving, len(scene.views))
    fit: Any = (moves or read_settings(known.moves, given, "moves")).values()["fit"]
    return fit_masks(masks, scene.first.width, scene.first.height, fit)


def _merge(stored: Mapping[str, Any], kind: type[Settings], given: argparse.Namespace, prefix: str) -> Settings:
    """Settings of ``kind``: the ``stored`` ones, overridden by the command line."""
    known = {name: stored[name] for name in kind.controls() if name in stored}
    return kind.of({**known, **given_settings(kind, given, prefix)})


def _read_parts(known: Method, given: argparse.Namespace, folder: Path) -> _Parts:
    if getattr(given, "project", None) or getattr(given, "empty_stage", False):
        return _parts_of_project(known, given, folder)
    moves: Any = read_settings(known.moves, given, "moves")
    if getattr(given, "after", None):
        moves = _moves_framed_as(given.after, moves)
    scene, own = (known.blank(), None) if known.blank and given.no_picture else _scene(given)
    scene = _add_capture(scene, getattr(given, "second_capture", None))
    scene = _replace_objects(scene, getattr(given, "objects", None))
    scene = scene.fitted(moves.width, moves.height, moves.fit)
    if scene.kind not in known.scenes:
        raise InputError(f"{known.title} takes {' or '.join(known.scenes)}, and these files are a {scene.kind}.")
    settings = read_settings(known.settings, given, "settings")
    if given.path is None and own is None:
        return scene, known.path(moves, scene), settings, moves
    path = own if given.path is None else _own_path(given, known.path(moves, scene), scene)
    assert path is not None, "checked above"
    as_given = given.path_as_given or given.path is None
    return scene, frame_path(path, moves, scene, as_given=as_given), settings, None


def _parts_of_project(known: Method, given: argparse.Namespace, folder: Path) -> _Parts:
    """Options of the command line override the project; a move among them makes a new path."""
    module = import_module(known.projects)
    project = module.read_project(given.project, folder=folder) if given.project else module.new_project()
    print(*project.notes, sep="\n", end="\n" * bool(project.notes), file=sys.stderr)
    settings: Any = read_settings(known.settings, given, "settings", over=project.settings)
    own, chosen = project.path, given_settings(known.moves, given, "moves")
    if project.painted is not None and settings.make == module.VIDEO and not _paints_anew(known, given):
        print(_AS_PAINTED, file=sys.stderr)
        settings = project.painted.settings(settings, folder / "painted.zip")
    size = {} if own is None else {"frames": len(own), "width": own.width, "height": own.height, "fps": own.fps}
    moves: Any = known.moves.of({**known.moves().values(), **project.moves, **size, **chosen})
    scene = _replace_objects(project.scene, given.objects).fitted(moves.width, moves.height, moves.fit)
    drawn = known.path(moves, scene)
    if given.path is not None:
        path = _own_path(given, drawn, scene)
        return scene, frame_path(path, moves, scene, as_given=given.path_as_given), settings, None
    if own is None or set(chosen) - set(_FRAME):
        return scene, drawn, settings, moves
    path = own.fitted(moves.width, moves.height, moves.fit).with_fps(moves.fps)
    path = path if len(path) == moves.frames else path.resampled(moves.frames).with_fps(moves.fps)
    return scene, path, settings, None


def _add_capture(scene: Scene, files: Sequence[Path] | None) -> Scene:
    """Add a second capture of the same place, and print how it was registered."""
    if not files:
        return scene
    from pipelines.estimation.second_capture import add_capture
    from pipelines.inputs.open import read_second

    second, note = read_second(files)
    found = add_capture(scene, second)
    print(note, found.sentence(), file=sys.stderr)
    return found.scene


def _replace_objects(scene: Scene, files: Sequence[Path] | None) -> Scene:
    """Replace all objects by those in the files."""
    if not files:
        return scene
    from camera.objects.archive import objects_of_file
    from camera.objects.scene import stage_objects

    stage = stage_objects(scene)
    standing = stage.standing_place()
    return stage.with_objects([item for file in files for item in objects_of_file(file, standing)])


def _own_path(given: argparse.Namespace, like: CameraPath, scene: Scene) -> CameraPath:
    """The path of ``--path`` at the scale of ``--path-scale``."""
    from camera.objects.scene import subject_distance
    from camera.trajectories.scaling import scale_path

    path = _clip_move(given, scene) or _path_file(given.path, like, given.convention)
    path, note = scale_path(path, given.path_scale, subject_distance(scene.first))
    print(note, end="\n" * bool(note), file=sys.stderr)
    return path


def _clip_move(given: argparse.Namespace, scene: Scene) -> CameraPath | None:
    """The move of a video given as ``--path``, scaled to the scene; None for other files and for results, which contain theirs."""
    from pipelines.results.borrowed import borrow_path
    from pipelines.results.take_report import read_recorded_path

    video: Path = given.path
    if video.suffix.lower() not in VIDEOS or not video.is_file() or read_recorded_path(video) is not None:
        return None
    path, note = borrow_path(video, scene, smooth=given.path_smooth)
    print(note, file=sys.stderr)
    return path


def _path_file(file: Path, like: CameraPath, convention: str) -> CameraPath:
    from pipelines.results.record import restore

    if not file.is_file():
        raise InputError(f"There is no path file {file}.")
    if file.suffix.lower() == ".mp4":
        return restore(file).path
    from camera.formats import read
    from camera.formats.account import Account

    account = Account(file.name)
    path = read(file.name, file.read_bytes(), like=like, account=account, convention=convention)
    for note in account.notes():
        print(note, file=sys.stderr)
    return path


def _scene(given: argparse.Namespace) -> tuple[Scene, CameraPath | None]:
    """The scene, and the path to shoot if the files contain one in its world."""
    from pipelines import method
    from pipelines.inputs.open import read_material

    if given.files:
        dense = method(given.name).dense_views
        material = read_material(
            given.files, given_views=given.given_views, dense=dense, begin_at=given.begin_at, up=given.up,
            steady=given.steady_depth,
        )  # fmt: skip
        print(material.note, file=sys.stderr)
        _write_report(getattr(given, "depth_report", None), material)
        return material.scene, material.path if material.path_as_given else None
    if given.image is None:
        return _scene_of_result(getattr(given, "after", None)), None
    return _scene_of_picture(given), None


def _write_report(file: Path | None, material: Material) -> None:
    """Write the table of a clip's depth over time, if requested."""
    if file is None:
        return
    if material.steady is None:
        raise InputError("--depth-report is the table of --steady-depth; use both.")
    file.write_text(material.steady.table())


def _moves_framed_as(after: Path, moves: Any) -> Any:
    """The moves in the format of the result ``after``."""
    from pipelines.results.record import restore

    if not after.is_file():
        raise InputError(f"There is no result {after} to continue.")
    path = restore(after).path
    return replace(moves, width=path.width, height=path.height)


def _scene_of_result(after: Path | None) -> Scene:
    from pipelines.results.embedded_scene import read_embedded_scene

    if after is None:
        raise InputError("Add a picture with --image, a clip or views with --files, or a result with --after.")
    box = read_embedded_scene(after)
    if box is None:
        raise InputError(
            f"{after.name} does not contain its input; add that picture with --image, or the clip or views with --files."
        )
    return box.scene


def _scene_of_picture(given: argparse.Namespace) -> Scene:
    from pipelines.estimation.depth import MODELS, Depth, depth_of
    from pipelines.inputs.picture import guess_layout, scene_from
    from pipelines.media.depth_map.read import read_depth_map
    from pipelines.media.image import read_picture

    picture = read_picture(given.image)
    print(*picture.notes, sep="\n", end="\n" * bool(picture.notes), file=sys.stderr)
    if given.depth is not None:
        read = read_depth_map(given.depth, given.depth_meaning, scale=given.depth_scale)
        print(read.note, file=sys.stderr)
        depth = Depth(read.values, read.unit, "given depth", read.fov_degrees)
    elif given.depth_model == GUESS:
        depth = guess_layout(picture.colour)
    else:
        depth = depth_of(picture, MODELS[given.depth_model])
    return scene_from(picture, depth, fov_degrees=given.fov, name=given.image.stem)
