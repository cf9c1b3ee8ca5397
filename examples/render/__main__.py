"""The command line: make the files of the examples again, or render a scene along any camera path."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from camera.errors import InputError
from camera.formats import read
from camera.path import CameraPath
from examples.render.model import write_fox
from examples.render.picture import render, setting_of
from examples.render.scenes import SCENES, home
from examples.render.shots import SHOTS, make
from examples.store import FOLDER
from pipelines.media.video import complete, write_mp4


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.render", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"scenes, all by default: {', '.join(SCENES)}")
    parser.add_argument("--size", type=_size, default=(0, 0), metavar="WxH", help="picture size; each example's own")
    parser.add_argument("--path", type=Path, metavar="FILE", help="any camera file that Reshoot reads, in metres")
    parser.add_argument("--samples", type=int, default=0, help="rays across an uneven pixel; 1 is a draft")
    parser.add_argument("--out", type=Path, help="folder to write to; examples/ itself, or outputs/ with --path")
    options = parser.parse_args(arguments)
    try:
        for name in options.names or SCENES:
            setting_of(name)
            start = time.perf_counter()
            written = _along(name, options) if options.path else _example(name, options)
            print(f"{written} in {time.perf_counter() - start:.0f} s", flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _example(name: str, options: argparse.Namespace) -> Path:
    width, height = options.size
    folder = make(name, options.out or FOLDER, width=width, height=height, samples=options.samples)
    if name == "fox":
        write_fox(folder / "fox.glb")
    return folder


def _along(name: str, options: argparse.Namespace) -> Path:
    """Write an mp4 and the exact depth, float32 (F,H,W) metres with 0 for sky, of a scene along the path of a file."""
    like = home(setting_of(name), *(options.size if options.size[0] else (1280, 720)))
    path: CameraPath = read(options.path.name, options.path.read_bytes(), like=like)
    if options.size[0]:
        path = path.fitted(*options.size)
    clock = None if SHOTS[name].kind == "clip" else setting_of(name).seconds
    views = [render(name, path, frame, time=clock, samples=options.samples or 2) for frame in range(len(path))]
    folder = options.out or Path("outputs")
    folder.mkdir(parents=True, exist_ok=True)
    video = folder / f"{name}_{options.path.stem}.mp4"
    write_mp4(video, [view.colour for view in views], path.fps)
    with complete(video.with_suffix(".npz")) as part:
        np.savez_compressed(part, depth=np.stack([np.where(view.known, view.depth, 0) for view in views]))
    return video


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 1280x720")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
