"""``python -m pipelines``: run, preview, curate, scene, bench, calibrate, doctor and list, for people without a browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines import NAMES, generate, method
from pipelines.commands import GUESS, parser, values
from pipelines.method import Clip, Method, Moves, Progress
from pipelines.runtime.options import RunOptions, offered
from pipelines.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 refused (the reason is printed), 2 wrong usage, 130 cancelled."""
    given = parser().parse_args(arguments)
    try:
        commands = {
            "run": _run,
            "preview": _preview,
            "curate": _curate,
            "bench": _bench,
            "calibrate": _calibrate,
            "compile": _compile,
            "scene": _scene_files,
            "doctor": _doctor,
            "list": _list,
        }
        return commands[given.command](given)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return 130


def _run(given: argparse.Namespace) -> int:
    from pipelines.results import record, save

    known = method(given.name)
    moves, settings = _moves(known, given), values(known.settings, given, "settings")
    options = values(RunOptions, given, "options")
    scene, path = _shot(known, moves, given)
    after = None
    if getattr(given, "after", None):
        after, path, settings = _going_on(given.after, scene, path, settings)
    for warning in known.check(scene, path, settings):
        print(warning, file=sys.stderr)
    clip, report = None, None
    try:
        for item in generate(known.name, scene, path, settings, options=options, after=after):  # type: ignore[arg-type]
            if isinstance(item, Progress):
                _say(item)
            elif isinstance(item, Clip):
                clip = item
            else:
                report = item
    except KeyboardInterrupt:
        if clip is None:
            raise
        kept = save(given.out.parent, given.out.stem, clip, record(known, scene, path, settings, options=options))
        print(f"Cancelled; the {len(clip.frames)} frames that were finished are in {kept.video}.", file=sys.stderr)
        return 130
    if clip is None or report is None:
        raise InputError("The run ended without a video; please report it with your settings.")
    own = moves if given.path is None and after is None else None
    made = record(known, scene, path, settings, moves=own, options=options, report=report)
    saved = save(given.out.parent, given.out.stem, clip, made)
    for line in (*clip.notes, report.words, report.sentence(), *map(str, (saved.video, saved.sidecar))):
        print(line)
    return 0


def _going_on(video: Path, scene: Scene, more: CameraPath, settings: Settings) -> tuple[Clip, CameraPath, Settings]:
    """The clip of a result, and path and settings of a run one chunk longer."""
    from pipelines.gen3c.extend import one_more, read_shot

    if not video.is_file():
        raise InputError(f"There is no result {video} to go on from.")
    clip, made = read_shot(video)
    return clip, *one_more(clip, made, scene, more, settings)


