"""Scenes drawn by the page compared with `camera.render`, in a real browser."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from bench.browser.agreement import HOLE, compare
from bench.browser.drawn import Drawn
from camera.render.exposure import Exposure
from camera.render.scene import render
from camera.trajectories import film_script
from examples import load
from pipelines.media.image_metrics import psnr
from tabs.browser import stage

SIZE = (320, 180)


@pytest.fixture(scope="module")
def drawn(chromium):
    """``drawn(scene)``: the scene in its own page."""
    context = chromium.new_context()
    yield lambda scene: Drawn(context.new_page(), scene)
    context.close()


@pytest.mark.parametrize("name", ["mountain_lake", "street_at_dusk", "toy_train", "courtyard"])
def test_the_page_draws_what_the_renderer_draws(drawn, name):
    """A picture with sky and thin wires, a clip, several views."""
    scene = load(name).fitted(*SIZE, "stretch")
    shown = drawn(scene)
    for move, frame in (("arc 20", 0), ("arc 20", 8), ("truck 0.2 + roll 5", 16)):
        path = film_script.path_of(move, scene.first, frames=17)
        quality, apart = compare(shown, scene, path, frame)
        assert quality > 36 and apart < 0.006, (move, frame, quality, apart)
    coarse, _ = compare(shown, scene, path, 16, detail=4)
    assert 24 < coarse < quality - 1  # fewer triangles, still the same scene


def test_more_pictures_of_the_place_are_drawn_in_holes_only(drawn):
    """Two pictures of a different size, the nearest first, show what the clip's first frame hides; then an exposure of several cameras."""
    train = load("toy_train").fitted(*SIZE, "stretch")
    more = tuple(train.views[number].resized(256, 144) for number in (40, 24))
    alone = replace(train, views=train.views[:1], kind="still")
    scene = replace(alone, others=more)
    path = film_script.path_of("arc 30", scene.first, frames=9)
    shown = drawn(scene)
    quality, apart = compare(shown, scene, path, 8)
    assert quality > 36 and apart < 0.006, (quality, apart)
    single, filled = render(alone, path, frame=8), render(scene, path, frame=8)
    assert filled.holes.mean() < 0.8 * single.holes.mean()
    ours = shown.frame(path, 8, filled=True, hole=[1, 0, 1])
    assert psnr(ours, filled.colour, single.holes & ~filled.holes) > 26 and not (ours == HOLE).all(axis=-1).any()


def test_holes_are_filled_from_behind(drawn):
    scene = load("reading_room").fitted(*SIZE, "stretch")
    path = film_script.path_of("truck 0.3", scene.first, frames=2)
    truth = render(scene, path, frame=1, fill="background")
    ours = drawn(scene).frame(path, 1, filled=True, hole=[1, 0, 1])
    assert truth.holes.mean() > 0.02 and not (ours == HOLE).all(axis=-1).any()
    off = np.abs(ours[truth.holes].astype(float) - truth.colour[truth.holes]).mean()
    black = truth.colour[truth.holes].mean()
    assert off < 0.35 * black


@pytest.mark.parametrize(
    "look", [{"f_stop": 1.0}, {"shutter_degrees": 360.0}, {"f_stop": 1.4, "shutter_degrees": 180.0}]
)
def test_lens_and_shutter_are_those_of_the_server(drawn, look):
    """Sharp pictures agree to about 40 dB here; averages agree better, and far better than with the sharp picture."""
    scene = load("reading_room").fitted(*SIZE, "stretch")
    path = film_script.path_of("truck 0.3 + roll 5", scene.first, frames=7)
    exposure = Exposure(0.6 * scene.first.focus_depth, point=(0.1, 0.2, 0.7 * scene.first.focus_depth), **look)
    count = exposure.count(path)
    asked = {"f_stop": 0, "shutter_degrees": 0, "distance": exposure.distance, "point": exposure.point, "count": count}
    truth = render(scene, path, frame=3, hole_colour=HOLE, exposure=exposure)
    sharp = render(scene, path, frame=3, hole_colour=HOLE)
    ours = drawn(scene).exposed(path, 3, asked | look, hole=[1, 0, 1])
    quality = psnr(ours, truth.colour)
    assert quality > 40 and quality > psnr(sharp.colour, truth.colour) + 10, (quality, psnr(sharp.colour, truth.colour))


def test_the_eye_shows_a_picture_at_once_and_through_the_lens_when_it_rests(chromium, tmp_path):
    """The sharp picture comes first, with its holes; then lens and shutter, until another picture is requested."""
    scene = load("still_life").fitted(160, 90, "stretch")
    path = film_script.path_of("truck 0.3", scene.first, frames=5)
    exposure = Exposure(0.5 * scene.first.focus_depth, f_stop=0.3)
    told = stage.viewfinder_value(path, scene, tmp_path.joinpath, exposure)
    context = chromium.new_context()
    page = Drawn(context.new_page(), scene).page
    page.evaluate(
        """async (sight) => {
          const { Eye } = await import("./eye.js");
          window.told = [];
          window.eye = new Eye(document.body.appendChild(document.createElement("canvas")), (one) => told.push(one));
          await eye.open({ ...sight, scene: "scene" });
          eye.show(eye.camera(2), 2);
        }""",
        told,
    )
    count = exposure.count(path)
    page.wait_for_function(f"told.at(-1)?.pictures === {count}")
    seen = page.evaluate("told")
    sharp = render(scene, path, frame=2)
    assert seen[0]["holes"] is None and [one["pictures"] for one in seen[-2:]] == [1, count]
    assert seen[-1]["holes"] == seen[-2]["holes"] == pytest.approx(sharp.holes.mean(), abs=0.006)
    text = page.evaluate("btoa(String.fromCharCode(...eye.painter.pixels()))")
    ours = np.frombuffer(base64.b64decode(text), np.uint8).reshape(90, 160, 4)[..., :3]
    hole = (235, 64, 122)
    wanted = render(scene, path, frame=2, hole_colour=hole, exposure=exposure)
    assert psnr(ours, wanted.colour) > 38 > psnr(ours, render(scene, path, frame=2, hole_colour=hole).colour) + 6
    page.evaluate(
        "eye.open({ ...eye.path, scene: 'scene', look: null, poses: told_poses, lenses: told_lenses })".replace(
            "told_poses", repr(told["poses"])
        ).replace("told_lenses", repr(told["lenses"]))
    )
    page.evaluate("told.length = 0, eye.show(eye.camera(3), 3)")
    page.wait_for_function("told.at(-1)?.holes !== null && told.length > 1")
    assert page.evaluate("told.every((one) => one.pictures === 1)")
    context.close()
