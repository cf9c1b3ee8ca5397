"""From scene to clip with tiny networks of the real classes; loading, cancelling, and the results."""

import gzip
import io
import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.method import Clip, Progress
from pipelines.methods.dualcamctrl import cost, disparity
from pipelines.methods.dualcamctrl.method import (
    ENCODERS,
    METHOD,
    RELEASED,
    TEXT,
    TOKENIZER,
    DualCamCtrlMoves,
    DualCamCtrlSettings,
)
from pipelines.methods.dualcamctrl.network import convert
from pipelines.methods.dualcamctrl.network import load as networks
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.network.vae import TiledWanVAE
from pipelines.methods.dualcamctrl.pipeline import DualCamCtrlPipeline, load
from pipelines.options import GROUP_OFFLOAD, MODEL_OFFLOAD, RunOptions
from pipelines.results import depth_frames
from pipelines.results.embedded_scene import scene_to_embed
from pipelines.results.record import record, save
from pipelines.runtime.acceleration.apply import accelerate
from pipelines.runtime.memory import place_on_device
from pipelines.shot import Shot
from pipelines.weights.checkpoints import build_random, strip_prefix
from pipelines.weights.components import byte_tokenizer
from pipelines.weights.hub import Weights

from .conftest import GOLDEN, golden_file


@pytest.fixture(scope="module")
def scene() -> Scene:
    width, height = 96, 64
    colour = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    depth = np.linspace(8, 1, height)[:, None].repeat(width, axis=1).astype(np.float32)
    depth[:6] = np.inf
    return Scene((View.of(colour, depth, pinhole(width, height, 60)),), unit="metres")


@pytest.fixture(scope="module")
def path(scene):
    return METHOD.path(DualCamCtrlMoves(frames=9, width=96, height=64), scene)


@pytest.fixture(scope="module")
def pipeline():
    return load(Weights(mode="tiny", seed=1, folder=None))


SETTINGS = DualCamCtrlSettings(steps=3, preview_every=2, prompt="a door")
QUICK = replace(SETTINGS, steps=2, preview_every=0)


def _run(pipeline, scene, path, settings=SETTINGS) -> tuple[list[Progress], Clip]:
    *progress, clip = pipeline(scene, path, settings)
    assert isinstance(clip, Clip)
    return progress, clip


@pytest.fixture(scope="module")
def run(pipeline, scene, path):
    return _run(pipeline, scene, path)


@pytest.fixture(scope="module")
def quick(pipeline, scene, path):
    return _run(pipeline, scene, path, QUICK)[1]


def test_every_step_is_told_and_some_show_a_frame(run):
    progress, _ = run
    steps = [(p.step, p.steps) for p in progress if p.phase == "Denoising"]
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    shown = [p.step for p in progress if p.preview is not None]
    assert shown == [2]
    assert next(p.preview for p in progress if p.preview is not None).shape == (64, 96, 3)


