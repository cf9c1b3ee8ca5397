"""``python -m pipelines convert``: write a splat file or a project's splats in another format, or as an HTML page with a path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.splats.formats import NAMES, encode, read
from pipelines.splats.formats.axes import UPS, Up
from pipelines.splats.splats import Splats


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "splats",
        type=Path,
        help="a file of Gaussian splats: .ply, .splat, SPZ, SOG or glTF; or a project that the page saved, with its edits",
    )
    command.add_argument("out", type=Path, help=f"the file to write: .html, or .{', .'.join(NAMES)}")
    command.add_argument("--up", choices=UPS, default="auto", help="the file's axis that points up")
    command.add_argument(
        "--path", type=Path, help="camera file to play in an .html; default: one camera in front of the scene"
    )


def convert(given: argparse.Namespace) -> Path:
    """Write the file and return it; raises `InputError`."""
    from pipelines.media.video import complete

    if not given.splats.is_file():
        raise InputError(f"There is no file of splats {given.splats}.")
    splats, words, camera = _read(given.splats, given.up)
    print(f"{len(splats):,} Gaussians. {words}", file=sys.stderr)
    if given.out.suffix.lower() == ".html":
        from pipelines.viewer.page import page_of_splats

        content = page_of_splats(splats, _path(given, camera), title=given.splats.stem)
    else:
        kinds = [kind for kind in NAMES if given.out.name.lower().endswith(f".{kind}")]
        if not kinds:
            raise InputError(f"{given.out.name} should end in .html, .{', .'.join(NAMES)}.")
        content = encode(splats, max(kinds, key=len))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with complete(given.out) as part:
        part.write_bytes(content)
    return given.out


def _read(file: Path, up: Up) -> tuple[Splats, str, CameraPath | None]:
    """The splats, a sentence on their axes, and the camera of a project's scene."""
    if file.suffix.lower() != ".zip":
        return *read(file.read_bytes(), file.name, up=up), None
    from pipelines.project.file import read_project
    from pipelines.splats.scene import SplatScene

    scene = read_project(file).scene
    if not isinstance(scene, SplatScene):
        raise InputError(f"The scene of {file.name} is not made of splats; export it with its camera instead.")
    if up != "auto":
        raise InputError("A project says where up is; leave --up away.")
    return scene.splats, f"The scene is {scene.source}.", scene.first.camera


def _path(given: argparse.Namespace, camera: CameraPath | None) -> CameraPath:
    """The path to play, in the world of the splats; ``camera``: where they are seen from, if that is known."""
    from camera import formats
    from camera.formats.account import Account
    from pipelines.splats.scene import open_splats

    camera = camera or open_splats(given.splats, up=given.up)[0].first.camera
    if given.path is None:
        return camera
    if not given.path.is_file():
        raise InputError(f"There is no path file {given.path}.")
    account = Account(given.path.name)
    path = formats.read(given.path.name, given.path.read_bytes(), like=camera, account=account)
    print(*account.notes(), sep="\n", end="\n" * bool(account.notes()), file=sys.stderr)
    return path
