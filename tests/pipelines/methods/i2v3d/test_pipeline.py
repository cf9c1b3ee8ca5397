"""Complete runs with tiny weights: stages, own keyframes, chained windows, subjects, and networks left unchanged."""

import io
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import save_file

from camera.errors import InputError
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, stage_objects
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.methods.i2v3d.keyframes import files
from pipelines.methods.i2v3d.method import KEYFRAMES, RENDERS, I2V3DSettings
from pipelines.methods.i2v3d.pipeline import load
from pipelines.methods.i2v3d.scene.coarse import CoarseRenders, render_path
from pipelines.methods.i2v3d.scene.project import read_project
from pipelines.methods.i2v3d.subject import lora
from pipelines.options import RunOptions
from pipelines.runtime.device import Device
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot
from pipelines.weights.hub import Weights

QUICK = {"steps": 2, "video_steps": 2, "prompt": "A toy on a desk."}


def shot(*, frames: int = 4, width: int = 128, height: int = 72, **settings):
    scene, path, _ = default_shot(method("i2v3d"), frames=frames, size=f"{width}x{height}")
    return scene, path, I2V3DSettings(**QUICK | settings)


@pytest.fixture(scope="module")
def pipeline():
    return load(Weights("tiny"))


def clips(pipeline, *arguments) -> list[Clip]:
    return [event for event in pipeline(*arguments) if isinstance(event, Clip)]


def test_the_default_move_becomes_a_video_with_all_that_steered_it(pipeline):
    scene, path, settings = default_shot(method("i2v3d"))
    events = list(pipeline(scene, path, settings))
    keyframes, video = (event for event in events if isinstance(event, Clip))
    assert len(keyframes.frames) == len(keyframes.path) == 2
    assert len(video.frames) == len(video.path) == 16 == len(path)
    assert {name: len(frames) for name, frames in video.extras.items()} == dict.fromkeys(
        ("coarse", "depth", "foreground", "keyframes"), 16
    )
    assert np.array_equal(video.extras["keyframes"][0], keyframes.frames[0])
    phases = [event.phase for event in events if isinstance(event, Progress)]
    assert phases.count("Painting the keyframes") > 1 and phases.count("Shooting between the keyframes") > 1


def test_several_windows_of_any_height_and_no_lost_frame(pipeline):
    scene, path, settings = shot(frames=9, width=136, height=72, window=5)
    *_, video = clips(pipeline, scene, path, replace(settings, depth_strength=0.5))
    assert video.frames.shape == (9, 72, 128, 3) and len(video.path) == 9
    *_, published = clips(pipeline, scene, path, replace(settings, form="published code"))
    assert len(published.frames) == len(published.path) == 5


def test_stages_stop_where_asked_and_own_keyframes_are_kept(pipeline, tmp_path):
    scene, path, settings = shot()
    (renders,) = clips(pipeline, scene, path, replace(settings, make=RENDERS))
    assert np.array_equal(renders.frames, renders.extras["coarse"])
    (made,) = clips(pipeline, scene, path, replace(settings, make=KEYFRAMES))
    own = np.full_like(made.frames[1], 200)
    file = tmp_path / "own.zip"
    file.write_bytes(files.pack(own[None], [3]))
    changed, _ = clips(pipeline, scene, path, replace(settings, keyframes_file=str(file)))
    assert np.array_equal(changed.frames[0], made.frames[0]) and np.array_equal(changed.frames[1], own)
    (again,) = clips(pipeline, scene, path, replace(settings, make=KEYFRAMES))
    assert np.array_equal(again.frames, made.frames)
    assert files.unpack(file, [0, 3], width=own.shape[1], height=own.shape[0]).keys() == {3}


