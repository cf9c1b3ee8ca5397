"""Moving parts of a clip are detected and left out; its static parts fill the holes of other frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.room import SPHERES, shot
from camera.completion.remember import moving_parts, standing_parts
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.scene import render_all
from camera.view import Scene
from examples import load
from pipelines.rehearsal import Rehearsal, rehearse

WIDTH, HEIGHT, FRAMES = 160, 120, 12
FLIGHTS = {
    "across": lambda t: ((-1.4 + 2.6 * t, -0.6, 2.2), 0.35),
    "away": lambda t: ((-0.3 + 0.5 * t, -0.5, 1.6 + 2.2 * t), 0.3),
}


@pytest.fixture(scope="module", params=FLIGHTS)
def flight(request):
    """The room with a flying sphere, filmed by a sliding camera, and the true masks of the sphere."""
    views, moving = [], []
    for t in np.linspace(0, 1, FRAMES):
        pose = np.eye(4)
        pose[0, 3] = -0.8 + 1.6 * t
        path = CameraPath(pose[None], pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
        views.append(shot(path, (*SPHERES, FLIGHTS[request.param](t))))
        moving.append(views[-1].depth != shot(path).depth)
    return Scene(tuple(views), "clip", "metres", 12), np.array(moving)


def reversed_path(scene: Scene) -> CameraPath:
    """The clip's own camera path in reverse, so that every frame has a different camera."""
    poses = np.stack([view.world_from_camera for view in scene.views])[::-1].copy()
    return CameraPath(poses, scene.first.intrinsics, scene.first.width, scene.first.height, scene.fps)


def holes(scene: Scene, behind) -> tuple[float, float]:
    """Disoccluded fraction of a re-shot path, without and with the static parts."""
    path = reversed_path(scene)
    plain = [image.holes.mean() for image in render_all(scene, path)]
    filled = [(image.holes & ~image.completed).mean() for image in render_all(scene, path, behind=behind)]  # type: ignore[operator]
    return float(np.mean(plain)), float(np.mean(filled))


def test_moving_sphere_is_detected_and_excluded_from_static_parts(flight):
    scene, truth = flight
    found = moving_parts(scene)
    assert (truth & ~found).sum() < 0.05 * truth.sum() and found.mean() < 1.3 * truth.mean()
    parts = standing_parts(scene)
    assert len(parts) == FRAMES
    wrong = sum((part.drawn & moved).sum() for part, moved in zip(parts, truth))
    assert (
        wrong < 0.01 * sum(part.drawn.sum() for part in parts) and np.mean([part.drawn.mean() for part in parts]) > 0.4
    )


def test_holes_of_a_re_shot_path_are_at_least_halved(flight):
    scene, _ = flight
    plain, filled = holes(scene, standing_parts(scene))
    assert plain > 0.1 and filled < 0.5 * plain


def test_holes_of_the_toy_train_are_at_least_halved():
    whole = load("toy_train").fitted(160, 96)
    scene = replace(whole, views=whole.views[::4])
    plain, filled = holes(scene, standing_parts(scene))
    assert plain > 0.1 and filled < 0.5 * plain


def test_filled_holes_have_the_true_depth(flight):
    scene, _ = flight
    path = reversed_path(scene)
    off = []
    for i, image in enumerate(render_all(scene, path, behind=standing_parts(scene))):
        truth = shot(path.sliced(slice(i, i + 1)))
        assert image.completed is not None
        off.append(np.abs(image.depth - truth.depth)[image.completed] / truth.depth[image.completed])
    assert np.median(np.concatenate(off)) < 0.01


def test_manual_masks_are_excluded_too(flight):
    scene, _ = flight
    by_hand = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    by_hand[:, :60] = True
    parts = standing_parts(scene, by_hand)
    assert parts and not any(part.drawn[:60].any() for part in parts) and any(part.drawn[60:].any() for part in parts)
    with pytest.raises(InputError, match="the clip's shape"):
        standing_parts(scene, by_hand[:2])


def test_only_clips_have_moving_parts(flight):
    with pytest.raises(InputError, match="this is a views of"):
        moving_parts(replace(flight[0], kind="views"))


def test_rehearsal_can_fill_holes_from_other_frames(flight, tmp_path):
    scene, _ = flight
    path = reversed_path(scene)
    filled, remembered = (
        list(rehearse(scene, path, tmp_path / f"{holes}.mp4", holes=holes))[-1] for holes in ("filled", "remembered")
    )
    assert isinstance(filled, Rehearsal) and isinstance(remembered, Rehearsal)
    assert remembered.holes.mean() < 0.5 * filled.holes.mean() and remembered.completed is None
    assert "invented" not in remembered.summary and remembered.video.is_file()
