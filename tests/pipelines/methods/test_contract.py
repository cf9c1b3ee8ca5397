"""The contract of a method, tested for each one found: the five built-in ones, those in folders, those of packages."""

from __future__ import annotations

import gc
import itertools
import math
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camera.errors import InputError
from pipelines import NAMES, method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Method
from pipelines.options import RunOptions
from pipelines.results.record import record, restore, save
from pipelines.runtime.device import Device
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

gc.freeze()
each_method = pytest.mark.parametrize("name", NAMES)
SIZES = ("64x64", "128x64", "128x128", "256x256", "320x192", "512x320", "720x480", "1280x704")
FRAMES = (4, 5, 9, 12, 13, 17, 25, 49, 81, 121)
TINY = RunOptions(weights="tiny")


@cache
def smallest_shot(name: str) -> Shot:
    """The smallest shot that a method accepts, with two steps of every kind: sizes are tried first, then frames."""
    known = method(name)
    fewest = [f"{each}=2" for each in known.settings.controls() if each.endswith("steps")]
    for size, frames in itertools.product(SIZES, FRAMES):
        try:
            shot = Shot(known, *default_shot(known, size=size, frames=frames, given=fewest), TINY)
            shot.check()
        except InputError:
            continue
        return shot
    raise AssertionError(f"{name} takes none of these sizes")


@cache
def runtime() -> Runtime:
    """One runtime for all tests here, so that networks are built once per method."""
    return Runtime(Device("cpu"))


@pytest.fixture(scope="module", autouse=True)
def _unloaded():
    """Networks are shared within a process: tests that modify theirs must not get these."""
    yield
    runtime().unload()
    for cached in (runtime, first_clip):
        cached.cache_clear()


def clip_of(shot: Shot) -> Clip:
    return [item for item in runtime().run(shot) if isinstance(item, Clip)][-1]


@cache
def first_clip(name: str) -> Clip:
    return clip_of(smallest_shot(name))


@each_method
def test_its_record_is_complete_and_light(name):
    known = method(name)
    assert known.name == name and known.title and known.summary and known.camera_use
    assert known.licences[0].part == "code" and len(known.licences) > 1
    assert all(part.name for part in known.licences) and all(one.gigabytes > 0 for one in known.checkpoints)
    program = f"import sys; from pipelines import method; method({name!r}); print([m for m in ('torch', 'diffusers', 'gradio') if m in sys.modules])"
    root = Path(__file__).parents[3]
    said = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@each_method
def test_it_runs_tiny_and_the_clip_is_as_long_and_large_as_its_path(name):
    clip = first_clip(name)
    assert clip.frames.dtype == np.uint8
    assert clip.frames.shape == (len(clip.path), clip.path.height, clip.path.width, 3)
    assert clip.fps > 0 and clip.frames.std() > 0


@each_method
def test_the_same_seed_makes_the_same_clip_and_another_makes_another(name):
    shot = smallest_shot(name)
    assert np.array_equal(clip_of(shot).frames, first_clip(name).frames)
    other = replace(shot, settings=replace(shot.settings, seed=shot.settings.values()["seed"] + 1))
    assert not np.array_equal(clip_of(other).frames, first_clip(name).frames)


@each_method
def test_it_can_be_cancelled_at_every_step_and_the_next_run_is_as_if_nothing_was(name):
    shot = smallest_shot(name)
    expected = first_clip(name)
    for step in itertools.count(1):
        run: Any = runtime().run(shot)
        reached: list[Any] = list(itertools.islice(run, step))
        run.close()
        assert runtime().waiting == 0
        if isinstance(reached[-1], Report):
            break
    assert step > 2
    made = [item for item in reached if isinstance(item, Clip)][-1]
    assert np.array_equal(made.frames, expected.frames)


@each_method
def test_its_record_survives_a_file(name, tmp_path):
    shot = smallest_shot(name)
    saved = save(tmp_path, "shot", first_clip(name), record(shot))
    for file in (saved.video, saved.sidecar):
        made = restore(file)
        settings, notes = made.settings_for(shot.method)
        assert (made.method, settings, notes) == (name, shot.settings, ()) and made.weights == "tiny"
        assert np.array_equal(made.path.world_from_camera, shot.path.world_from_camera)
        assert np.array_equal(made.path.intrinsics, shot.path.intrinsics)


@each_method
def test_its_forecast_is_finite_and_grows_with_the_steps(name):
    shot = smallest_shot(name)
    low = shot.estimate()
    assert 0 < low.seconds < math.inf and low.basis and low.gigabytes
    assert all(0 < need < 1000 for need in low.gigabytes.values())
    assert "full" in low.gigabytes and max(low.gigabytes.values()) == low.gigabytes["full"]
    more = replace(shot, settings=replace(shot.settings, steps=20)).estimate()
    assert more.seconds > low.seconds


def extremes(known: Method) -> list[tuple[str, Any]]:
    """Every control of the move at each of its limits and choices, by name."""
    found = []
    for name, control in known.moves.controls().items():
        ends = control.choices or [end for end in (control.minimum, control.maximum) if end is not None]
        found += [(name, end) for end in ends if name not in ("frames", "width", "height")]
    return found


@each_method
def test_its_moves_make_a_finite_path_at_every_end_of_every_control(name):
    shot = smallest_shot(name)
    sizes = {"frames": len(shot.path), "width": shot.path.width, "height": shot.path.height}
    for control, value in extremes(shot.method):
        try:
            moves = shot.method.moves(**{**sizes, control: value})
            path = shot.method.path(moves, shot.scene)
        except InputError as error:
            assert str(error)
            continue
        assert np.isfinite(path.world_from_camera).all() and np.isfinite(path.intrinsics).all(), (control, value)
        assert (path.width, path.height) == (shot.path.width, shot.path.height), (control, value)
        turns = path.world_from_camera[:, :3, :3]
        assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-6), (control, value)


@each_method
def test_its_path_begins_at_the_picture(name):
    shot = smallest_shot(name)
    first = shot.path.world_from_camera[0]
    reach = shot.scene.first.focus_depth
    assert np.abs(first - shot.scene.first.world_from_camera)[:3, 3].max() < 1e-3 * reach


@each_method
def test_what_it_cannot_shoot_is_refused_in_one_sentence(name):
    shot = smallest_shot(name)
    clip, views = (replace(shot.scene, views=shot.scene.views * 2, kind=kind) for kind in ("clip", "views"))
    wrong = [replace(shot, path=shot.path.resized(shot.path.width + 8, shot.path.height))]
    wrong += [replace(shot, scene=scene) for scene in (clip, views) if scene.kind not in shot.method.scenes]
    for each in wrong:
        with pytest.raises(InputError) as error:
            each.check()
        assert str(error.value)[0].isupper() and "Error" not in str(error.value) and "<" not in str(error.value)


@each_method
@pytest.mark.parametrize("field", ["seed", "steps"])
def test_settings_outside_their_range_name_the_control(name, field):
    known = method(name)
    control = known.settings.controls()[field]
    assert control.maximum is not None
    with pytest.raises(InputError, match=control.label):
        known.settings.of({field: control.maximum + 1})
