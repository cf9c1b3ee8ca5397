"""``python -m pipelines``: run, preview, curate, scene, evaluate, bench, calibrate, doctor and list, for people without a browser."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camera.errors import InputError
from pipelines import NAMES, generate, method, registry
from pipelines.cli.parser import parser, read_settings
from pipelines.cli.shot import shot_of
from pipelines.environment import offered_methods
from pipelines.method import Clip, Method, Moves, Progress
from pipelines.results import process_folder
from pipelines.shot import Shot

if TYPE_CHECKING:
    from pipelines.media.concat import VideoPrefix
    from pipelines.results.record import SavedResult


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Exit status: 0 done, 1 refused (the reason is printed), 2 wrong usage, 130 cancelled."""
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
            "convert": _convert,
            "pack": _pack,
            "export": _export,
            "evaluate": _evaluate,
            "doctor": _doctor,
            "list": _list,
        }
        with process_folder.temporary_files():
            return commands[given.command](given)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return 130


def _run(given: argparse.Namespace) -> int:
    return _run_all(given) if given.batch else _run_one(given)


def _run_all(given: argparse.Namespace) -> int:
    """Shoot a list in order, as many shots at once as there are replicas. A refused shot is reported and the rest
    continue; shots finished by an earlier run are skipped."""
    from pipelines.cli.batch import in_order, shots_of
    from pipelines.options import RunOptions
    from pipelines.runtime.pool.together import parallel_shots

    def shoot(shot: argparse.Namespace) -> tuple[int, bool]:
        print(f"{shot.out.name}:", file=sys.stderr)
        try:
            return _run_one(shot), False
        except InputError as error:
            print(f"{shot.out.name}: {error}", file=sys.stderr)
            return 0, True

    options: Any = read_settings(RunOptions, given, "options")
    any_refused = False
    for status, refused in in_order(shoot, shots_of(method(given.name), given), parallel_shots(options.gpus)):
        if status:
            return status
        any_refused |= refused
    return int(any_refused)


def _run_one(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="reshoot-") as folder:
        return _shoot_and_save(given, *shot_of(method(given.name), given, Path(folder)))


def _shoot_and_save(given: argparse.Namespace, shot: Shot, moves: Moves | None) -> int:
    from pipelines.cli.batch import is_finished
    from pipelines.media.concat import VideoPrefix

    begun = None
    if getattr(given, "after", None):
        shot, moves = _continuation(given.after, shot), None
        assert shot.after is not None
        begun = VideoPrefix(given.after, len(shot.after.frames))
    for warning in shot.check():
        print(warning, file=sys.stderr)
    if getattr(given, "resumes", False) and is_finished(given.out, shot):
        print(f"{given.out} is there already, shot with the same settings; not shot again.", file=sys.stderr)
        return 0
    clip, report = None, None
    try:
        for item in generate(shot):
            if isinstance(item, Progress):
                _print_progress(item)
            elif isinstance(item, Clip):
                clip = item
            else:
                report = item
    except KeyboardInterrupt:
        if clip is None:
            raise
        partial = _save_result(given.out, shot, clip, begun=begun)
        print(f"Cancelled; the {len(clip.frames)} frames that were finished are in {partial.video}.", file=sys.stderr)
        return 130
    if clip is None or report is None:
        raise InputError("The run ended without a video; please report it with your settings.")
    saved = _save_result(given.out, shot, clip, begun=begun, moves=moves, report=report)
    files = (saved.video, saved.sidecar, *saved.files.values())
    for line in (*clip.notes, report.words, report.sentence(), *map(str, files)):
        print(line)
    return 0


def _save_result(out: Path, shot: Shot, clip: Clip, *, begun: VideoPrefix | None, **of_record: Any) -> SavedResult:
    """Save the files of a result under the name ``out``; ``of_record``: see `pipelines.results.record.record`."""
    from pipelines.results.embedded_scene import scene_to_embed
    from pipelines.results.record import record, save

    carries = scene_to_embed(clip, shot.scene, goes_on=shot.method.goes_on is not None)
    return save(out.parent, out.stem, clip, record(shot, **of_record), carries=carries, begun=begun)


def _continuation(video: Path, shot: Shot) -> Shot:
    """The shot that continues the result ``video`` by one chunk."""
    from pipelines.methods.gen3c.continuation import continue_shot, read_shot

    clip, made = read_shot(video)
    path, settings = continue_shot(clip, made, shot.scene, shot.path, shot.settings)
    return replace(shot, path=path, settings=settings, after=clip)