def _preview(given: argparse.Namespace) -> int:
    from pipelines.preview import rehearse

    known = method(given.name)
    scene, path = _shot(known, _moves(known, given), given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for item in rehearse(scene, path, given.out):
        if isinstance(item, Progress):
            _say(item)
        else:
            print(item.summary, item.video, sep="\n")
    return 0


def _curate(given: argparse.Namespace) -> int:
    from pipelines.genxd.curate import curate_video, told
    from pipelines.genxd.settings import CurationSettings

    settings = values(CurationSettings, given, "curation")
    for item in curate_video(given.video, given.folder, settings, mask_folder=given.mask_folder):  # type: ignore[arg-type]
        if isinstance(item, str):
            print(item, file=sys.stderr)
        else:
            print(f"{given.folder}: {told(item)}")
    return 0


def _bench(given: argparse.Namespace) -> int:
    from pipelines.bench import bench

    return bench(given)


def _calibrate(given: argparse.Namespace) -> int:
    from pipelines.bench import calibrate

    return calibrate(given)


def _scene_files(given: argparse.Namespace) -> int:
    from pipelines.reconstruct.command import make

    print(*make(given, _say), sep="\n")
    return 0


def _compile(given: argparse.Namespace) -> int:
    from pipelines.bench import compile_ahead

    return compile_ahead(given)


def _doctor(given: argparse.Namespace) -> int:
    from pipelines.doctor import examine

    return examine(given.methods or offered(NAMES))


def _list(given: argparse.Namespace) -> int:
    known = [method(name) for name in offered(NAMES)]
    print(table(known) if given.markdown else "\n\n".join(map(_described, known)))
    return 0


def table(known: list[Method]) -> str:
    """The README's table of methods."""
    lines = ["| method | what it does | how the camera enters | weights |", "| --- | --- | --- | --- |"]
    for one in known:
        licences = ", ".join(dict.fromkeys(f"{licence.part} {licence.name}" for licence in one.licences))
        title = f"[{one.title}]({one.paper})" if one.paper else one.title
        size = sum(checkpoint.gigabytes for checkpoint in one.checkpoints)
        lines.append(f"| {title} | {one.summary} | {one.camera_use} | {size:.0f} GB; {licences} |")
    return "\n".join(lines)


def _described(known: Method) -> str:
    lines = [f"{known.name}: {known.title}", f"  {known.summary}", f"  Camera: {known.camera_use}"]
    lines += [f"  Weights: {checkpoint.repo} ({checkpoint.gigabytes:g} GB)" for checkpoint in known.checkpoints]
    lines += [
        f"  {group}: " + ", ".join(f"{name}={str(default)[:30]!r}" for name, default in kind.defaults().items())
        for group, kind in (("Moves", known.moves), ("Settings", known.settings))
    ]
    return "\n".join(lines)


# --- scene and path ----------------------------------------------------------------------------------------------------


def _moves(known: Method, given: argparse.Namespace) -> Moves:
    return values(known.moves, given, "moves")  # type: ignore[return-value]


def _shot(known: Method, moves: Moves, given: argparse.Namespace) -> tuple[Scene, CameraPath]:
    scene, own = (known.blank(), None) if known.blank and given.no_picture else _scene(given)
    scene = scene.fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
    if scene.kind not in known.scenes:
        raise InputError(f"{known.title} takes {' or '.join(known.scenes)}, and these files are a {scene.kind}.")
    if given.path is None and own is None:
        return scene, known.path(moves, scene)
    path = own if given.path is None else _path_file(given.path, like=known.path(moves, scene))
    assert path is not None, "checked above"
    path = path.fitted(moves.width, moves.height, moves.fit)  # type: ignore[arg-type]
    if given.path_as_given or given.path is None:
        return scene, path
    path = path.moved_to(scene.first.world_from_camera)
    return scene, path if len(path) == moves.frames else path.resampled(moves.frames).with_fps(moves.fps)


def _path_file(file: Path, like: CameraPath) -> CameraPath:
    from pipelines.results import restore

    if not file.is_file():
        raise InputError(f"There is no path file {file}.")
    if file.suffix.lower() == ".mp4":
        return restore(file).path
    from camera.formats import read

    return read(file.name, file.read_bytes(), like=like)


def _scene(given: argparse.Namespace) -> tuple[Scene, CameraPath | None]:
    """The scene, and the path to shoot where the files bring one in its world."""
    from pipelines.material import read_material

    if given.files:
        dense = method(given.name).dense_views
        material = read_material(given.files, given_views=given.given_views, dense=dense)
        print(material.note, file=sys.stderr)
        return material.scene, material.path if material.path_as_given else None
    return _scene_of_picture(given), None


def _scene_of_picture(given: argparse.Namespace) -> Scene:
    from pipelines.depth import MODELS, Depth, depth_of, guessed_layout, scene_from
    from pipelines.pictures import read_depth, read_picture

    picture = read_picture(given.image)
    if given.depth is not None:
        depth = Depth(read_depth(given.depth, given.depth_meaning, scale=given.depth_scale), "relative", "given depth")
    elif given.depth_model == GUESS:
        depth = guessed_layout(picture.colour)
    else:
        depth = depth_of(picture, MODELS[given.depth_model])
    return scene_from(picture, depth, fov_degrees=given.fov, name=given.image.stem)


def _say(progress: Progress) -> None:
    count = f" {progress.step}/{progress.steps}" if progress.steps > 1 else ""
    left = f", {progress.seconds_left:.0f} s left" if progress.seconds_left else ""
    note = f" ({progress.note})" if progress.note else ""
    print(f"{progress.phase}{count}{left}{note}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
