"""From scene and path to a clip with tiny networks; equality with diffusers' own pipelines."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from diffusers import CogVideoXImageToVideoPipeline, CogVideoXPipeline
from PIL import Image

from camera.errors import InputError
from camera.path import pinhole
from camera.view import Scene, View
from pipelines.method import Clip, Progress
from pipelines.methods.dimensionx.clip import Shot, shoot
from pipelines.methods.dimensionx.grid_4d import key_moments
from pipelines.methods.dimensionx.method import METHOD, DimensionXMoves, DimensionXSettings
from pipelines.methods.dimensionx.network.load import load_networks
from pipelines.methods.dimensionx.pipeline import load
from pipelines.methods.dimensionx.sampling import scheduler_named
from pipelines.weights.hub import Weights


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights("tiny", seed=1)


@pytest.fixture(scope="module")
def pipeline(weights):
    return load(weights)


@pytest.fixture(scope="module")
def scene() -> Scene:
    across, down = np.meshgrid(np.linspace(0, 255, 96), np.linspace(0, 255, 64))
    colour = np.stack([across, down, 255 - across], axis=-1).astype(np.uint8)
    return Scene((View.of(colour, np.full((64, 96), 3.0, np.float32), pinhole(96, 64, 60)),))


def short(**moves) -> DimensionXMoves:
    return DimensionXMoves(**{"frames": 9, **moves})


def run(pipeline, scene, settings, moves=None) -> tuple[Clip, list[Progress]]:
    events = list(pipeline(scene, METHOD.path(moves or short(), scene), settings))
    clips = [event for event in events if isinstance(event, Clip)]
    return clips[-1], [event for event in events if isinstance(event, Progress)]


QUICK = {"steps": 2, "guidance": 2.0, "prompt": "a red house"}


def test_a_click_becomes_a_clip(pipeline, scene):
    clip, progress = run(pipeline, scene, DimensionXSettings(**{**QUICK, "steps": 5}))
    assert clip.frames.shape == (9, 64, 96, 3) and clip.frames.dtype == np.uint8
    assert len(clip.path) == 9 and clip.fps == 8 and clip.path.width == 96
    assert [(each.step, each.steps) for each in progress if each.phase == "Shooting"] == [(n, 5) for n in range(1, 6)]
    assert progress[-2].preview is not None and progress[-2].preview.shape == (8, 12, 3)
    assert any("Orbit left" in note and "nominal" in note for note in clip.notes)


def frames_of(pipeline, scene, moves=None, **settings):
    return run(pipeline, scene, DimensionXSettings(**{**QUICK, **settings}), moves)[0].frames.astype(int)


def test_seeds_directors_strength_words_and_time_all_matter(pipeline, scene):
    clips = {
        "reference": frames_of(pipeline, scene),
        "seed": frames_of(pipeline, scene, seed=1),
        "director": frames_of(pipeline, scene, short(director="x_left")),
        "blend": frames_of(pipeline, scene, short(second_director="x_left")),
        "strength": frames_of(pipeline, scene, strength=2.0),
        "prompt": frames_of(pipeline, scene, prompt="a green boat"),
        "negative prompt": frames_of(pipeline, scene, negative_prompt="a green boat"),
        "guidance": frames_of(pipeline, scene, guidance=4.0),
        "fixed guidance": frames_of(pipeline, scene, dynamic_guidance=False),
        "sampler": frames_of(pipeline, scene, sampler="DDIM"),
        "switch": frames_of(pipeline, scene, switch_to_t=0.5),
        "T-Director alone": frames_of(pipeline, scene, switch_to_t=0.0),
    }
    assert np.array_equal(clips["reference"], frames_of(pipeline, scene))
    names = list(clips)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not np.array_equal(clips[one], clips[other]), (one, other)


def test_the_switch_of_directors_is_said(pipeline, scene):
    clip, _ = run(pipeline, scene, DimensionXSettings(**{**QUICK, "steps": 3}, switch_to_t=0.5))
    assert clip.notes[-1] == "The T-Director took over at step 3 of 3."


def test_strength_zero_is_the_plain_base(pipeline, scene):
    assert np.array_equal(
        frames_of(pipeline, scene, strength=0.0), frames_of(pipeline, scene, short(director="y_up"), strength=0.0)
    )


def test_the_orbit_has_145_frames(pipeline, scene):
    moves = DimensionXMoves(director="orbit_360")
    clip, _ = run(pipeline, scene, DimensionXSettings(**QUICK, sampler="SAT"), moves)
    assert clip.frames.shape == (145, 64, 96, 3) and len(clip.path) == 145


def test_text_alone_needs_no_picture(pipeline, scene):
    clip, _ = run(pipeline, scene, DimensionXSettings(**QUICK, use_picture=False))
    black = Scene((View.of(np.zeros((64, 96, 3), np.uint8), scene.first.depth, scene.first.intrinsics),))
    other, _ = run(pipeline, black, DimensionXSettings(**QUICK, use_picture=False))
    assert np.array_equal(clip.frames, other.frames)


@pytest.mark.parametrize("director", ["orbit_360", "x_left"])
def test_text_alone_is_one_clip_whatever_the_path(pipeline, scene, director):
    path = METHOD.path(short(director=director), scene)
    clips = [
        event
        for event in pipeline(scene, path, DimensionXSettings(**QUICK, use_picture=False))
        if isinstance(event, Clip)
    ]
    assert len(clips) == 1 and len(clips[0].frames) == (49 if director == "orbit_360" else 9)
    assert np.ptp(clips[0].path.centres, axis=0).max() < 1e-9


def test_a_sequence_is_shot_clip_by_clip(pipeline, scene):
    from camera.trajectories.dimensionx import nominal_path, sequence

    distance = scene.first.focus_depth
    path = sequence([nominal_path(scene.first.camera, [(id, 1.0)], distance=distance) for id in ("x_left", "pan_up")])
    clips = [
        event for event in pipeline(scene, path, DimensionXSettings(**{**QUICK, "steps": 1})) if isinstance(event, Clip)
    ]
    assert [len(clip.frames) for clip in clips] == [49, 97]
    np.testing.assert_allclose(clips[-1].path.world_from_camera, path.world_from_camera, atol=1e-9)
    assert np.array_equal(clips[-1].frames[:49], clips[0].frames)


def test_closing_the_generator_stops_after_a_step(pipeline, scene):
    run = pipeline(scene, METHOD.path(short(), scene), DimensionXSettings(**QUICK))
    while not (isinstance(event := next(run), Progress) and event.phase == "Shooting"):
        pass
    run.close()
    with pytest.raises(StopIteration):
        next(run)


def test_an_own_lora_takes_the_directors_place(pipeline, scene, tmp_path):
    from pipelines.methods.dimensionx.loras.layouts import save_lora
    from pipelines.methods.dimensionx.loras.sources import untrained_lora

    pipeline.prepare(scene, METHOD.path(short(), scene), DimensionXSettings())
    lora = untrained_lora(load_networks(Weights("tiny", seed=9), "image").transformer, "mine", 4, Weights("tiny"))
    save_lora(tmp_path / "mine.safetensors", lora)
    own = {"lora_file": str(tmp_path / "mine.safetensors")}
    one = frames_of(pipeline, scene, **own)
    assert not np.array_equal(one, frames_of(pipeline, scene))
    assert np.array_equal(one, frames_of(pipeline, scene, short(director="x_left"), **own))


@pytest.mark.parametrize("kind", ["image", "image_1_5", "text"])
@pytest.mark.parametrize("sampler", ["DPM++", "DDIM"])
def test_the_loop_is_diffusers_own(weights, scene, kind, sampler):
    networks = load_networks(weights, kind)
    networks.vae.register_to_config(invert_scale_latents=kind == "image_1_5")  # as in the VAE of 1.5
    frames = 9  # 3 latents: an odd number, which 1.5 pads to an even one
    settings = DimensionXSettings(steps=3, guidance=3.0, prompt="a red house", sampler=sampler)
    from pipelines.methods.dimensionx.latents import encode_text

    text = torch.cat([encode_text(networks, words, device=torch.device("cpu"))[0] for words in ("", settings.prompt)])
    picture = None if kind == "text" else scene.first.colour
    with torch.no_grad():
        *_, shot = shoot(
            networks, settings, text=text, picture=picture, frames=frames,
            generator=torch.Generator().manual_seed(5), device=torch.device("cpu"),
        )  # fmt: skip
    assert isinstance(shot, Shot)
    parts = {name: getattr(networks, name) for name in ("tokenizer", "text_encoder", "vae", "transformer")}
    stock = (CogVideoXPipeline if kind == "text" else CogVideoXImageToVideoPipeline)(
        **parts, scheduler=scheduler_named(sampler)
    )
    stock.set_progress_bar_config(disable=True)
    expected = stock(
        **({} if kind == "text" else {"image": Image.fromarray(picture)}),
        prompt=settings.prompt, num_frames=frames, num_inference_steps=3, guidance_scale=3.0, use_dynamic_cfg=True,
        width=96, height=64, max_sequence_length=24, generator=torch.Generator().manual_seed(5), output_type="latent",
    ).frames  # fmt: skip
    extra = expected.shape[1] - shot.latents.shape[1]
    networks.vae.register_to_config(invert_scale_latents=False)
    np.testing.assert_allclose(shot.latents, expected[:, extra:], atol=1e-5)


def test_shorter_clips_use_the_first_rows_of_the_position_table():
    table = load_networks(Weights("tiny", seed=77), "image").transformer.patch_embed
    table.pos_embedding = torch.randn(table.pos_embedding.shape, generator=torch.Generator().manual_seed(0))
    text, video = torch.zeros(1, 24, 32), torch.zeros(1, 3, 32, 8, 12)
    rows = 24 + 3 * 24
    with torch.no_grad():
        without = table.text_proj(text)[0, 0], table.proj(video[0])[0, :, 0, 0]
        got = table(text, video)[0]
    np.testing.assert_allclose(got[:24] - without[0], table.pos_embedding[0, :24], atol=1e-6)
    np.testing.assert_allclose(got[24:] - without[1], table.pos_embedding[0, 24:rows], atol=1e-6)
    with pytest.raises(InputError, match="trained for 49 frames; 53 are too many"):
        table(text, torch.zeros(1, 14, 32, 8, 12))


def test_extras_make_frames_more_larger_and_portable(pipeline, scene):
    settings = DimensionXSettings(**QUICK, interpolate="x2", upscale=True, also="gif")
    events = list(pipeline(scene, METHOD.path(short(), scene), settings))
    plain, clip = [event for event in events if isinstance(event, Clip)]
    assert plain.frames.shape == (9, 64, 96, 3) and clip.frames.shape == (17, 256, 384, 3)
    assert clip.fps == 16 and len(clip.path) == 17 and clip.path.width == 384
    assert clip.notes[-2:] == (
        "Real-ESRGAN enlarged every frame four times in width and height: 384 x 256.",
        "RIFE interpolated 9 frames to 17; they play at 16 per second.",
    )
    gif = Image.open(BytesIO(clip.files["clip.gif"]))
    assert gif.format == "GIF" and gif.n_frames == 17 and gif.size == (96, 64)
    assert set(pipeline.components) == {"text_encoder", "vae", "transformer", "interpolator", "upscaler"}


def test_upstreams_doubling_is_an_option(pipeline, scene):
    clip, _ = run(pipeline, scene, DimensionXSettings(**QUICK, interpolate="x2 as upstream"))
    assert len(clip.frames) == 18 and clip.fps == 3  # ceil(17 / 6)
    assert set(pipeline.components) == {"text_encoder", "vae", "transformer", "interpolator"}


def test_a_grid_of_moments_and_cameras(pipeline, scene):
    settings = DimensionXSettings(**QUICK, key_frames=3, refinement=0.5)
    clip, progress = run(pipeline, scene, settings)
    assert clip.frames.shape == (9, 64, 96, 3) and len(clip.path) == 9
    assert list(clip.extras) == [
        "time", "moment 0.0 s", "moment 0.5 s", "moment 1.0 s", "first camera", "middle camera", "last camera",
    ]  # fmt: skip
    assert clip.extras["last camera"].shape == (3, 64, 96, 3)
    assert np.array_equal(clip.extras["last camera"][1], clip.extras["moment 0.5 s"][-1])
    shots = {each.phase: [] for each in progress if "moment" in each.phase or "motion" in each.phase}
    for each in progress:
        shots.get(each.phase, []).append(each.step)
    assert list(shots.values()) == [[1, 2], [1, 2], [2], [2]]  # later frames start from the reference, half way through
    grid = json.loads(clip.files["grid.json"])
    assert grid["seconds"] == [0.0, 0.5, 1.0] and len(grid["world_from_camera"]) == 9 and grid["nominal"]
    assert any("our own choice" in note for note in clip.notes)
    free, _ = run(pipeline, scene, DimensionXSettings(**QUICK, key_frames=3, refinement=1.0))
    assert np.array_equal(free.extras["moment 0.0 s"], clip.extras["moment 0.0 s"])
    assert not np.array_equal(free.extras["moment 0.5 s"], clip.extras["moment 0.5 s"])


def test_the_reference_of_a_grid_is_chosen(pipeline, scene):
    settings = DimensionXSettings(**QUICK, key_frames=2, key_moment=2, refinement=0.5)
    clip, progress = run(pipeline, scene, settings)
    steps = [(each.phase[-6:], each.step) for each in progress if "moment" in each.phase]
    assert steps == [("2 of 2", 1), ("2 of 2", 2), ("1 of 2", 2)]
    assert [title for title in clip.extras if "moment" in title] == ["moment 0.0 s", "moment 1.0 s"]
    with pytest.raises(InputError, match="2 key frames, so its reference cannot be number 3"):
        METHOD.check(scene, METHOD.path(short(), scene), DimensionXSettings(key_frames=2, key_moment=3))


@pytest.mark.parametrize("director", ["orbit_360", "t_director"])
def test_a_grid_needs_one_moving_camera(scene, director):
    with pytest.raises(InputError, match="choose a single moving director"):
        METHOD.check(scene, METHOD.path(DimensionXMoves(director=director), scene), DimensionXSettings(key_frames=2))


def test_key_moments_are_spread_and_begin_with_the_picture():
    assert key_moments(49, 1) == (0,) and key_moments(49, 4) == (0, 16, 32, 48)


def test_pictures_of_another_shape_enter_as_chosen(pipeline):
    tall = np.zeros((96, 64, 3), np.uint8)
    tall[::7], tall[:, ::5] = 255, 128
    scene = Scene((View.of(tall, np.full((96, 64), 3.0, np.float32), pinhole(64, 96, 60)),))
    ways = ("crop", "pad", "stretch as the demo", "stretch as the script")
    clips = [frames_of(pipeline, scene, shape=way, steps=1) for way in ways]
    assert all(not np.array_equal(a, b) for i, a in enumerate(clips) for b in clips[i + 1 :])
    said = METHOD.check(scene, METHOD.path(short(), scene), DimensionXSettings(shape="pad"))
    assert "The frame of 64 x 96 is not 3:2 and gets black bars." in said
