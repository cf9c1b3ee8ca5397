"""Compares the page's static picture with `camera.render`: every example, twelve moves, in software WebGL.

python -m bench agreement          # takes minutes; with --quick one example and three moves
"""

from __future__ import annotations

import time

import numpy as np

from bench import Row, Scale, long_subject
from bench.browser.chromium import chromium
from bench.browser.drawn import Drawn
from camera.path import CameraPath
from camera.render.scene import render
from camera.trajectories import film_script
from camera.view import Scene
from examples import EXAMPLES, load
from pipelines.media.image_metrics import psnr

MOVES = (
    "arc 20", "arc 30 ease", "truck 0.3", "pedestal 0.15", "dolly 0.3", "pan 20", "tilt 10", "roll 10", "zoom 1.5",
    "arc -20 + pedestal 0.1", "dolly 0.25 + pan 10", "truck 0.2 + roll 5",
)  # fmt: skip
SIZE, FRAMES, CHECKED_FRAMES = (640, 352), 121, (40, 80)
HOLE = (255, 0, 255)
LEAST_DB, MOST_APART = 40.0, 0.005
"""Limits for every picture: PSNR over pixels that both draw, and the share of pixels that are a hole in only one."""


@long_subject
def agreement(scale: Scale) -> list[Row]:
    quick = scale.height < 400
    names = [example.name for example in EXAMPLES][: 1 if quick else None]
    moves = MOVES[: 3 if quick else None]
    rows = []
    with chromium() as browser:
        for name in names:
            scene = load(name).fitted(*SIZE, "stretch")
            page = browser.new_page()
            rows.append(_row(name, Drawn(page, scene, FRAMES), scene, moves))
            page.close()
    return rows


def _row(name: str, drawn: Drawn, scene: Scene, moves: tuple[str, ...]) -> Row:
    """A row; the times include both renderers and reading the picture back from the browser."""
    results, began = [], time.perf_counter()
    for move in moves:
        path = film_script.path_of(move, scene.first, frames=FRAMES)
        results += [(*compare(drawn, scene, path, frame), f"{move}, frame {frame}") for frame in CHECKED_FRAMES]
    milliseconds = 1e3 * (time.perf_counter() - began) / len(results)
    quality, apart = np.array([each[:2] for each in results]).T
    words = (
        f"{quality.min():.2f} dB at least ({results[quality.argmin()][2]}), {np.median(quality):.1f} in the median; "
        f"holes apart {apart.max():.2%} at most"
    )
    met = bool(quality.min() >= LEAST_DB and apart.max() <= MOST_APART)
    return Row(f"page and renderer: {name}", milliseconds, None, words, ">= 40 dB, <= 0.5 %", met)


def compare(drawn: Drawn, scene: Scene, path: CameraPath, frame: int, **options) -> tuple[float, float]:
    """PSNR in dB over pixels that both draw, and the share of pixels that only one of them draws."""
    truth = render(scene, path, frame=frame, hole_colour=HOLE)
    ours = drawn.frame(path, frame, hole=[1, 0, 1], **options)
    holes = (ours == HOLE).all(axis=-1)
    return psnr(ours, truth.colour, ~holes & ~truth.holes), float((holes != truth.holes).mean())
