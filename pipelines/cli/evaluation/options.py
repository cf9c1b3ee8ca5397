"""The options of `python -m pipelines evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `evaluate`."""
    command.add_argument("results", type=Path, nargs="*", metavar="RESULTS", help="folders and mp4s")
    command.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder for the tables. Default evaluation"
    )
    command.add_argument("--path", type=Path, help="requested path, for videos that carry none, or for --poses")
    command.add_argument(
        "--poses", type=Path, metavar="FILE", help="achieved cameras that others estimated, in any path format"
    )
    command.add_argument(
        "--model", default="", metavar="MODULE:FUNCTION", help="estimates cameras in place of structure from motion"
    )
    command.add_argument(
        "--matrix", type=Path, metavar="FILE", help="JSON of methods, moves and seeds, which are shot first"
    )
    command.add_argument(
        "--truth",
        type=Path,
        metavar="VIDEO",
        help="true frames, or a folder of videos by the results' names: PSNR and SSIM",
    )
