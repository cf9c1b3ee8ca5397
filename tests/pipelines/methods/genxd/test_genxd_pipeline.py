"""The loaded method end to end: with a hub folder, without weights, in every mode."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from camera import formats
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.trajectories import genxd
from camera.view import Scene, View
from pipelines.method import Clip, Progress
from pipelines.methods.genxd.export import camera_files
from pipelines.methods.genxd.method import METHOD
from pipelines.methods.genxd.pipeline import load
from pipelines.weights.hub import Weights

SIZE = 64
Moves, Settings = METHOD.moves, METHOD.settings


def picture(seed: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)


def view(seed: int = 0, pose: np.ndarray | None = None) -> View:
    return View.of(picture(seed), np.full((SIZE, SIZE), 3.0), pinhole(SIZE, SIZE, 50), pose)


@pytest.fixture(scope="module")
def tiny():
    return load(Weights("tiny"))


@pytest.fixture(scope="module")
def still():
    return Scene((view(),))


def shoot(pipeline, scene, path, **settings) -> tuple[list[Progress], list[Clip]]:
    settings = Settings(**{"steps": 2} | settings)
    METHOD.check(scene, path, settings)
    said = list(pipeline(scene, path, settings))
    return [s for s in said if isinstance(s, Progress)], [s for s in said if isinstance(s, Clip)]


def path_of(scene, **moves) -> CameraPath:
    return METHOD.path(Moves(width=SIZE, height=SIZE, **moves), scene)


@pytest.fixture(scope="module")
def hub(golden, tmp_path_factory):
    """The published layout with the original's tiny networks."""
    folder = tmp_path_factory.mktemp("weights") / "Yuyang-z" / "genxd"
    for part, name in (("unet", "config.json"), ("vae", "config.json"), ("scheduler", "scheduler_config.json")):
        (folder / part).mkdir(parents=True)
        config = json.loads((golden / f"genxd/tiny/{part}_config.json").read_text())
        kind = {"unet": "UNetMVTemporalConditionModel", "vae": "AutoencoderKLTemporalDecoder"}.get(part)
        (folder / part / name).write_text(json.dumps({"_class_name": kind} | config if kind else config))
        if kind:
            state = load_file(golden / f"genxd/tiny/{part}_f8.safetensors")
            file = folder / part / "diffusion_pytorch_model.safetensors"
            save_file({key: value.float() for key, value in state.items()}, file)
    return folder


def test_a_few_views_from_the_hub_folder_give_the_original_frames(golden, hub):
    arrays = np.load(golden / "genxd/tiny/pipeline_io.npz")
    case = {key.split("/", 1)[1]: arrays[key] for key in arrays if key.startswith("fewshot_3views/")}
    lens = np.array([[0.8 * SIZE, 0, 31.5], [0, 0.8 * SIZE, 31.5], [0, 0, 1]])
    views = tuple(
        View.of(np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8), np.full((SIZE, SIZE), 3.0), lens, pose)
        for image, pose in zip(case["context_image"], case["context_c2w"])
    )
    scene = Scene(views, "views")
    targets = [i for i in range(12) if i not in case["context_index"]]
    path = CameraPath(case["target_c2w"][targets], lens, SIZE, SIZE, 6)
    pipeline = load(Weights("real", folder=hub.parents[1]))
    (clip,) = shoot(pipeline, scene, path, seed=3407)[1]
    expected = case["frames_f16"][targets].transpose(0, 2, 3, 1).astype(np.float32) * 255
    np.testing.assert_allclose(clip.frames, expected, atol=0.5 + 3e-3 * 255)