def test_objects_are_in_the_renders_and_the_result_brings_its_project(pipeline):
    scene, path, settings = shot(make=RENDERS, foreground="objects")
    (without,) = clips(pipeline, scene, path, settings)
    ball = read_model(trimesh.creation.icosphere(2).export(file_type="ply"), "ball.ply")
    with_ball = stage_objects(scene, [SceneObject(ball, (Key(0, Placement(0, -0.2, 0.8, size=0.4)),))])
    (made,) = clips(pipeline, with_ball, path, settings)
    assert not without.extras["foreground"].any() and made.extras["foreground"].any() and not without.files
    assert not np.array_equal(made.extras["depth"], without.extras["depth"])
    assert "Objects were drawn by the plain renderer." in made.notes and not any("drawn" in n for n in without.notes)
    back = read_project(io.BytesIO(made.files["project.zip"]))
    assert back.scene.objects[0].keys == with_ball.objects[0].keys and back.settings == settings


@pytest.mark.parametrize(
    "names, size, words",
    [(["00002.png"], (72, 128), "frame 2"), (["notes.txt"], (72, 128), "no keyframes"), (["00000.png"], (8, 8), "8x8")],
)
def test_a_zip_of_keyframes_that_does_not_fit_is_refused(tmp_path, names, size, words):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, cv2.imencode(".png", np.zeros((*size, 3), np.uint8))[1].tobytes())
    file = tmp_path / "own.zip"
    file.write_bytes(stream.getvalue())
    with pytest.raises(InputError, match=words):
        files.unpack(file, [0, 3], width=128, height=72)
    file.write_bytes(b"no zip")
    with pytest.raises(InputError, match="not a readable zip"):
        files.unpack(file, [0, 3], width=128, height=72)


def test_the_runtime_moves_the_networks_and_changes_nothing(monkeypatch):
    from pipelines.runtime import memory

    monkeypatch.setattr(memory, "RESIDENT_BYTES", 0)
    runtime, known, arguments = Runtime(Device("cpu")), method("i2v3d"), shot()
    pictures = {}
    for mode in ("full", "model offload", "group offload"):
        *items, _ = runtime.run(Shot(known, *arguments, RunOptions(weights="tiny", memory=mode)))
        pictures[mode] = [item for item in items if isinstance(item, Clip)][-1].frames
    assert np.array_equal(pictures["full"], pictures["model offload"])
    assert np.array_equal(pictures["full"], pictures["group offload"])
    runtime.unload()


def test_cancelling_leaves_the_networks_as_they_were(pipeline):
    *_, before = clips(pipeline, *shot())
    for phase in ("Painting the keyframes", "Shooting between the keyframes"):
        run = pipeline(*shot())
        assert next(event for event in run if isinstance(event, Progress) and event.phase == phase and event.step == 1)
        run.close()
    *_, after = clips(pipeline, *shot())
    assert np.array_equal(before.frames, after.frames)


def subject_file(pipeline, path, *, strange: bool = False):
    """A LoRA of rank 2 for two layers of the tiny UNet, one per style of keys."""
    torch.manual_seed(0)
    base = "unet.up_blocks.0.attentions.0.transformer_blocks.0"
    attention, forward = f"{base}.attn1.to_q", f"{base}.ff.net.2"
    save_file(
        {
            f"{attention}.lora.down.weight": torch.randn(2, 32),
            f"{attention}.lora.up.weight": torch.randn(40 if strange else 32, 2),
            f"{forward}.lora_A.weight": torch.randn(2, 128),
            f"{forward}.lora_B.weight": torch.randn(32, 2),
        },
        path,
    )
    return str(path)


def test_a_subject_is_worn_during_the_run_only(pipeline, tmp_path):
    scene, path, settings = shot(make=KEYFRAMES)
    (plain,) = clips(pipeline, scene, path, settings)
    file = subject_file(pipeline, tmp_path / "subject.safetensors")
    (worn,) = clips(pipeline, scene, path, replace(settings, lora_file=file))
    (nothing,) = clips(pipeline, scene, path, replace(settings, lora_file=file, lora_strength=0.0))
    (again,) = clips(pipeline, scene, path, settings)
    assert not np.array_equal(worn.frames, plain.frames)
    assert np.array_equal(again.frames, plain.frames) and np.array_equal(nothing.frames, plain.frames)
    strange = subject_file(pipeline, tmp_path / "strange.safetensors", strange=True)
    with pytest.raises(InputError, match=r"does not fit SDXL at unet\.up_blocks"):
        lora.read_subject(strange, pipeline.keyframe_networks.trainable)


