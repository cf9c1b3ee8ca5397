"""Coarse renders of a scene with objects, with OpenGL and the plain renderer: all frames, as I2V3D needs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import Row, Scale, milliseconds, subject
from bench.room import front, orbit
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, StagedScene, stage_objects
from camera.path import CameraPath
from camera.view import Scene
from pipelines.methods.i2v3d.method import LAMP, I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import CoarseFrame, render_frames
from pipelines.methods.i2v3d.scene.renderer import OPENGL, PLAIN, refusal

FOX = Path(__file__).parents[2] / "examples" / "fox" / "fox.glb"
FRAMES, SIZE = 16, (576, 1024)
WITHIN_SECONDS = {PLAIN: 15, OPENGL: 2}


@subject
def coarse_render(scale: Scale) -> list[Row]:
    """Four walking foxes, 60,208 triangles, lit from the front of the picture: 16 frames of 1024x576, from start to end."""
    full = scale.height * scale.width >= SIZE[0] * SIZE[1]
    (height, width), frames = (SIZE, FRAMES) if full else ((88, 160), 2)
    scene, path = _foxes(height, width), _sweep(height, width, frames)

    def rendered(renderer: str) -> list[CoarseFrame]:
        return list(render_frames(scene, path, I2V3DSettings(renderer=renderer, light=LAMP, foreground="objects")))

    rounds = min(scale.rounds, 3) if full else 1
    if words := refusal():
        (plain,) = milliseconds(lambda: rendered(PLAIN), rounds=rounds)
        missing = Row(f"{frames} coarse renders, OpenGL", float("nan"), agreement=f"not measured: {words}")
        return [_row(PLAIN, plain, path, "", full), missing]
    opengl, plain = milliseconds(lambda: rendered(OPENGL), lambda: rendered(PLAIN), rounds=rounds)
    ours, theirs = rendered(OPENGL), rendered(PLAIN)
    return [
        _row(PLAIN, plain, path, theirs[-1].drawn, full),
        _row(OPENGL, opengl, path, f"{ours[-1].drawn} {_agreement(ours, theirs)}", full),
    ]


def _foxes(height: int, width: int) -> StagedScene:
    fox = read_model(FOX.read_bytes(), FOX.name)
    places = [Placement(right, -0.3, ahead, turn=40 * right, size=0.5)
              for right, ahead in ((-0.45, 0.9), (-0.15, 0.6), (0.15, 0.7), (0.45, 1.0))]  # fmt: skip
    walking = [SceneObject(fox, (Key(0.0, place),), animation="walk") for place in places]
    return stage_objects(Scene((front(height, width),)), walking)


def _sweep(height: int, width: int, frames: int) -> CameraPath:
    parts = [orbit(height, width, degrees) for degrees in np.linspace(0, 10, frames)]
    return replace(
        parts[0],
        world_from_camera=np.concatenate([part.world_from_camera for part in parts]),
        intrinsics=np.concatenate([part.intrinsics for part in parts]),
    )


def _row(renderer: str, milliseconds_all: float, path: CameraPath, words: str, full: bool) -> Row:
    most, frames = WITHIN_SECONDS[renderer], len(path)
    words_all = f"{milliseconds_all / 1e3:.2f} s for all frames. {words}".strip()
    target = f"{frames} frames in {most} s" if full else ""
    name = "OpenGL" if renderer == OPENGL else "plain"
    return Row(
        f"{frames} coarse renders, {name}",
        milliseconds_all / frames,
        None,
        words_all,
        target,
        milliseconds_all < 1e3 * most if full else None,
    )


def _agreement(ours: list[CoarseFrame], theirs: list[CoarseFrame]) -> str:
    """Depth differences over pixels that both render as object (above 1e-3 of the depth), and differing mask pixels."""
    masks = [np.stack([frame.foreground for frame in frames]) for frames in (ours, theirs)]
    depths = [np.stack([frame.depth for frame in frames]) for frames in (ours, theirs)]
    both = masks[0] & masks[1]
    error = np.abs(depths[0][both] / depths[1][both] - 1)
    differing = int((masks[0] != masks[1]).sum())
    return f"Depth {np.median(error):.0e}, {(error > 1e-3).sum()} of {both.sum():,} pixels above 1e-3; {differing} mask pixels differ."
