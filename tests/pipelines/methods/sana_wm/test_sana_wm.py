"""SANA-WM: our run equals diffusers' own pipeline with the same networks; cameras in metres and its pixels; one folder."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.sana_wm.cam_utils import action_string_to_c2w
from diffusers.pipelines.sana_wm.pipeline_sana_wm import SanaWMPipeline
from PIL import Image

from camera.errors import InputError
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.methods.sana_wm import pipeline
from pipelines.methods.sana_wm.method import METHOD, SanaWMSettings
from pipelines.methods.sana_wm.steps import stepwise
from pipelines.options import RunOptions
from pipelines.runtime import memory
from pipelines.runtime.device import Device
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot
from pipelines.weights.hub import Weights

gc.freeze()
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def loaded():
    return pipeline.load(Weights("tiny"))


@pytest.fixture(scope="module")
def shot():
    scene, path, settings = default_shot(METHOD, steps=2, size="128x64", frames=9, given=["prompt=a hall", "seed=5"])
    return Shot(METHOD, scene, path, settings, RunOptions(weights="tiny"))


def test_it_is_diffusers_own_pipeline_told_our_cameras(loaded, shot):
    *_, clip = loaded(shot.scene, shot.path, shot.settings)
    own = SanaWMPipeline(
        **{name: getattr(loaded.pipe, name) for name in ("tokenizer", "scheduler", *loaded.components)}
    )
    own.set_progress_bar_config(disable=True)
    middle = shot.path.intrinsics + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    poses = shot.path.scaled(3.0 / shot.scene.first.focus_depth).world_from_camera
    video = own(
        Image.fromarray(shot.scene.first.colour), "a hall", c2w=poses, intrinsics=middle, height=64, width=128, num_frames=9,
        num_inference_steps=2, generator=torch.Generator().manual_seed(5),
    )  # fmt: skip
    assert np.abs(clip.frames.astype(float) - np.asarray(video.frames) * 255).max() <= 0.51


def test_the_camera_goes_in_metres_and_the_lens_from_the_corner(shot):
    metric = replace(shot.scene, unit="metres")
    poses, lenses = pipeline.cameras(metric, shot.path, SanaWMSettings())
    assert np.allclose(poses, shot.path.world_from_camera, atol=1e-6)
    assert np.allclose(lenses[0, 2:], [64, 32]), "a centred lens has its middle at half the size"
    far, _ = pipeline.cameras(shot.scene, shot.path, SanaWMSettings(subject_metres=6))
    unit = shot.scene.first.focus_depth
    assert np.allclose(far[:, :3, 3], shot.path.centres * 6 / unit, atol=1e-5)


def test_diffusers_axes_are_ours(shot):
    forward, right = (action_string_to_c2w(f"{key}-1")[1, :3, 3] for key in "wd")
    assert forward[2] > 0 and right[0] > 0, "OpenCV: x right, z forward"


def test_it_runs_the_same_in_every_memory_mode(shot, monkeypatch):
    monkeypatch.setattr(memory, "RESIDENT_BYTES", 0)
    runtime, pictures = Runtime(Device("cpu")), []
    for mode in ("full", "model offload", "group offload"):
        items = runtime.run(replace(shot, options=RunOptions(weights="tiny", memory=mode)))
        pictures += [item.frames for item in items if isinstance(item, Clip)]
    assert len(pictures) == 3 and all(np.array_equal(pictures[0], other) for other in pictures[1:])
    runtime.unload()


@pytest.mark.parametrize(
    "frames, size, said",
    [(8, "128x64", "use 9 or 17"), (969, "128x64", "use 953 or 961"), (9, "120x64", "use 128 x 64")],
)
def test_lengths_and_sizes_that_it_cannot_make_name_those_that_it_can(shot, frames, size, said):
    width, height = map(int, size.split("x"))
    path = shot.path.resampled(frames).resized(width, height)
    with pytest.raises(InputError, match=said):
        METHOD.check(shot.scene, path, shot.settings)
    with pytest.raises(InputError, match="one picture"):
        METHOD.check(replace(shot.scene, kind="clip"), shot.path, shot.settings)


def test_what_the_network_never_saw_is_warned_of(shot):
    said = " ".join(METHOD.check(shot.scene, shot.path.with_fps(24).moved_to(_ahead()), shot.settings))
    for words in (
        "1280 x 704",
        "16 frames per second, not at 24",
        "does not begin",
        "3 m away",
        "Only the first stage",
    ):
        assert words in said


def _ahead() -> np.ndarray:
    pose = np.eye(4)
    pose[2, 3] = 1
    return pose


def test_a_call_in_steps_stands_still_between_them_and_ends_when_closed():
    told: list[int] = []

    def call(tell):
        for number in range(3):
            told.append(number)
            tell(Progress("Counting", number + 1, 3))
        return "done"

    steps = stepwise(call)
    assert [next(steps).step, next(steps).step] == [1, 2] and told == [0, 1]
    steps.close()
    assert told == [0, 1]

    def failing(tell):
        tell(1)
        raise InputError("It broke.")

    with pytest.raises(InputError, match="It broke"):
        list(stepwise(failing))


def test_it_lives_in_one_folder_of_300_lines():
    files = sorted((ROOT / "pipelines" / "methods" / "sana_wm").glob("*.py"))
    assert sum(len(file.read_text().splitlines()) for file in files) <= 300
    others = [
        file
        for folder in ("camera", "pipelines", "tabs")
        for file in (ROOT / folder).rglob("*.py")
        if file not in files and "sana_wm" in file.read_text().lower()
    ]
    assert others == []
