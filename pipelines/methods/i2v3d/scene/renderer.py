"""Chooses the renderer for a scene's objects: OpenGL if clearly faster in a trial, otherwise our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from camera.errors import InputError
from camera.objects.surface import UNLIT, Light, Surface
from camera.path import CameraPath, pinhole

if TYPE_CHECKING:
    from camera.render.opengl import Canvas
    from camera.render.triangles import MeshFrame

AUTO, OPENGL, PLAIN = RENDERERS = "auto", "opengl", "plain"

ENOUGH_PIXELS = 4_000_000
"""Total pixels of all frames below which the plain renderer finishes before OpenGL has started."""
CLEARLY_FASTER = 1.5
TRIAL_SIZE, TRIAL_ROWS, TRIAL_ROUNDS = (512, 288), 100, 3


@dataclass(frozen=True)
class Trial:
    """Timings in milliseconds for one frame of a ball with 20,000 triangles."""

    opengl_ms: float
    plain_ms: float

    @property
    def opengl_wins(self) -> bool:
        return CLEARLY_FASTER * self.opengl_ms <= self.plain_ms


class Drawing:
    """Draws objects on any thread; use it as a context around all frames of one path. ``words``: the renderer used, in one sentence.

    Raises `InputError` for "opengl" if it is not available. With "auto", the plain renderer draws what OpenGL fails to draw,
    and ``words`` says so.
    """

    def __init__(self, renderer: str, path: CameraPath) -> None:
        self._asked, self._lock = renderer == OPENGL, Lock()
        self._canvas: Canvas | None = None
        use, self.words = choose_renderer(renderer, path.width * path.height * len(path))
        if use == OPENGL:
            from camera.render.opengl import Canvas

            self._canvas = Canvas(path.width, path.height)

    def draw(self, surfaces: Sequence[Surface], path: CameraPath, frame: int, *, light: Light = UNLIT) -> MeshFrame:
        """Like `camera.render.triangles.draw`."""
        from camera.render.triangles import draw

        canvas = self._canvas
        if canvas is None:
            return draw(surfaces, path, frame, light=light)
        try:
            return canvas.draw(surfaces, path, frame, light=light)
        except InputError as error:
            if self._asked:
                raise
            self._give_up(f"From frame {frame} on the plain renderer drew the objects. {error}")
            return draw(surfaces, path, frame, light=light)

    def _give_up(self, words: str) -> None:
        """Switch to the plain renderer once, whichever thread fails first."""
        with self._lock:
            if self._canvas is not None:
                self.words = words
                self.close()

    def close(self) -> None:
        if self._canvas is not None:
            self._canvas.close()
            self._canvas = None

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def choose_renderer(renderer: str, pixels: int) -> tuple[str, str]:
    """The renderer for ``pixels`` pixels in total, and a sentence about the choice. Raises `InputError`."""
    plainly = "Objects were drawn by the plain renderer"
    if renderer == OPENGL:
        refuse_without_opengl()
        return OPENGL, f"Objects were drawn by OpenGL ({_card()})."
    if renderer == PLAIN or pixels < ENOUGH_PIXELS:
        return PLAIN, f"{plainly}."
    if refusal():
        return PLAIN, f"{plainly}; OpenGL is not available here."
    tried = run_trial()
    if not tried.opengl_wins:
        return PLAIN, f"{plainly}: {tried.plain_ms:.0f} ms in a trial, OpenGL ({_card()}) {tried.opengl_ms:.0f}."
    return OPENGL, f"Objects were drawn by OpenGL ({_card()}): {tried.opengl_ms:.0f} ms in a trial, the plain renderer {tried.plain_ms:.0f}."  # fmt: skip


def refusal() -> str:
    """Why OpenGL cannot be used here, in one sentence; empty if it can."""
    from pipelines.environment import on_zerogpu

    if on_zerogpu():  # a driver's locks do not survive the fork
        return "OpenGL cannot be used on ZeroGPU, which forks a process for every run; choose the plain renderer."
    from camera.render.opengl import refusal

    return refusal()


def refuse_without_opengl() -> None:
    if words := refusal():
        raise InputError(words)


def _card() -> str:
    from camera.render.opengl import card

    return card()


@lru_cache(maxsize=1)
def run_trial() -> Trial:
    """Time both renderers on the same frame, once per process; takes the best time of each, because other processes interfere."""
    from camera.render.opengl import Canvas
    from camera.render.triangles import draw

    width, height = TRIAL_SIZE
    path = CameraPath(np.eye(4)[None], pinhole(width, height, 50.0), width, height)
    surfaces, light = [make_ball(TRIAL_ROWS)], Light(0.5)
    with Canvas(width, height) as canvas:
        return Trial(
            _milliseconds(lambda: canvas.draw(surfaces, path, 0, light=light)),
            _milliseconds(lambda: draw(surfaces, path, 0, light=light)),
        )


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    times: list[float] = []
    for _ in range(TRIAL_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def make_ball(rows: int) -> Surface:
    """``2 rows * rows`` textured triangles: a ball of radius 1, 2.6 in front of the first camera."""
    v, u = np.mgrid[0 : rows + 1, 0 : rows + 1] / rows
    across, down = 2 * np.pi * u, np.pi * v
    points = np.stack([np.sin(across) * np.sin(down), -np.cos(down), 2.6 + np.cos(across) * np.sin(down)], axis=-1)
    corner = (np.arange(rows)[:, None] * (rows + 1) + np.arange(rows)).reshape(-1)
    above = np.stack([corner, corner + 1, corner + rows + 1], axis=1)
    below = np.stack([corner + 1, corner + rows + 2, corner + rows + 1], axis=1)
    triangles = np.concatenate([above, below]).astype(np.int32)
    places = np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float32)
    squares = np.kron(np.indices((32, 32)).sum(axis=0) % 2, np.ones((8, 8))) * 200 + 40
    texture = np.repeat(squares.astype(np.uint8)[..., None], 3, axis=2)
    vertices = points.reshape(-1, 3).astype(np.float32)
    return Surface(vertices, triangles, np.zeros((len(vertices), 3), np.uint8), places, texture)
