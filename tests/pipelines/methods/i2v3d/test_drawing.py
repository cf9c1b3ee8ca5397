"""Which renderer draws objects, how it describes itself, and that both give the same coarse renders."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, StagedScene, stage_objects
from camera.path import CameraPath, pinhole
from camera.render import opengl
from camera.render.triangles import MeshFrame, draw
from camera.view import Scene, View
from pipelines import method
from pipelines.methods.i2v3d.method import LAMP, I2V3DSettings
from pipelines.methods.i2v3d.scene import renderer
from pipelines.methods.i2v3d.scene.coarse import CoarseRenders, render_frames, render_path
from pipelines.methods.i2v3d.scene.renderer import (
    AUTO,
    ENOUGH_PIXELS,
    OPENGL,
    PLAIN,
    Drawing,
    Trial,
    choose_renderer,
    make_ball,
    run_trial,
)

WIDTH, HEIGHT = 128, 72
FOX = Path(__file__).parents[4] / "examples" / "fox" / "fox.glb"


@pytest.fixture(scope="module")
def scene() -> StagedScene:
    """A walking fox in front of a picture of a wall with a board."""
    colour = np.random.default_rng(0).integers(60, 90, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    depth = np.full((HEIGHT, WIDTH), 4.0, np.float32)
    depth[20:50, 60:90] = 2.0
    wall = Scene((View.of(colour, depth, pinhole(WIDTH, HEIGHT, 60)),))
    fox = read_model(FOX.read_bytes(), FOX.name)
    return stage_objects(
        wall, [SceneObject(fox, (Key(0.0, Placement(0, -0.3, 0.6, turn=30, size=0.5)),), animation="walk")]
    )


def path(frames: int = 2) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.3, frames)
    return CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)


def renders(scene, **settings) -> CoarseRenders:
    *_, made = render_path(scene, path(), I2V3DSettings(foreground="objects", light=LAMP, **settings), normals=True)
    assert isinstance(made, CoarseRenders) and made.normal is not None
    return made


def test_coarse_renders_are_the_same_with_both(scene):
    plain = renders(scene, renderer=PLAIN)
    assert plain.drawn == "Objects were drawn by the plain renderer." and 0.05 < plain.foreground.mean() < 0.6
    if words := renderer.refusal():
        with pytest.raises(InputError) as said:
            renders(scene, renderer=OPENGL)
        assert str(said.value) == words and words.endswith("choose the plain renderer.")
        return
    made = renders(scene, renderer=OPENGL)
    assert made.drawn == f"Objects were drawn by OpenGL ({opengl.card()})."
    for name, most in (("foreground", 1e-3), ("visible", 1e-3), ("depth", 2e-3), ("colour", 5e-3), ("normal", 5e-3)):
        ours, theirs = (getattr(one, name).astype(int) for one in (made, plain))
        assert (np.abs(ours - theirs) > 1).mean() < most, name


def test_opengl_is_refused_before_anything_is_loaded_where_it_is_not(scene, monkeypatch):
    settings = I2V3DSettings(renderer=OPENGL, prompt="A fox.")
    check = method("i2v3d").check
    monkeypatch.setitem(sys.modules, "moderngl", None)
    opengl._probe.cache_clear()
    with pytest.raises(InputError, match=r"install it .* or choose the plain renderer"):
        check(scene, path(20), settings)
    check(scene.with_objects(()), path(20), settings)
    check(scene, path(20), replace(settings, renderer=AUTO))
    assert choose_renderer(AUTO, ENOUGH_PIXELS) == (
        PLAIN,
        "Objects were drawn by the plain renderer; OpenGL is not available here.",
    )
    monkeypatch.undo()
    opengl._probe.cache_clear()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    with pytest.raises(InputError, match="ZeroGPU"):
        check(scene, path(20), settings)
    assert choose_renderer(AUTO, ENOUGH_PIXELS)[0] == PLAIN


@pytest.mark.parametrize("opengl_ms, use", [(4.0, OPENGL), (60.0, PLAIN), (39.0, PLAIN)])
def test_auto_takes_what_a_trial_found_clearly_faster_and_says_it(monkeypatch, opengl_ms, use):
    monkeypatch.setattr(renderer, "refusal", lambda: "")
    monkeypatch.setattr(renderer, "_card", lambda: "a card")
    monkeypatch.setattr(renderer, "run_trial", lambda: Trial(opengl_ms, 41.0))
    name, words = choose_renderer(AUTO, ENOUGH_PIXELS)
    assert name == use and "41" in words and f"{opengl_ms:.0f}" in words and "a card" in words
    assert words.startswith(f"Objects were drawn by {'OpenGL' if use == OPENGL else 'the plain renderer'}")


def test_little_is_drawn_plainly_without_a_trial(monkeypatch):
    monkeypatch.setattr(renderer, "refusal", lambda: pytest.fail("OpenGL was opened"))
    assert choose_renderer(AUTO, ENOUGH_PIXELS - 1) == (PLAIN, "Objects were drawn by the plain renderer.")


def test_the_trial_measures_both_or_says_why_not():
    if renderer.refusal():
        with pytest.raises(InputError, match="choose the plain renderer"):
            run_trial()
        return
    tried = run_trial()
    assert tried.opengl_ms > 0 and tried.plain_ms > 0 and run_trial() is tried


class Failing:
    def __init__(self, width: int, height: int) -> None:
        self.drawn, self.closed = 0, False

    def draw(self, *args, **kwargs) -> MeshFrame:
        self.drawn += 1
        if self.drawn > 1:
            raise InputError("OpenGL failed while it drew.")
        return draw(*args, **kwargs)

    def close(self) -> None:
        self.closed = True


def test_what_auto_began_with_opengl_ends_with_the_plain_renderer_where_opengl_fails(monkeypatch):
    monkeypatch.setattr(opengl, "Canvas", Failing)
    monkeypatch.setattr(renderer, "refusal", lambda: "")
    monkeypatch.setattr(renderer, "_card", lambda: "a card")
    monkeypatch.setattr(renderer, "run_trial", lambda: Trial(1.0, 41.0))
    monkeypatch.setattr(renderer, "ENOUGH_PIXELS", 0)
    surfaces = [make_ball(8)]
    with Drawing(AUTO, path()) as made:
        canvas = made._canvas
        frames = [made.draw(surfaces, path(), frame) for frame in (0, 1, 1)]
        assert isinstance(canvas, Failing) and canvas.drawn == 2 and canvas.closed
    assert made.words == "From frame 1 on the plain renderer drew the objects. OpenGL failed while it drew."
    assert np.array_equal(frames[1].colour, draw(surfaces, path(), 1).colour)
    with Drawing(OPENGL, path()) as asked, pytest.raises(InputError, match="failed"):
        for _ in range(2):
            asked.draw(surfaces, path(), 0)


def test_a_cancelled_render_gives_the_card_back(scene, monkeypatch):
    made: list[Failing] = []

    class Watched(Failing):
        def __init__(self, *size: int) -> None:
            super().__init__(*size)
            made.append(self)

        def draw(self, *args, **kwargs) -> MeshFrame:
            assert not self.closed
            return draw(*args, **kwargs)

    monkeypatch.setattr(opengl, "Canvas", Watched)
    monkeypatch.setattr(renderer, "refusal", lambda: "")
    monkeypatch.setattr(renderer, "_card", lambda: "a card")
    frames = render_frames(scene, path(40), I2V3DSettings(renderer=OPENGL))
    next(frames)
    assert not made[0].closed
    frames.close()
    assert made[0].closed and len(made) == 1