def test_the_clip_holds_both_videos_and_the_depth_in_16_bits(run, path):
    _, clip = run
    assert clip.frames.shape == clip.extras["depth"].shape == (9, 64, 96, 3)
    assert clip.frames.dtype == np.uint8 and clip.fps == 10 and clip.path is path
    with zipfile.ZipFile(io.BytesIO(clip.files["disparity-16-bit.zip"])) as archive:
        assert len(archive.namelist()) == 9
        frame = cv2.imdecode(np.frombuffer(archive.read("disparity-0003.png"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert frame.dtype == np.uint16 and frame.shape == (64, 96)
    colours = disparity.colour_disparity(np.round(frame / 65535 * 255).astype(np.uint8), "turbo")
    assert np.abs(colours.astype(int) - clip.extras["depth"][3].astype(int)).max() <= 12  # at most one grey level apart


def test_the_generated_scene_stands_where_the_path_says(run, scene, path):
    _, clip = run
    made = clip.scene
    assert made is not None and made.kind == "clip" and made.unit == "metres" and len(made.views) == 9
    np.testing.assert_allclose(made.views[8].world_from_camera, path.world_from_camera[8])
    assert np.array_equal(made.views[4].colour, clip.frames[4])
    nearest = 1 / depth_frames.disparity_range(scene.first).white
    assert all(view.depth[view.known].min() > 0.99 * nearest for view in made.views)


def test_the_generated_depth_is_found_again_beside_a_saved_result(run, scene, path, tmp_path):
    _, clip = run
    made = record(Shot(METHOD, scene, path, SETTINGS))
    saved = save(tmp_path, "shot", clip, made, carries=scene_to_embed(clip, scene, goes_on=False))
    depth = depth_frames.read_saved_depth(saved.video)
    generated = np.stack([np.where(view.known, 1 / view.depth, 0) for view in clip.scene.views])
    span = depth_frames.disparity_range(scene.first)
    np.testing.assert_allclose(np.nan_to_num(1 / depth), generated, atol=2e-3 * span.white)
    assert depth_frames.read_saved_depth(save(tmp_path, "bare", clip, made).video) is None
    saved.files[depth_frames.DEPTH_FILE].unlink()
    assert depth_frames.read_saved_depth(saved.video) is None


def test_the_same_seed_gives_the_same_clip_and_another_does_not(pipeline, run, scene, path):
    _, again = _run(pipeline, scene, path)
    assert np.array_equal(again.frames, run[1].frames)
    _, other = _run(pipeline, scene, path, replace(SETTINGS, seed=7))
    assert not np.array_equal(other.frames, run[1].frames)


@pytest.mark.parametrize(
    "change",
    [{"prompt": "a cat"}, {"negative_prompt": ""}, {"guidance": 1.0}, {"translation_scale": 4.0}, {"lens_rule": "demo app"},
     {"stage": "late"}, {"shift": 2.0}, {"mode": TEXT}],
)  # fmt: skip
def test_every_setting_matters(pipeline, quick, scene, path, change):
    _, other = _run(pipeline, scene, path, replace(QUICK, **change))
    assert not np.array_equal(other.frames, quick.frames)


def test_the_camera_matters(pipeline, run, scene, path):
    turned = METHOD.path(DualCamCtrlMoves(preset="circle", frames=9, width=96, height=64), scene)
    assert not np.array_equal(_run(pipeline, scene, turned)[1].frames, run[1].frames)


def test_the_depth_matters(pipeline, run, scene, path):
    nearer = replace(scene.first, depth=scene.first.depth[::-1].copy(), known=scene.first.known[::-1].copy())
    settings = replace(SETTINGS, translation_unit="path", translation_scale=1 / scene.first.focus_depth)
    _, other = _run(pipeline, replace(scene, views=(nearer,)), path, settings)
    assert not np.array_equal(other.frames, _run(pipeline, scene, path, settings)[1].frames)


def test_text_to_video_does_not_look_at_the_picture(pipeline, scene, path):
    settings = replace(SETTINGS, mode=TEXT)
    inverted = replace(scene, views=(replace(scene.first, colour=255 - scene.first.colour),))
    _, one = _run(pipeline, scene, path, settings)
    _, two = _run(pipeline, inverted, path, settings)
    assert np.array_equal(one.frames, two.frames) and one.scene is None


def test_the_decoder_cuts_upstreams_tiles(pipeline):
    vae = pipeline.networks.vae
    assert vae.use_tiling and (vae.tile_sample_min_height, vae.tile_sample_min_width) == (240, 416)
    assert (vae.tile_sample_stride_height, vae.tile_sample_stride_width) == (120, 208)


def test_closing_cancels(pipeline, scene, path):
    running = pipeline(scene, path, SETTINGS)
    for progress in running:
        if progress.phase == "Denoising" and progress.step == 1:
            break
    running.close()
    with pytest.raises(StopIteration):
        next(running)


def test_what_cannot_be_shot_is_refused_before_work(pipeline, scene, path):
    with pytest.raises(InputError, match="4k"):
        next(pipeline(scene, path.resampled(8), SETTINGS))


def test_warnings_and_a_cut_prompt_are_noted(pipeline, scene, path):
    settings = replace(SETTINGS, translation_scale=10.0, prompt="a" * 520)
    _, clip = _run(pipeline, scene, path, settings)
    assert "0.3 to 0.5" in clip.notes[0] and clip.notes[-1].startswith("The prompt is 9 tokens too long")


@pytest.mark.parametrize("mode", [MODEL_OFFLOAD, GROUP_OFFLOAD])
def test_offloading_changes_nothing(pipeline, run, scene, path, mode):
    with place_on_device(pipeline, mode, torch.device("cpu")):
        _, clip = _run(pipeline, scene, path)
    assert np.array_equal(clip.frames, run[1].frames)


def test_bfloat16_as_on_a_gpu(run, scene, path):
    """Everything in bfloat16, as upstream: close to the float32 clip, no other dtype left."""
    kinds = (DualCamCtrlTransformer, TiledWanVAE, networks.UMT5EncoderModel, networks.CLIPVisionModel)
    loaded = [build_random(kind, networks.TINY[kind], seed=1, dtype=torch.bfloat16) for kind in kinds]
    pipeline = DualCamCtrlPipeline(networks.Networks(*loaded, byte_tokenizer(320)), torch.device("cpu"), torch.bfloat16)
    _, clip = _run(pipeline, scene, path)
    assert np.corrcoef(clip.frames.ravel(), run[1].frames.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("cache", ["first block", "TaylorSeer"])
def test_a_step_cache_saves_work(pipeline, scene, path, cache):
    """The positive and negative passes have separate states: with a shared one, the first would find the other's residual."""
    ran = []
    layer = pipeline.networks.transformer.blocks[3].depth.attn1.to_q
    hook = layer.register_forward_hook(lambda *_: ran.append(True))
    settings, options = replace(SETTINGS, steps=8), RunOptions(cache=cache, cache_threshold=0.5)
    with accelerate(pipeline, options, steps=8):
        _run(pipeline, scene, path, settings)
    hook.remove()
    assert 2 <= len(ran) < 16


def test_components_are_what_the_runtime_moves(pipeline):
    assert list(pipeline.components) == ["text_encoder", "image_encoder", "transformer", "vae"]
    assert all(isinstance(network, torch.nn.Module) for network in pipeline.components.values())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (DualCamCtrlTransformer, "transformer"),
        (networks.UMT5EncoderModel, "text encoder"),
        (networks.CLIPVisionModel, "image encoder"),
        (TiledWanVAE, "vae"),
    ],
)
def test_the_estimate_counts_the_weights_as_they_are(kind, name):
    network = networks.empty(kind)
    if kind is networks.UMT5EncoderModel:
        network.tie_weights()
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert cost.WEIGHTS[name] == pytest.approx(2 * counted / 1e9, abs=0.02)


def test_full_size_encoders_take_every_tensor_of_the_wrapper():
    keys = json.loads(gzip.decompress((GOLDEN / "full_wrapper_keys.json.gz").read_bytes()))["keys"]
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    loads = {
        "pipe.vae.model.": (TiledWanVAE, convert.load_vae),
        "pipe.text_encoder.": (networks.UMT5EncoderModel, convert.load_text_encoder),
        "pipe.image_encoder.model.": (networks.CLIPVisionModel, convert.load_image_encoder),
    }
    for prefix, (kind, fill) in loads.items():
        assert fill(networks.empty(kind), strip_prefix(state, prefix), source="the wrapper").loaded > 190


@pytest.fixture
def golden_sizes(monkeypatch):
    """The sizes of the golden networks instead of the published ones."""
    config = json.loads((GOLDEN / "tiny_transformer_config.json").read_text())
    sizes = {
        networks.UMT5EncoderModel: networks.TINY[networks.UMT5EncoderModel] | {"vocab_size": 96},
        networks.CLIPVisionModel: networks.TINY[networks.CLIPVisionModel] | {"num_hidden_layers": 3},
        TiledWanVAE: networks.TINY[TiledWanVAE],
        DualCamCtrlTransformer: networks.TINY[DualCamCtrlTransformer] | {"freq_dim": config["freq_dim"]},
    }
    monkeypatch.setattr(networks, "FULL", sizes)


def _released_folder(root) -> None:
    wrapper = {f"pipe.dit.{key}": value for key, value in golden_file("tiny_transformer").items()}
    wrapper |= {f"pipe.{key}": value for key, value in golden_file("tiny_encoders").items()}
    folder = root / RELEASED.repo
    folder.mkdir(parents=True)
    torch.save(wrapper, folder / RELEASED.files[0])
    byte_tokenizer(300).save_pretrained(root / TOKENIZER.repo / "google" / "umt5-xxl")


def test_a_released_wrapper_file_on_disk(
    golden_sizes, tmp_path, scene, path, transformer, vae, text_encoder, image_encoder
):
    _released_folder(tmp_path)
    settings = replace(SETTINGS, prompt="", negative_prompt="")
    _, ours = _run(load(Weights(mode="real", folder=tmp_path)), scene, path, settings)
    loaded = networks.Networks(transformer, vae, text_encoder, image_encoder, byte_tokenizer(300))
    expected = DualCamCtrlPipeline(loaded, torch.device("cpu"), torch.float32)
    assert np.array_equal(ours.frames, _run(expected, scene, path, settings)[1].frames)


def test_a_denoiser_saved_by_training(
    golden_sizes, tmp_path, scene, path, transformer, vae, text_encoder, image_encoder
):
    """Beside Wan's own encoders in diffusers' layout."""
    transformer.save_pretrained(tmp_path / RELEASED.repo)
    for name, network in (("vae", vae), ("text_encoder", text_encoder), ("image_encoder", image_encoder)):
        network.save_pretrained(tmp_path / ENCODERS.repo / name)
    byte_tokenizer(300).save_pretrained(tmp_path / TOKENIZER.repo / "google" / "umt5-xxl")
    settings = replace(SETTINGS, prompt="", negative_prompt="")
    weights = Weights(mode="real", folder=tmp_path)
    _, ours = _run(load(weights), scene, path, settings)
    assert weights.revisions[RELEASED.repo] == "local folder"
    loaded = networks.Networks(transformer, vae, text_encoder, image_encoder, byte_tokenizer(300))
    expected = DualCamCtrlPipeline(loaded, torch.device("cpu"), torch.float32)
    theirs = _run(expected, scene, path, settings)[1].frames
    assert np.abs(ours.frames.astype(int) - theirs.astype(int)).max() <= 1


def test_without_the_released_file_it_is_said_what_to_do(tmp_path):
    with pytest.raises(InputError, match="FayeHongfeiZhang/DualCamCtrl"):
        load(Weights(mode="real", folder=tmp_path))
