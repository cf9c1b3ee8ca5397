"""OpenGL against the plain renderer, pixel by pixel; without OpenGL, the error that says so."""

import ctypes
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from camera.objects.model import read_model
from camera.objects.surface import UNLIT, Light, Surface
from camera.path import CameraPath
from camera.render import opengl
from camera.render.opengl import Canvas, refusal
from camera.render.triangles import MeshFrame, draw
from camera.rotation import look_at

WIDTH, HEIGHT = 120, 88
FOX = Path(__file__).parents[3] / "examples" / "fox" / "fox.glb"
LAMP = Light(0.3, (1.0, 2.0, -1.5))


@pytest.fixture(scope="module")
def path() -> CameraPath:
    """Three cameras around the fox, with an off-centre lens that is not square."""
    eyes = np.array([[0.2, -0.7, -1.3], [-1.0, -0.4, -1.0], [1.1, -0.6, -0.5]])
    poses = np.repeat(np.eye(4)[None], 3, axis=0)
    for pose, eye in zip(poses, eyes):
        pose[:3, :3], pose[:3, 3] = look_at(eye, np.array([0, -0.35, 0])), eye
    lens = np.array([[100.0, 0.5, 55.3], [0, 92, 47.1], [0, 0, 1]])
    return CameraPath(poses, lens, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def canvas(path):
    """An OpenGL canvas; None without OpenGL, where every entry point must raise the same error."""
    if words := refusal():
        assert words.endswith("choose the plain renderer.")
        for way in (opengl.card, lambda: Canvas(WIDTH, HEIGHT)):
            with pytest.raises(InputError) as said:
                way()
            assert str(said.value) == words
        yield None
        return
    with Canvas(WIDTH, HEIGHT) as made:
        yield made


@pytest.fixture(scope="module")
def fox():
    """The walking fox at a time: textured, y down, feet at the origin."""
    model = read_model(FOX.read_bytes(), FOX.name)
    return lambda moment: tuple(part.moved(np.diag([1.0, -1, -1, 1])) for part in model.surfaces("walk", moment))


def ground(rows: int = 40) -> Surface:
    """A textured grid with a step, behind and below the fox."""
    v, u = (np.mgrid[0 : rows + 1, 0 : rows + 1] / rows).reshape(2, -1)
    height = 0.05 * np.sin(9 * u) * np.cos(7 * v) - 0.3 * (v > 0.7)
    vertices = np.column_stack([4 * u - 2, 0.1 + height, 4 * v - 2]).astype(np.float32)
    corner = (np.arange(rows)[:, None] * (rows + 1) + np.arange(rows)).reshape(-1, 1)
    halves = np.array([[0, 1, rows + 1], [1, rows + 2, rows + 1]])
    triangles = (corner + halves[:, None]).reshape(-1, 3).astype(np.int32)
    colours = np.column_stack([255 * u, 255 * v, 120 + 100 * np.sin(20 * u * v)]).astype(np.uint8)
    return Surface(vertices, triangles, colours)


def square(depth: float, colour: int, half: float = 0.5, *, turned: bool = False) -> Surface:
    corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    vertices = np.column_stack([corners, np.full(4, depth)]).astype(np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Surface(vertices, triangles[:, ::-1].copy() if turned else triangles, np.full((4, 3), colour, np.uint8))


def still(width: int = WIDTH, height: int = HEIGHT) -> CameraPath:
    return CameraPath(np.eye(4)[None], np.array([[100.0, 0, 60.3], [0, 100, 44.2], [0, 0, 1]]), width, height)


def assert_alike(made: MeshFrame, plain: MeshFrame) -> None:
    """Surfaces equal except for single edge pixels, depth to 1e-3, colours and normals except for a few texels."""
    for name in ("colour", "depth", "surface", "normal"):
        ours, theirs = getattr(made, name), getattr(plain, name)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.flags.c_contiguous
    same = made.surface == plain.surface
    edges = np.zeros_like(same)
    for axis in (0, 1):
        for step in (-1, 1):
            edges |= np.roll(plain.surface, step, axis) != plain.surface
    assert same[~edges].all() and (~same).mean() < 1e-3
    drawn = same & (plain.surface >= 0)
    error = np.abs(made.depth[drawn] / plain.depth[drawn] - 1)
    steep = error > 1e-3  # another layer of the same surface, at its silhouette
    assert steep.mean() < 1e-3 and np.median(error) < 1e-6
    apart = np.abs(made.colour.astype(int) - plain.colour).max(axis=2)[drawn]
    assert (apart > 2).mean() < 5e-3
    assert np.quantile(np.abs(made.normal - plain.normal).max(axis=2)[drawn], 0.995) < 1e-3
    empty = made.surface < 0
    assert not made.colour[empty].any() and not made.depth[empty].any() and not made.normal[empty].any()


@pytest.mark.parametrize("light", [UNLIT, LAMP, Light(0.2)])
def test_a_walking_textured_fox_on_a_grid_renders_alike(canvas, path, fox, light):
    if canvas is None:
        return
    for frame, moment in enumerate((0.0, 0.3, 0.7)):
        surfaces = [ground(), *fox(moment)]
        plain = draw(surfaces, path, frame, light=light)
        assert all((plain.surface == number).mean() > 0.03 for number in range(len(surfaces)))
        assert_alike(canvas.draw(surfaces, path, frame, light=light), plain)


def test_flat_scenes_have_identical_masks(canvas):
    """Geometry behind, across and beside the camera, back faces, equal depths, and relative depth differences of 1e-4."""
    if canvas is None:
        return
    lying, depths = square(1, 9), np.array([0, 0, 3, 3], np.float32)
    across = replace(
        lying, vertices=np.column_stack([lying.vertices[:, :2], depths]), triangles=np.roll(lying.triangles, 1, axis=1)
    )
    huge = square(0.001, 70, half=50)
    scenes = [
        [square(2, 50), square(3, 90, half=2)],
        [square(3, 90, half=2), square(2, 50, turned=True)],
        [square(2, 50), square(2, 90)],
        [square(2000, 50, half=1000), square(1999.8, 90, half=300)],
        [square(-2, 50), across, square(4, 20)],
        [huge, square(2, 50)],
        [square(1e6, 30, half=2e5), square(3e-4, 60, half=1e-4)],
    ]
    for surfaces in scenes:
        made, plain = (drawn(surfaces, still(), 0, light=Light(0.5)) for drawn in (canvas.draw, draw))
        assert np.array_equal(made.surface, plain.surface)
        assert np.abs(made.colour.astype(int) - plain.colour).max() <= 1
        np.testing.assert_allclose(made.depth, plain.depth, rtol=1e-5)
        np.testing.assert_allclose(made.normal, plain.normal, atol=1e-5)


def test_buffers_are_reused_between_frames_and_freed_with_their_surface(canvas, path, fox):
    if canvas is None:
        return
    canvas.draw(fox(0.1), path, 0)
    before = dict(canvas._buffers.meshes)
    canvas.draw([*fox(0.2), *fox(0.6)], path, 1)
    assert canvas._buffers.meshes == before and len(before) == 2  # geometry, and a texture
    canvas.draw([square(2, 50)], path, 1)
    assert len(canvas._buffers.meshes) == 1 and not before.keys() & canvas._buffers.meshes.keys()


def test_canvases_are_thread_safe_and_independent(canvas, path, fox):
    if canvas is None:
        return
    surfaces, small = fox(0.4), path.resized(64, 48)
    alone = canvas.draw(surfaces, path, 0).colour
    with Canvas(64, 48) as other:
        alone_small = other.draw(surfaces, small, 1).colour
        together = threading.Barrier(4)

        def work(number: int) -> bool:
            together.wait()
            if number % 2:
                return all(np.array_equal(other.draw(surfaces, small, 1).colour, alone_small) for _ in range(3))
            return all(np.array_equal(canvas.draw(surfaces, path, 0).colour, alone) for _ in range(3))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4)))
    with pytest.raises(InputError, match="closed"):
        other.draw(surfaces, small, 1)
    other.close()
    assert np.array_equal(canvas.draw(surfaces, path, 0).colour, alone)


