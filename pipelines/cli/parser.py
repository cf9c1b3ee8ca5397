"""The command line's parser, generated from the method records: every setting of a method is an option of its commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from pipelines import NAMES
from pipelines.cli.convert import add_options as add_convert
from pipelines.cli.evaluation.options import add_options as add_evaluation
from pipelines.cli.scene import add_options
from pipelines.environment import offered_methods
from pipelines.estimation.depth import MODELS
from pipelines.inputs.open import ACCEPTED
from pipelines.media.depth_map.meanings import MEANINGS
from pipelines.media.depth_map.read import KINDS
from pipelines.method import Method
from pipelines.methods.genxd.settings import CurationSettings
from pipelines.options import RunOptions
from pipelines.pack.command import add_export_options
from pipelines.pack.command import add_options as add_pack
from pipelines.project.look import Look
from pipelines.registry import records
from pipelines.rehearsal import Holes
from pipelines.settings import Control, Settings
from pipelines.splats.formats.axes import UPS

GUESS = "guess"
OBJECT_FILES = (
    "objects instead of the project's: models (GLB, OBJ, PLY), a zip of objects, or a JSON list of objects "
    '[{"file": "fox.glb", "animation": "walk", "keys": [{"at": 0, "right": -0.5}, {"at": 1, "right": 0.5}]}]'
)


def parser() -> argparse.ArgumentParser:
    """All commands."""
    prog = "reshoot" if Path(sys.argv[0]).stem == "reshoot" else "python -m pipelines"
    top = argparse.ArgumentParser(prog=prog, description="Draw a camera move, rehearse it, shoot it.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in (
        ("run", "shoot a path with a method"),
        ("preview", "rehearse a path over the scene, no weights"),
    ):
        methods = commands.add_parser(name, help=help).add_subparsers(dest="method", required=True, metavar="METHOD")
        for known in records(offered_methods(NAMES)):
            _add_shot(methods.add_parser(known.name, help=known.summary, description=known.camera_use), known, name)
    _add_curate(
        commands.add_parser("curate", help="make an entry of CamVid-30K from a video: cameras and motion strength")
    )
    bench = commands.add_parser("bench", help="measure time and peak memory of a run, phase by phase")
    _add_made_up_shot(bench)
    _add_bench(bench)
    calibrate = commands.add_parser("calibrate", help="measure the ratios that the step cache MagCache needs")
    _add_made_up_shot(calibrate)
    ahead = commands.add_parser(
        "compile", help="compile blocks ahead of time for ZeroGPU, for one size and number of frames"
    )
    _add_made_up_shot(ahead)
    scene = commands.add_parser(
        "scene", help="reconstruct points, a mesh, and COLMAP and nerfstudio folders from a video"
    )
    add_options(scene)
    add_pack(
        commands.add_parser(
            "pack", help="export colour, holes, depth, normals, flow, tracks and cameras of a move as one zip"
        )
    )
    add_export_options(
        commands.add_parser("export", help="export the surface of a scene and its animated camera as USD, glTF or HTML")
    )
    add_convert(
        commands.add_parser(
            "convert", help="convert a splat file to another format, or to one HTML page that plays a path"
        )
    )
    scoring = commands.add_parser("evaluate", help="score results against their moves with published metrics")
    add_evaluation(scoring)
    doctor = commands.add_parser(
        "doctor", help="check hub, access, disk, GPU and versions; exit status 1 if a check fails"
    )
    doctor.add_argument("methods", nargs="*", choices=[[], *offered_methods(NAMES)], default=[], metavar="METHOD")
    listing = commands.add_parser("list", help="list the methods and their settings")
    listing.add_argument("--markdown", action="store_true", help="print the README's table")
    return top


def read_settings(
    kind: type[Settings], given: argparse.Namespace, prefix: str, *, over: Settings | None = None
) -> Settings:
    """Settings of ``kind`` from the parsed options; others come from ``over``, or are the defaults."""
    return kind.of({**(over.values() if over else {}), **given_settings(kind, given, prefix)})


def given_settings(kind: type[Settings], given: argparse.Namespace, prefix: str) -> dict[str, Any]:
    """The settings that were given on the command line, by name."""
    found = {name: getattr(given, f"{prefix}.{name}", None) for name in kind.controls()}
    return {name: value for name, value in found.items() if value is not None}


def _add_shot(command: argparse.ArgumentParser, known: Method, name: str) -> None:
    command.set_defaults(name=known.name)
    extends = name == "run" and known.goes_on is not None
    given = add_scene(command, known, required=not extends)
    if name == "run":
        given.add_argument(
            "--batch", type=Path, metavar="LIST",
            help="shots as JSON lines, each with visual_input (a picture, clip or views), prompt, and other moves and settings "
            "that differ; --out is then a folder",
        )  # fmt: skip
    command.add_argument(
        "--path",
        type=Path,
        help="path file, a result of Reshoot, or any other video, whose move is measured and scaled to this scene's subject; "
        "replaces the moves",
    )
    command.add_argument(
        "--path-smooth",
        type=float,
        default=0.0,
        metavar="FRAMES",
        help="smooth a borrowed move over this many frames",
    )
    command.add_argument(
        "--convention",
        default="",
        metavar="NAME",
        help="how raw matrices of a path file are read: c2w-opencv, w2c-opencv, c2w-opengl, w2c-opengl, each also with "
        "-transposed; by default the most likely one is used and reported",
    )
    command.add_argument(
        "--path-scale",
        default="keep",
        metavar="SCALE",
        help="keep, subject (scale so that the path's target is as far away as the scene's subject), or a factor such as 0.01",
    )
    command.add_argument(
        "--path-as-given",
        action="store_true",
        help="the path's cameras are in the scene's world: they are neither moved nor resampled",
    )
    if extends:
        command.add_argument(
            "--after",
            type=Path,
            help="a result of Reshoot to continue by one chunk along the move; its picture is read from it if embedded",
        )
    command.add_argument("--out", type=Path, required=True, help="the mp4 to write")
    add_settings(command.add_argument_group("moves"), known.moves, "moves", used_names=())
    if name == "run":
        used_names = known.moves.controls()
        add_settings(command.add_argument_group("settings"), known.settings, "settings", used_names=used_names)
        used_names = {**used_names, **known.settings.controls()}
        add_settings(command.add_argument_group("machine"), RunOptions, "options", used_names=used_names)
    else:
        holes = command.add_argument_group("holes")
        _add_holes(holes)
        holes.add_argument(
            "--moving", type=Path, nargs="+", metavar="FILE",
            help="with --holes remembered: masks of moving parts, bright on them: a video, a zip of pictures, or a picture per frame",
        )  # fmt: skip
        add_settings(command.add_argument_group("look"), Look, "look", used_names=known.moves.controls())


def _add_holes(group: Any) -> None:
    group.add_argument(
        "--holes", choices=get_args(Holes), default="filled",
        help="how holes are shown: filled in every frame, completed once for the whole move, remembered from other "
        "times of a clip, shown in pink, or a map",
    )  # fmt: skip
    group.add_argument(
        "--inpaint", type=Path, metavar="MODEL",
        help="your own model for --holes completed: an ONNX file, such as LaMa's, or the folder of a diffusers inpainting "
        "pipeline",
    )  # fmt: skip


def add_scene(command: argparse.ArgumentParser, known: Method, *, required: bool = True) -> Any:
    """Add the options from which `pipelines.cli.shot` makes a scene; returns the group of mutually exclusive inputs."""
    source = command.add_argument_group("scene")
    given = source.add_mutually_exclusive_group(required=required)
    given.add_argument("--image", type=Path, help="picture")
    if known.blank is not None:
        given.add_argument("--no-picture", action="store_true", help="generate from the prompt alone")
    given.add_argument("--files", type=Path, nargs="+", metavar="FILE", help=ACCEPTED)
    beside = ", or that is beside a result with objects" if known.projects else ""
    given.add_argument(
        "--project", type=Path, help=f"project saved by the page{beside}; options on the command line override it"
    )
    if known.projects:
        given.add_argument("--empty-stage", action="store_true", help="no picture: an empty floor for objects")
        source.add_argument("--objects", type=Path, nargs="+", metavar="FILE", help=OBJECT_FILES)
    source.add_argument(
        "--given-views", type=int, default=0, metavar="N",
        help="use only N of the posed pictures as input; the cameras of the others become the path",
    )  # fmt: skip
    source.add_argument(
        "--begin-at", type=int, default=0, metavar="N", help="first frame of a clip to use, counted from 0"
    )
    source.add_argument(
        "--steady-depth",
        action="store_true",
        help="bring the depth of a clip's frames to one scale and smooth it over time; reports the residual",
    )
    source.add_argument(
        "--depth-report",
        type=Path,
        metavar="CSV",
        help="with --steady-depth: scale, offset and residuals of every frame as a table",
    )
    source.add_argument(
        "--second-capture", type=Path, nargs="+", metavar="FILE",
        help="a second capture of the same place, as --files; it is registered and fills areas that the first does not show",
    )  # fmt: skip
    source.add_argument("--up", choices=UPS, default="auto", help="the up axis of a file of splats")
    source.add_argument("--depth", type=Path, help=f"depth map of the picture: {KINDS}")
    source.add_argument(
        "--depth-meaning", choices=MEANINGS, default="distance", help="meaning of the depth map's values"
    )
    source.add_argument(
        "--depth-scale", type=float, default=1.0, help="factor for the depth map's values; 0.001 for millimetres"
    )
    source.add_argument(
        "--depth-model",
        choices=(*MODELS, GUESS),
        default="small",
        help="depth model used without a depth map; guess needs no weights",
    )
    source.add_argument("--fov", type=float, help="horizontal field of view in degrees")
    return given


def _add_curate(command: argparse.ArgumentParser) -> None:
    command.add_argument("video", type=Path)
    command.add_argument("folder", type=Path, help="folder to write the entry to; must not exist")
    command.add_argument(
        "--mask-folder", type=Path, help="folder with one PNG per frame used, white where something might move"
    )
    add_settings(command, CurationSettings, "curation", used_names=())


def _add_made_up_shot(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "method", choices=offered_methods(NAMES), metavar="METHOD", help=", ".join(offered_methods(NAMES))
    )
    command.add_argument("--steps", type=int, help="fewer steps than the method's default")
    command.add_argument("--frames", type=int, help="fewer frames than the method's default")
    command.add_argument("--size", help="WIDTHxHEIGHT instead of the method's default")
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a move or setting; may be repeated"
    )
    add_settings(command.add_argument_group("machine"), RunOptions, "options", used_names=("steps", "frames", "size"))


def _add_bench(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="measure again with this option (such as cache=first block) and print the difference in time and picture",
    )
    command.add_argument("--out", type=Path, help="also append the table to this Markdown file")


def add_settings(
    group: Any, kind: type[Settings], prefix: str, *, used_names: Iterable[str], only: Iterable[str] | None = None
) -> None:
    """Add an option for every setting of ``kind``, or ``only`` for these; names in ``used_names`` get the prefix."""
    for declared in fields(kind):
        if only is not None and declared.name not in only:
            continue
        control: Control = declared.metadata["control"]
        option = declared.name if declared.name not in used_names else f"{prefix}_{declared.name}"
        _add_option(group, f"--{option.replace('_', '-')}", f"{prefix}.{declared.name}", control, declared.default)


def _add_option(group: Any, flag: str, destination: str, control: Control, default: Any) -> None:
    help = ". ".join(
        part.rstrip(".") for part in (control.label, control.help, _range_text(control), _default_text(default)) if part
    )
    common = {"dest": destination, "default": None, "help": help.replace("%", "%%")}
    if isinstance(default, bool):
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
    elif control.choices:
        group.add_argument(flag, choices=control.choices, metavar=flag.strip("-").upper(), **common)
    else:
        group.add_argument(flag, type=type(default), metavar="TEXT" if isinstance(default, str) else "N", **common)


def _range_text(control: Control) -> str:
    if control.choices:
        return "One of " + ", ".join(control.choices)
    if control.minimum is None or control.maximum is None:
        return ""
    return f"{control.minimum:g} to {control.maximum:g}"


def _default_text(default: Any) -> str:
    text = str(default)
    return f"Default {text if len(text) <= 40 else text[:37] + '...'}" if text else ""
