"""Splats drawn by the page compared with the server's rasteriser, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from bench.browser.drawn import Drawn
from camera.path import CameraPath, pinhole
from camera.render.scene import render
from camera.trajectories import film_script
from pipelines.media.image_metrics import psnr
from pipelines.splats.scene import SplatScene, scene_of_splats
from pipelines.splats.splats import Splats
from tabs.browser import splat_file
from tabs.browser.scene_file import scene_file
from tabs.browser.stage import viewfinder_value

HOLE = (255, 0, 255)
WIDTH, HEIGHT = 320, 180


def cloud(count: int = 1200, harmonics: int = 16) -> Splats:
    """Stretched and rotated splats of all opacities in a box in front of the origin; colours depend on the direction."""
    random = np.random.default_rng(3)
    sh = random.normal(0, 0.12, (count, harmonics, 3))
    sh[:, 0] = random.uniform(-1.5, 1.5, (count, 3))
    return Splats(
        random.uniform((-2.4, -1.4, 2.5), (2.4, 1.4, 6.0), (count, 3)), random.normal(size=(count, 4)),
        random.uniform(np.log(0.02), np.log(0.25), (count, 3)), random.uniform(-3, 4, count), sh,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> SplatScene:
    camera = CameraPath(np.eye(4)[None], pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
    return scene_of_splats(cloud(), camera=camera)[0]


@pytest.fixture(scope="module")
def drawn(chromium, scene):
    context = chromium.new_context()
    yield Drawn(context.new_page(), scene)
    context.close()


@pytest.mark.parametrize(("move", "frame"), [("arc 20", 0), ("arc 20", 8), ("dolly 0.6 + roll 20", 8)])
def test_the_page_draws_splats_as_the_server_does(drawn, scene, move, frame):
    path = film_script.path_of(move, scene.first, frames=9)
    truth = render(scene, path, frame=frame, hole_colour=HOLE)
    ours = drawn.frame(path, frame, hole=[1, 0, 1])
    holes = (ours == HOLE).all(axis=-1)
    both = ~holes & ~truth.holes
    quality, apart = psnr(ours, truth.colour, both), float((holes != truth.holes).mean())
    assert both.mean() > 0.5 and quality > 45 and apart < 0.004, (quality, apart)


def test_while_it_moves_the_order_of_a_camera_close_by_will_do_and_at_rest_it_is_exact(drawn, scene):
    path = film_script.path_of("arc 20", scene.first, frames=121)
    drawn.frame(path, 60, hole=[1, 0, 1])
    near, whole = (drawn.frame(path, 61, hole=[1, 0, 1], detail=detail, exact=False) for detail in (1, 0))
    sorts = drawn.page.evaluate("painter.splats.sorted.shown")
    assert sorts == len(scene.splats), "all of them at rest"
    assert 24 < psnr(near, whole) < 60
    assert (drawn.frame(path, 61, hole=[1, 0, 1]) == whole).all()


def test_every_splat_is_sent_once_and_what_is_left_out_is_said(scene, tmp_path, monkeypatch):
    path = film_script.path_of("arc 20", scene.first, frames=3)
    assert viewfinder_value(path, scene, tmp_path.joinpath)["stands_for"] == ""
    assert scene_file(scene) is scene_file(scene)
    assert len(scene_file(scene)) < 1200 * (28 + 6 * 16) + 2000
    monkeypatch.setattr(splat_file, "MOST_BYTES", 1200 * (28 + 6 * 4))
    assert splat_file.choose_detail(1200, 16) == (1200, 4) and "fewer harmonics" in splat_file.describe_loss(
        scene.splats
    )
    monkeypatch.setattr(splat_file, "MOST_BYTES", 600 * 34)
    assert splat_file.choose_detail(1200, 16) == (600, 1)
    assert "the 600 most visible of 1,200 splats" in viewfinder_value(path, scene, tmp_path.joinpath)["stands_for"]
    parts: list[bytes] = []
    facts = splat_file.pack_splats(scene.splats, lambda data: (parts.append(data), (0, len(data)))[1])
    assert facts["count"] == 600
    sent = np.frombuffer(parts[3], "<u2") / 65535 * np.exp(2 * np.sort(sizes(facts, parts), axis=1)[:, 1:].mean(axis=1))
    assert (np.diff(sent) < 1e-4).all(), "those that show most come first"


def sizes(facts: dict, parts: list[bytes]) -> np.ndarray:
    step = (facts["high"] - facts["low"]) / 65535
    return np.frombuffer(parts[1], "<u2").reshape(-1, 3) * step + facts["low"]