def test_oversized_images_are_refused_with_a_reason(canvas, path):
    if canvas is None:
        return
    with pytest.raises(InputError, match="no pictures of 1000000x8 here, its limit is"):
        Canvas(1_000_000, 8)
    limit = canvas._buffers.context.info["GL_MAX_TEXTURE_SIZE"]
    stripe = np.zeros((1, limit + 1, 3), np.uint8)
    wide = replace(square(2, 50), uv=np.zeros((4, 2), np.float32), texture=stripe)
    with pytest.raises(InputError, match=f"no textures of {limit + 1}x1 here"):
        canvas.draw([wide], path, 0)
    with pytest.raises(InputError, match="canvas is 120x88"):
        canvas.draw([square(2, 50)], still(64, 48), 0)
    assert (canvas.draw([square(2, 50)], still(), 0).surface == 0).any()


def test_a_lost_context_is_reported_and_the_next_canvas_works(canvas):
    if canvas is None:
        return
    egl = ctypes.CDLL(find_library("EGL"))
    egl.eglGetCurrentDisplay.restype = egl.eglGetCurrentContext.restype = ctypes.c_void_p

    def destroy() -> None:
        assert lost._buffers is not None
        with lost._buffers.context:
            display, context = egl.eglGetCurrentDisplay(), egl.eglGetCurrentContext()
        egl.eglDestroyContext(ctypes.c_void_p(display), ctypes.c_void_p(context))

    old, new = [square(2, 50)], [square(2, 60)]
    for surfaces in (old, new):
        lost = Canvas(WIDTH, HEIGHT)
        lost.draw(old, still(), 0)
        opengl._on_thread(destroy)
        with pytest.raises(InputError, match=r"OpenGL failed.* choose the plain renderer"):
            lost.draw(surfaces, still(), 0)
        lost.close()
    with Canvas(WIDTH, HEIGHT) as fresh:
        assert (fresh.draw(new, still(), 0).surface == 0).any()


@pytest.fixture
def fresh_probe():
    opengl._probe.cache_clear()
    yield
    opengl._probe.cache_clear()


def test_a_missing_driver_or_package_is_reported_with_advice(monkeypatch, fresh_probe):
    with monkeypatch.context() as without_driver:
        without_driver.setenv("GLCONTEXT_LINUX_LIBEGL", "/nowhere/libEGL.so")
        assert refusal().startswith("OpenGL cannot be opened here (") and "libgl1-mesa-dri" in refusal()
        with pytest.raises(InputError, match="or choose the plain renderer"):
            Canvas(8, 8)
    opengl._probe.cache_clear()
    monkeypatch.setitem(sys.modules, "moderngl", None)
    assert (
        refusal()
        == "OpenGL needs the package moderngl; install it (pip install moderngl) or choose the plain renderer."
    )
    with pytest.raises(InputError, match="pip install moderngl"):
        Canvas(8, 8)


def test_a_forked_process_is_refused_without_deadlock(monkeypatch):
    refusal()
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(InputError, match="forked"):
        Canvas(8, 8)
    with pytest.raises(InputError, match="forked"):
        opengl._on_thread(lambda: None)


def test_no_display_or_window_system_is_needed(canvas, monkeypatch, fresh_probe):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "nowhere")
    assert (refusal() == "") == (canvas is not None)
