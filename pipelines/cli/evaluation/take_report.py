"""Did a shot follow its move? Measures the camera of videos, describes it, and stores the report in each mp4 and beside it.

    python -m pipelines.cli.evaluation.take_report shot.mp4 [more.mp4 ...] [--path requested.json]

A result of Reshoot contains its path; for other videos add --path, in any format of path files.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camera.errors import InputError
from camera.formats import read
from pipelines.results.take_report import measure_video, save_report


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something could not be measured; a message says what."""
    parser = argparse.ArgumentParser(
        "python -m pipelines.cli.evaluation.take_report", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--path", type=Path, help="requested path; default: the one embedded in a result of Reshoot")
    parser.add_argument(
        "--free-lens", action="store_true", help="estimate the focal length instead of using the requested one"
    )
    parser.add_argument("--out", type=Path, help="also write the report of a single video here, as JSON")
    asked = parser.parse_args(arguments)
    refused = False
    for video in asked.videos:
        try:
            requested = None if asked.path is None else read(asked.path.name, asked.path.read_bytes())
            made = measure_video(video, requested, free_lens=asked.free_lens)
            sidecar = save_report(video, made)
            if asked.out is not None:
                asked.out.write_bytes(sidecar.read_bytes())
            print(f"{video}: {made.verdict}. {' '.join(made.words)}")
        except (InputError, OSError) as error:
            print(f"{video.name}: {error}", file=sys.stderr)
            refused = True
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