def test_a_damaged_hub_folder_is_refused(hub, tmp_path):
    import shutil

    folder = tmp_path / "Yuyang-z" / "genxd"
    shutil.copytree(hub, folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(file)
    del state["mid_block.resnets.0.time_mixer.gamma"]
    save_file(state, file)
    with pytest.raises(InputError, match=r"time_mixer\.gamma"):
        load(Weights("real", folder=tmp_path))


@pytest.mark.parametrize("mode", ["3D", "4D", "video"])
def test_one_picture_in_every_mode(tiny, still, mode):
    progress, (clip,) = shoot(tiny, still, path_of(still), mode=mode)
    assert [(p.phase, p.step, p.steps) for p in progress] == [
        ("Shooting", 1, 2),
        ("Shooting", 2, 2),
        ("Developing", 1, 1),
    ]
    assert clip.frames.shape == (12, SIZE, SIZE, 3) and len(clip.path) == 12 and clip.fps == 6
    assert progress[0].preview.shape == (SIZE, SIZE, 3)
    assert clip.extras["contact sheet"].shape[0] == 1


def test_the_same_seed_gives_the_same_clip_and_another_does_not(tiny, still):
    path = path_of(still)
    one, same, other = (shoot(tiny, still, path, seed=seed)[1][0].frames for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_motion_strength_matters_in_4d_only(tiny, still):
    path = path_of(still)
    for mode, matters in (("3D", False), ("4D", True)):
        one, two = (shoot(tiny, still, path, mode=mode, motion_strength=m)[1][0].frames for m in (0, 5))
        assert (one != two).any() == matters


def test_the_path_matters_unless_it_is_a_video(tiny, still):
    for mode, matters in (("3D", True), ("video", False)):
        one, two = (shoot(tiny, still, path_of(still, azimuth_end=end), mode=mode)[1][0].frames for end in (30, 60))
        assert (one != two).any() == matters


def test_more_views_yield_the_first_twelve_early(tiny, still):
    progress, (first, clip) = shoot(tiny, still, path_of(still, frames=20), more_views=True)
    assert len(first.frames) == 12 and clip.frames.shape[0] == len(clip.path) == 20
    assert [p.note for p in progress if p.phase == "Developing"] == [f"group {i} of 4" for i in (1, 2, 3, 4)]
    assert progress[-2].step == progress[-2].steps == 8
    assert all(frame.std() > 1 for frame in clip.frames), "a frame of the path was not made"


def test_one_known_view_per_group_works(tiny):
    scene = Scene((view(0), view(1, np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 0.2)), "views")
    path = path_of(scene, move="spline", frames=14)
    _, (clip,) = shoot(tiny, scene, path, contexts=1)
    assert len(clip.frames) == 14


def test_shared_noise_is_drawn_once(tiny, still, monkeypatch):
    import pipelines.methods.genxd.pipeline as module

    drawn = []
    original = module.noise
    monkeypatch.setattr(module, "noise", lambda *given: drawn.append(1) or original(*given))
    path = path_of(still, frames=14)
    for share, count in ((False, 3), (True, 1)):
        drawn.clear()
        shoot(tiny, still, path, more_views=True, share_noise=share)
        assert len(drawn) == count


@pytest.mark.parametrize("mode", ["model offload", "group offload", "fp8", "int8"])
def test_every_memory_mode_shoots(still, mode):
    """Offloading changes nothing; 8-bit storage changes little (the autoencoder is never stored in 8 bits)."""
    from pipelines.runtime.memory import place_on_device, storage_mode

    pipeline = load(Weights("tiny"))
    path = path_of(still)
    plain = shoot(pipeline, still, path)[1][0].frames
    with place_on_device(pipeline, mode, torch.device("cpu")):
        moved = shoot(pipeline, still, path)[1][0].frames
        stored = storage_mode(pipeline.unet), storage_mode(pipeline.vae)
    if mode in ("fp8", "int8"):
        assert stored == (mode, None)
        assert moved.shape == plain.shape and (moved != plain).any()
    else:
        np.testing.assert_array_equal(moved, plain)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mode", ["3D", "4D"])
def test_half_precision_stays_near(still, dtype, mode):
    pipeline = load(Weights("tiny"))
    path = path_of(still)
    whole = shoot(pipeline, still, path, mode=mode)[1][0].frames.astype(int)
    pipeline.unet.to(dtype)
    half = shoot(pipeline, still, path, mode=mode)[1][0].frames.astype(int)
    assert np.abs(whole - half).mean() < 8


def test_guidance_one_runs(tiny, still):
    assert len(shoot(tiny, still, path_of(still), guidance=1)[1][0].frames) == 12


@pytest.mark.parametrize("kind", ["still", "clip"])
def test_a_start_leaves_its_mark(tiny, still, kind):
    """With little noise the clip stays close to its start: the rehearsal, or the given clip."""
    scene = still if kind == "still" else Scene(tuple(view(i // 4) for i in range(24)), "clip")
    path = path_of(still)
    started = shoot(tiny, scene, path, steps=10, start_strength=0.1)
    assert sum(p.phase == "Shooting" for p in started[0]) == 1
    free = shoot(tiny, scene, path, steps=10)[1][0]
    assert (free.frames != started[1][0].frames).any()


def test_cameras_are_written_as_the_original_does(golden):
    """The README's command: forward, radius 2, focal 1.0938; including the original's jump at the first frame."""
    case = json.loads((golden / "genxd/inference_forward.json").read_text())
    path = CameraPath(
        genxd.forward(12, (-30, 30), original_jump=True), genxd_lens(case["args"]["focal"]), SIZE, SIZE, 6
    )
    files = camera_files(path, path.world_from_camera[0])
    written, relative = (json.loads(files[name]) for name in ("genxd.json", "genxd_rel.json"))
    for key, expected in case["cameras"].items():
        np.testing.assert_allclose(written[key], expected, atol=1e-5, rtol=1e-6, err_msg=key)
    np.testing.assert_allclose(relative, case["relative"], atol=1e-5)


def genxd_lens(focal):
    return np.array([[focal * SIZE, 0, (SIZE - 1) / 2], [0, focal * SIZE, (SIZE - 1) / 2], [0, 0, 1]])


def test_the_reconstruction_folder_holds_views_cameras_and_points(tiny):
    import pycolmap

    away = np.eye(4)
    away[0, 3] = 0.2
    scene = Scene((view(0), view(1, away)), "views")
    clip = shoot(tiny, scene, path_of(scene, move="spline", frames=5), contexts=2)[1][-1]
    with zipfile.ZipFile(io.BytesIO(clip.files["colmap.zip"])) as archive, tempfile.TemporaryDirectory() as folder:
        archive.extractall(folder)
        model = pycolmap.Reconstruction(f"{folder}/sparse/0")
        names = sorted(image.name for image in model.images.values())
        assert names == [f"frame_{i:05d}.png" for i in range(1, 8)]
        assert sorted(p.name for p in Path(folder, "images").iterdir()) == names
        stored = cv2.imread(f"{folder}/images/frame_00003.png")[..., ::-1]
        np.testing.assert_array_equal(stored, clip.frames[2])
        image = model.find_image_with_name("frame_00003.png")
        pose = image.cam_from_world().inverse().matrix()
        np.testing.assert_allclose(pose, clip.path.world_from_camera[2, :3], atol=1e-9)
    assert 1000 < model.num_points3D() <= 20_000
    depths = [point.xyz[2] for point in model.points3D.values()]
    np.testing.assert_allclose(depths, 3.0)


def test_cameras_are_written_in_every_format(tiny, still):
    clip = shoot(tiny, still, path_of(still))[1][0]
    with zipfile.ZipFile(io.BytesIO(clip.files["cameras.zip"])) as archive:
        names = set(archive.namelist())
        assert names == {form.file_name for form in formats.FORMATS.values()}
        for name in names - {form.file_name for form in formats.FORMATS.values() if not form.readable}:
            again = formats.read(name, archive.read(name), like=clip.path)
            moved = again.moved_to(clip.path.world_from_camera[0])
            np.testing.assert_allclose(moved.centres, clip.path.centres, atol=1e-4, err_msg=name)


def test_a_lens_that_colmap_cannot_hold_does_not_cost_the_clip(tiny, still):
    path = path_of(still)
    skewed = path.intrinsics.copy()
    skewed[:, 0, 1] = 0.5
    clip = shoot(tiny, still, CameraPath(path.world_from_camera, skewed, SIZE, SIZE, 6))[1][0]
    assert "colmap.zip" not in clip.files and any("skew" in note for note in clip.notes)


def test_padding_is_cut_off_and_the_lens_follows(tiny):
    wide = View.of(np.full((32, SIZE, 3), 200, np.uint8), np.full((32, SIZE), 3.0), pinhole(SIZE, 32, 50))
    scene = Scene((wide.fitted(SIZE, SIZE, "pad"),))
    path = path_of(scene)
    clip = shoot(tiny, scene, path)[1][0]
    assert clip.frames.shape[1:3] == (32, SIZE) and (clip.path.width, clip.path.height) == (SIZE, 32)
    np.testing.assert_allclose(clip.path.intrinsics[0], wide.intrinsics)
    assert shoot(tiny, scene, path, crop_padding=False)[1][0].frames.shape[1:3] == (SIZE, SIZE)


def test_the_given_picture_can_be_left_out(tiny, still):
    clip = shoot(tiny, still, path_of(still), only_new=True)[1][0]
    assert len(clip.frames) == len(clip.path) == 11


def test_closing_cancels(tiny, still):
    run = tiny(still, path_of(still), Settings(steps=50))
    assert isinstance(next(run), Progress)
    run.close()
    assert not torch.is_inference_mode_enabled()


def test_random_weights_are_of_full_size(monkeypatch):
    """Complete networks would need gigabytes; what matters is the configuration they are built from."""
    import pipelines.methods.genxd.pipeline as module

    monkeypatch.setattr(module, "fill_randomly", lambda network, **options: network)
    pipeline = load(Weights("random"))
    assert sum(p.numel() for p in pipeline.unet.parameters()) == 1_932_125_520
    assert sum(p.numel() for p in pipeline.vae.parameters()) == 97_742_847