def test_coarse_renders_show_holes_foreground_and_near_as_bright():
    scene, path, settings = shot(frames=6, foreground_reach=0.95)
    *_, made = render_path(scene, path, settings)
    assert isinstance(made, CoarseRenders)
    assert made.visible[0].all() and not made.visible[-1].all()
    assert made.foreground.any() and not (made.foreground & ~made.visible).any()
    assert made.depth[made.foreground].mean() > made.depth[made.visible & ~made.foreground].mean()
    assert not made.colour[~made.visible].any() and not made.depth[~made.visible].any()
    pictures = made.depth_pictures
    assert pictures.min() == 0 and (pictures.max(axis=(1, 2)) == 1).all()


@pytest.mark.parametrize(
    "wrong, words",
    [({"together": 2, "overlap": 2}, "share fewer"), ({"form": "published code"}, "finds one keyframe")],
)
def test_what_cannot_be_run_is_refused(wrong, words):
    scene, path, settings = shot(**wrong)
    with pytest.raises(InputError, match=words):
        method("i2v3d").check(scene, path, settings)


def test_warnings_say_what_the_networks_never_saw():
    known = method("i2v3d")
    scene, path, settings = shot(frames=18, prompt="")
    notes = " ".join(known.check(scene, path, settings))
    assert "only 3 frames" in notes and "16 frames" in notes and "128x72" in notes and "Without a prompt" in notes


def test_estimates_grow_with_the_video_and_shrink_with_offloading():
    known, (_, path, settings) = method("i2v3d"), shot(frames=16)
    _, longer, _ = shot(frames=31)
    short, long = known.estimate(path, settings), known.estimate(longer, settings)
    assert long.seconds > 1.4 * short.seconds
    assert short.gigabytes["full"] > short.gigabytes["model offload"] > short.gigabytes["group offload"]
    assert known.estimate(path, replace(settings, make=RENDERS)).seconds == 0


def test_keyframes_can_be_chosen_and_have_prompts_of_their_own(pipeline):
    scene, path, settings = shot(frames=6, make=KEYFRAMES, keyframes_at="2")
    (plain,) = clips(pipeline, scene, path, settings)
    assert len(plain.frames) == 3
    with zipfile.ZipFile(io.BytesIO(plain.files["keyframes.zip"])) as archive:
        assert archive.namelist() == ["00000.png", "00002.png", "00005.png"]
    same = replace(settings, keyframe_prompts=f"2: {settings.prompt}", prompt=settings.prompt)
    assert np.array_equal(clips(pipeline, scene, path, same)[0].frames, plain.frames)
    apart = {"foreground_share": 0.0, "background_share": 0.0, "feature_share": 0.0}  # keyframes do not see each other
    alone, own = (
        clips(pipeline, scene, path, replace(settings, **apart, keyframe_prompts=words))[0].frames
        for words in ("", "2: Something else entirely, in blue.")
    )
    difference = np.abs(own.astype(int) - alone).max(axis=(1, 2, 3))
    assert difference[1] > 20 and difference[0] <= 1 and difference[2] <= 1
    *_, video = clips(pipeline, scene, path, replace(settings, make="video"))
    assert len(video.frames) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"keyframes_at": "3, x"}, "numbers of frames"),
        ({"keyframes_at": "99"}, "frames 0 to 59"),
        ({"keyframes_at": "2"}, "58 frames apart"),
        ({"keyframe_prompts": "7: A toy."}, "begins with its frame"),
        ({"keyframe_prompts": "A toy."}, "begins with its frame"),
    ],
)
def test_keyframes_that_cannot_be_are_refused(wrong, words):
    scene, path, settings = shot(frames=60, **wrong)
    with pytest.raises(InputError, match=words):
        method("i2v3d").check(scene, path, settings)