def _preview(given: argparse.Namespace) -> int:
    from pipelines.cli.shot import look_of, moving_masks
    from pipelines.estimation.inpainting import inpainter_of
    from pipelines.project.look import exposure_of
    from pipelines.rehearsal import rehearse

    if given.inpaint and given.holes != "completed":
        raise InputError(f"--inpaint works only with --holes completed; leave it out with --holes {given.holes}.")
    with tempfile.TemporaryDirectory(prefix="reshoot-") as folder:
        shot, moves = shot_of(method(given.name), given, Path(folder))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    exposure = exposure_of(look_of(given), shot.scene)
    how: dict[str, Any] = {"holes": given.holes, "inpaint": inpainter_of(given.inpaint) if given.inpaint else None}
    how["moving"] = moving_masks(shot.method, given, shot.scene, moves)
    for item in rehearse(shot.scene, shot.path, given.out, exposure=exposure, **how):
        if isinstance(item, Progress):
            _print_progress(item)
        else:
            print(item.summary, item.video, sep="\n")
    return 0


def _curate(given: argparse.Namespace) -> int:
    from pipelines.methods.genxd.curation.camvid import curate_video, describe_entry
    from pipelines.methods.genxd.settings import CurationSettings

    settings = read_settings(CurationSettings, given, "curation")
    for item in curate_video(given.video, given.folder, settings, mask_folder=given.mask_folder):  # type: ignore[arg-type]
        if isinstance(item, str):
            print(item, file=sys.stderr)
        else:
            print(f"{given.folder}: {describe_entry(item)}")
    return 0


def _bench(given: argparse.Namespace) -> int:
    from pipelines.cli.bench import bench

    return bench(given)


def _calibrate(given: argparse.Namespace) -> int:
    from pipelines.cli.bench import calibrate

    return calibrate(given)


def _scene_files(given: argparse.Namespace) -> int:
    from pipelines.cli.scene import make

    print(*make(given, _print_progress), sep="\n")
    return 0


def _pack(given: argparse.Namespace) -> int:
    from pipelines.pack.command import run

    print(run(given, _print_progress))
    return 0


def _export(given: argparse.Namespace) -> int:
    from pipelines.pack.command import export

    print(export(given))
    return 0


def _convert(given: argparse.Namespace) -> int:
    from pipelines.cli.convert import convert

    print(convert(given))
    return 0


def _evaluate(given: argparse.Namespace) -> int:
    from pipelines.cli.evaluation.command import evaluate

    return evaluate(given, main)


def _compile(given: argparse.Namespace) -> int:
    from pipelines.cli.bench import compile_ahead

    return compile_ahead(given)


def _doctor(given: argparse.Namespace) -> int:
    from pipelines.cli.doctor import examine

    return examine(given.methods or offered_methods(NAMES))


def _list(given: argparse.Namespace) -> int:
    known = registry.records(offered_methods(NAMES))
    if given.markdown:
        print(table(known))
        return 0
    ours, also = ([one for one in known if (one.name in registry.FIVE) is five] for five in (True, False))
    print("\n\n".join([*map(_describe, ours), *(["Also:"] if also else []), *map(_describe, also)]))
    return 0


def table(known: list[Method]) -> str:
    """The README's table of methods."""
    lines = ["| method | what it does | camera input | weights |", "| --- | --- | --- | --- |"]
    for one in known:
        licences = ", ".join(dict.fromkeys(f"{licence.part} {licence.name}" for licence in one.licences))
        title = f"[{one.title}]({one.paper})" if one.paper else one.title
        size = sum(checkpoint.gigabytes for checkpoint in one.checkpoints)
        lines.append(f"| {title} | {one.summary} | {one.camera_use} | {size:.0f} GB; {licences} |")
    return "\n".join(lines)


def _describe(known: Method) -> str:
    lines = [f"{known.name}: {known.title}", f"  {known.summary}", f"  Camera: {known.camera_use}"]
    lines += [f"  Weights: {checkpoint.repo} ({checkpoint.gigabytes:g} GB)" for checkpoint in known.checkpoints]
    lines += [
        f"  {group}: " + ", ".join(f"{name}={str(default)[:30]!r}" for name, default in kind.defaults().items())
        for group, kind in (("Moves", known.moves), ("Settings", known.settings))
    ]
    return "\n".join(lines)


def _print_progress(progress: Progress) -> None:
    count = f" {progress.step}/{progress.steps}" if progress.steps > 1 else ""
    left = f", {progress.seconds_left:.0f} s left" if progress.seconds_left else ""
    note = f" ({progress.note})" if progress.note else ""
    print(f"{progress.phase}{count}{left}{note}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
