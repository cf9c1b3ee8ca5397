"""The single HTML file in Chromium, opened as a file and offline: it requests nothing, reports no errors, and draws what we draw."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import trimesh

from bench.browser.chromium import FLAGS, find_chromium
from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.point_discs import Dots
from camera.render.triangles import draw
from camera.rotation import from_pan_tilt_roll
from pipelines.reconstruct.surface.texture import surface_of
from pipelines.splats.drawing import render_path
from pipelines.splats.splats import Splats
from pipelines.viewer import page
from tests.tabs.conftest import ALONE

WIDTH, HEIGHT, FRAMES = 160, 96, 5


@pytest.fixture(scope="module")
def browser(playwright):
    opened = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS, *ALONE])
    yield opened
    opened.close()


@pytest.fixture
def path() -> CameraPath:
    """A path that slides and turns, with an off-centre lens."""
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, 0, 3] = np.linspace(-0.3, 0.4, FRAMES)
    poses[:, :3, :3] = [from_pan_tilt_roll(pan, 3, 2) for pan in np.linspace(5, -6, FRAMES)]
    lens = pinhole(WIDTH, HEIGHT, 60)
    lens[0, 2] += 4
    return CameraPath(poses, lens, WIDTH, HEIGHT, 8)


class Opened:
    """A page opened from ``file://`` without a network; `frame` is what its canvas shows."""

    def __init__(self, browser, file) -> None:
        self.context = browser.new_context(offline=True)
        self.page = self.context.new_page()
        self.asked, self.faults = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("body[data-ready=yes]", timeout=60_000)

    def frame(self, number: int) -> np.ndarray:
        text = self.page.evaluate(
            """(at) => { show(at); const pixels = new Uint8Array(4 * canvas.width * canvas.height);
            gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
            let text = ""; for (const value of pixels) text += String.fromCharCode(value); return btoa(text); }""",
            number,
        )
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(HEIGHT, WIDTH, 4)[::-1, :, :3]


@pytest.fixture
def opened(browser, tmp_path):
    """``opened(content)``; afterwards checks that only the file was requested and nothing was logged."""
    pages = []

    def open_page(content: bytes) -> Opened:
        (tmp_path / "scene.html").write_bytes(content)
        pages.append(Opened(browser, tmp_path / "scene.html"))
        return pages[-1]

    yield open_page
    for each in pages:
        asked = [url for url in each.asked if not url.startswith("data:")]
        assert asked == [(tmp_path / "scene.html").as_uri()] and each.faults == []
        each.context.close()


def decibels(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.square(ours.astype(float) - theirs).mean(), 1e-9)))


def splats(degree: int) -> Splats:
    rng = np.random.default_rng(degree)
    sh = rng.normal(0, 0.2, (400, (degree + 1) ** 2, 3))
    sh[:, 0] = rng.uniform(-1.5, 1.5, (400, 3))
    return Splats(
        rng.uniform([-2, -1.5, 2], [2, 1.5, 5], (400, 3)), rng.normal(size=(400, 4)), rng.normal(-2.2, 0.6, (400, 3)),
        rng.normal(0.5, 1.5, 400), sh,
    )  # fmt: skip


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_splats_are_drawn_as_our_rasteriser_draws_them(opened, path, degree):
    shown = opened(page.page_of_splats(splats(degree), path))
    for number, (truth, _) in enumerate(render_path(splats(degree), path)):
        ours = shown.frame(number)
        assert decibels(ours, truth) > 38 and np.abs(ours.astype(int) - truth).mean() < 1.5


def test_a_mesh_is_drawn_as_our_renderer_draws_it(opened, path):
    mesh = trimesh.creation.icosphere(3, 1.2)
    mesh.apply_translation([0, 0, 4])
    mesh.visual.vertex_colors = np.rint(255 * np.clip(np.abs(mesh.vertex_normals), 0, 1)).astype(np.uint8)
    shown = opened(page.page_of_mesh([mesh], path))
    for number in range(FRAMES):
        assert decibels(shown.frame(number), draw([surface_of(mesh)], path, number).colour) > 30


def test_points_are_drawn_as_our_renderer_draws_them(opened, path):
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-3, 3, 90), np.linspace(-2, 2, 60)))
    places = np.stack([x, y, 4 + 0.3 * np.sin(x)], axis=1).astype(np.float32)
    colours = np.stack([40 * (x + 3), 60 * (y + 2), 0 * x + 90], axis=1).astype(np.uint8)
    cloud = PointCloud(places, colours)
    shown = opened(page.page_of_points(cloud, path))
    for number in range(FRAMES):
        truth, holes = Dots.of(cloud).draw(path, number)
        ours = shown.frame(number)
        both = ~holes & ours.any(axis=-1)
        assert both.mean() > 0.9 and decibels(ours[both], truth[both]) > 30


def test_the_path_plays_and_a_hand_leaves_it(opened, path):
    shown = opened(page.page_of_splats(splats(0), path, title="A <room> & more"))
    assert shown.page.title() == "A <room> & more"
    before = shown.frame(0)
    shown.page.click("#play")
    shown.page.get_by_text(f"{FRAMES} / {FRAMES}", exact=True).wait_for()
    shown.page.get_by_text("Play", exact=True).wait_for()
    box = shown.page.locator("canvas").bounding_box()
    shown.page.mouse.move(box["x"] + 50, box["y"] + 50)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 90, box["y"] + 50)
    shown.page.mouse.up()
    assert decibels(shown.frame(0), before) < 30, "it looks elsewhere"
    shown.page.click("#home")
    assert decibels(shown.frame(0), before) > 60


def test_nothing_but_our_own_script_and_no_address_is_inside(path):
    text = page.page_of_splats(splats(0), path).decode()
    assert re.findall(r"https?://|src=|import |fetch\(", text) == []
    assert json.loads(re.search(r'id="about">(.*?)</script>', text).group(1))["kind"] == "splats"


def test_what_no_browser_opens_from_one_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="more than browsers open"):
        page.page_of_splats(splats(0), path)
