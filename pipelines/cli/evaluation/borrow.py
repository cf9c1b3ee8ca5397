"""Borrow the camera move of a clip: its camera as a path with the fewest keys within a tolerance, scaled to your scene.

    python -m pipelines.cli.evaluation.borrow clip.mp4 --out path.json [--subject 2.5] [--smooth 4]

Every method accepts the path file (`run METHOD --path path.json`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camera.errors import InputError
from camera.evaluation.borrow import Tolerance, borrow_keys, scale_to_subject, smooth_path
from camera.formats.reshoot import write
from pipelines.media.video import complete


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Exit status: 0 done, 1 refused, with a message."""
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.evaluation.borrow", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the path file to write")
    parser.add_argument("--degrees", type=float, default=Tolerance.degrees, help="tolerance of rotation in degrees")
    parser.add_argument(
        "--share", type=float, default=Tolerance.share, help="tolerance of position, as a share of the path length"
    )
    parser.add_argument(
        "--smooth", type=float, default=0.0, metavar="FRAMES", help="smooth over about this many frames"
    )
    parser.add_argument(
        "--subject", type=float, help="distance to your scene's subject; by default the clip's own unit"
    )
    parser.add_argument("--fov", type=float, help="the clip's horizontal field of view in degrees, if known")
    asked = parser.parse_args(arguments)
    try:
        _borrow(asked)
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _borrow(asked: argparse.Namespace) -> None:
    from camera.path import pinhole
    from pipelines.estimation.recovery.follow import clip_of_video
    from pipelines.estimation.recovery.recover import recover

    clip = clip_of_video(asked.video)
    focal = None if asked.fov is None else float(pinhole(clip.width, clip.height, asked.fov)[0, 0])
    found = recover(clip, focal_px=focal)
    made = borrow_keys(smooth_path(found.path.relative_to_first(), asked.smooth), Tolerance(asked.degrees, asked.share))
    path = made.path
    if asked.subject is not None and found.distance > 0:
        path = scale_to_subject(path, asked.subject, found.distance)
    with complete(asked.out) as part:
        part.write_bytes(write(path))
    print(found.words, made.words, str(asked.out), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
