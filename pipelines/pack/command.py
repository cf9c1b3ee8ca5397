"""``python -m pipelines pack SCENE MOVE -o pack.zip``: the control pack on the command line, with a preflight for other models; and
``export SCENE MOVE -o scene.usdc``: scene and camera in one file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Progress
from pipelines.pack.scene_file import KINDS, scene_file
from pipelines.pack.targets import TARGETS, describe_targets, preflight
from pipelines.splats.formats.axes import UPS


def add_options(command: argparse.ArgumentParser) -> None:
    _add_scene_and_move(command, "the zip to write")
    command.add_argument(
        "--target",
        choices=tuple(TARGETS),
        help="check the move for this model: print what is lost, refuse what is impossible",
    )


def add_export_options(command: argparse.ArgumentParser) -> None:
    _add_scene_and_move(command, f"the file to write: {', '.join(KINDS)}")


def _add_scene_and_move(command: argparse.ArgumentParser, out: str) -> None:
    command.add_argument("scene", type=Path, help="a picture, clip, zip of views, or file of splats")
    command.add_argument("move", help="a film line such as 'arc 20 ease', or a camera file")
    command.add_argument("-o", "--out", type=Path, required=True, help=out)
    command.add_argument("--frames", type=int, default=81, help="number of frames of a film line")
    command.add_argument("--fps", type=float, default=16.0, help="frame rate of a film line")
    command.add_argument("--size", default="832x480", help="WIDTHxHEIGHT; the scene is cropped to it")
    command.add_argument(
        "--depth",
        default="depth-anything-v2-small",
        help="depth of a picture: a depth map, a depth model's name, or guess",
    )
    command.add_argument("--up", choices=UPS, default="auto", help="the up axis of a splat file")


def run(given: argparse.Namespace, say: Callable[[Progress], None]) -> Path:
    """Write the pack and return it; raises `InputError`."""
    from pipelines.pack.make import pack

    scene, path = _scene_and_path(given)
    if given.target:
        found = preflight(given.target, scene, path)
        if found.refusal:
            raise InputError(found.sentence().replace("**", ""))
        print(found.sentence().replace("**", ""), file=sys.stderr)
    steps = pack(scene, path, given.out, targets=describe_targets(scene, path))
    while True:
        try:
            say(next(steps))
        except StopIteration as end:
            return end.value


def export(given: argparse.Namespace) -> Path:
    """Write scene and camera as one file and return it; raises `InputError`."""
    return scene_file(*_scene_and_path(given), given.out)


def _scene_and_path(given: argparse.Namespace) -> tuple[Scene, CameraPath]:
    width, height = _size(given.size)
    scene = _scene(given).fitted(width, height)
    return scene, _path(given, scene, width, height)


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdigit() and int(side) >= 16 for side in sides):
        raise InputError(f"A size is WIDTHxHEIGHT of at least 16 pixels, such as 832x480; got {text!r}.")
    return int(sides[0]), int(sides[1])


def _scene(given: argparse.Namespace) -> Scene:
    from pipelines.api import open_picture
    from pipelines.inputs.open import read_material
    from pipelines.inputs.posed_files import is_picture

    if not given.scene.exists():
        raise InputError(f"There is no file {given.scene}.")
    if given.scene.is_file() and is_picture(given.scene):
        return open_picture(given.scene, given.depth)
    material = read_material([given.scene], up=given.up)
    print(material.note, file=sys.stderr)
    return material.scene


def _path(given: argparse.Namespace, scene: Scene, width: int, height: int) -> CameraPath:
    """A camera file if the move names one, in the scene's frame and from its first camera; otherwise a film line."""
    from camera import film_path, formats
    from camera.formats.account import Account

    file = Path(given.move)
    if not file.is_file():
        return film_path(given.move, scene, frames=given.frames, fps=given.fps)
    account = Account(file.name)
    path = formats.read(file.name, file.read_bytes(), like=scene.first.camera, account=account)
    print(*account.notes(), sep="\n", end="\n" * bool(account.notes()), file=sys.stderr)
    return path.fitted(width, height).moved_to(scene.first.world_from_camera)
