"""The options of `python -m pipelines evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    command.add_argument("results", type=Path, nargs="*", metavar="RESULTS", help="mp4 files, or folders of them")
    command.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder for the tables. Default evaluation"
    )
    command.add_argument("--path", type=Path, help="requested path, for videos without an embedded one and for --poses")
    command.add_argument(
        "--poses", type=Path, metavar="FILE", help="achieved cameras estimated elsewhere, in any path format"
    )
    command.add_argument(
        "--model",
        default="",
        metavar="MODULE:FUNCTION",
        help="function that estimates cameras instead of structure from motion",
    )
    command.add_argument("--matrix", type=Path, metavar="FILE", help="JSON of methods, moves and seeds to shoot first")
    command.add_argument(
        "--truth",
        type=Path,
        metavar="VIDEO",
        help="ground truth frames, or a folder of videos named as the results, for PSNR and SSIM",
    )
    command.add_argument(
        "--lpips",
        type=Path,
        metavar="WEIGHTS",
        help="folder with torchvision's AlexNet or VGG-16 weights and the heads of the package lpips: LPIPS against true frames",
    )
    command.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="RealEstate10K, DL3DV or CamVid-30K in its published layout: results named after its clips get their true frames and cameras",
    )
