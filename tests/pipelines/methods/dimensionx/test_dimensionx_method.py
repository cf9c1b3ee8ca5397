"""The record: paths from moves, warnings before the run, limits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.methods.dimensionx.method import (
    METHOD,
    DimensionXMoves,
    DimensionXSettings,
    checkpoint,
    clip_frames,
    match_of,
)


@pytest.fixture
def scene() -> Scene:
    view = View.of(np.full((480, 720, 3), 90, np.uint8), np.full((480, 720), 3.0, np.float32), pinhole(720, 480, 60))
    return Scene((view,))


def test_the_record_is_light():
    code = "import sys, pipelines.methods.dimensionx.method; assert not {'torch', 'diffusers', 'gradio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("director", METHOD.moves.controls()["director"].choices)
def test_every_choice_draws_a_path_that_needs_no_warning(scene, director):
    path = METHOD.path(DimensionXMoves(director=director), scene)
    assert METHOD.check(scene, path, DimensionXSettings()) == ()
    assert clip_frames(path, match_of(scene, path)) == len(path) == (145 if director == "orbit_360" else 49)


def test_a_blend_reaches_the_pipeline_through_the_path_alone(scene):
    moves = DimensionXMoves(director="pan_left", second_director="y_up", second_weight=0.3)
    (part,) = match_of(scene, METHOD.path(moves, scene)).parts
    assert dict(part.directors) == pytest.approx({"pan_left": 1.0, "y_up": 0.3})


@pytest.mark.parametrize("director", ["orbit_360", "t_director"])
def test_what_cannot_be_blended_is_refused(scene, director):
    with pytest.raises(InputError, match="cannot be blended"):
        METHOD.path(DimensionXMoves(director=director, second_director="x_left"), scene)


@pytest.mark.parametrize("second", ["x_left", "x_right"])
def test_a_move_is_not_blended_with_itself_or_its_opposite(scene, second):
    with pytest.raises(InputError, match="one move, forwards or backwards"):
        METHOD.path(DimensionXMoves(director="x_left", second_director=second), scene)


def test_warnings_say_frames_speed_and_steps(scene):
    path = METHOD.path(DimensionXMoves(director="x_left"), scene).resampled(121).with_fps(24)
    said = " ".join(METHOD.check(scene, path, DimensionXSettings(steps=30)))
    assert "121 frames; Truck left makes 49" in said and "plays at 24" in said and "with 30" in said


@pytest.mark.parametrize(("frames", "clip"), [(1, 9), (9, 9), (40, 41), (47, 49), (300, 49)])
def test_clips_have_eight_k_plus_one_frames(scene, frames, clip):
    path = METHOD.path(DimensionXMoves(director="x_left"), scene).resampled(frames)
    assert clip_frames(path, match_of(scene, path)) == clip


def test_the_sat_sampler_belongs_to_the_orbit(scene):
    with pytest.raises(InputError, match="SAT sampler"):
        METHOD.check(scene, METHOD.path(DimensionXMoves(), scene), DimensionXSettings(sampler="SAT"))


def test_what_does_not_act_on_the_orbit_is_said(scene):
    path = METHOD.path(DimensionXMoves(director="orbit_360"), scene)
    (said,) = METHOD.check(scene, path, DimensionXSettings(strength=0.5, switch_to_t=0.2))
    assert "Director strength, T-Director from has no effect" in said


def test_a_missing_lora_file_is_named_without_its_folder(scene):
    with pytest.raises(InputError, match=r"no LoRA file 'mine\.safetensors'"):
        METHOD.check(
            scene, METHOD.path(DimensionXMoves(), scene), DimensionXSettings(lora_file="/secret/mine.safetensors")
        )


def test_estimates_are_the_published_ones(scene):
    clip = METHOD.estimate(METHOD.path(DimensionXMoves(), scene), DimensionXSettings())
    orbit = METHOD.estimate(METHOD.path(DimensionXMoves(director="orbit_360"), scene), DimensionXSettings(steps=25))
    assert (clip.seconds, clip.gigabytes["full"]) == (180, 26.33) and "published" in clip.basis
    assert (orbit.seconds, orbit.gigabytes["full"]) == (180, 30.52)


def test_checkpoints_have_unique_keys():
    assert len({each.key for each in METHOD.checkpoints}) == len(METHOD.checkpoints)
    assert checkpoint("base").repo == "zai-org/CogVideoX-5b-I2V"
