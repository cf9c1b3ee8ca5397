"""Draws the eight readings of raw matrices, the most likely first, so that a convention can be chosen by eye.

    python -m pipelines.cli.readings poses.npy readings.svg

The file is a .npy of (F,4,4) or (F,3,4), a JSON list of such matrices, or text with one per line. ``run METHOD --path FILE --convention NAME`` uses the chosen reading.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from camera.errors import InputError
from camera.figure.readings import draw_readings, rank_readings
from camera.formats.research.matrices import choose_reading
from pipelines.media.video import complete


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m pipelines.cli.readings", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("file", type=Path, help="matrices as .npy, .json or .txt")
    parser.add_argument("out", type=Path, help="an .svg picture")
    asked = parser.parse_args(arguments)
    try:
        if not asked.file.is_file():
            raise InputError(f"There is no file {asked.file}.")
        matrices, *others = choose_reading(asked.file.read_bytes(), asked.file.name)
        found = rank_readings(matrices, asked.file.name, (others[0], others[1]))
        with complete(asked.out) as part:
            part.write_text(draw_readings(found), encoding="utf-8")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Likeliest: {found[0].convention}, because {found[0].reason}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
