"""From scene and path to a clip with tiny networks: phases, chunks, growth of the cache, cancel, extension, modes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from camera.errors import InputError
from camera.view import Scene
from pipelines.inputs.gen3c_npz import read_views
from pipelines.method import Clip, Progress
from pipelines.methods.gen3c import pipeline as shooting
from pipelines.methods.gen3c.continuation import added_views, check_continues, extend_path, take_back
from pipelines.methods.gen3c.method import METHOD, Gen3cMoves, Gen3cSettings, path
from pipelines.methods.gen3c.pipeline import load
from pipelines.methods.gen3c.sampling import initial_noise
from pipelines.shot import Shot
from pipelines.weights.hub import Weights

SETTINGS = Gen3cSettings(steps=2, chunk_frames=17, prompt="a box")


def _path(scene, frames=17, **changes):
    return path(Gen3cMoves(width=96, height=64, frames=frames, **changes), scene)


def _run(pipeline, *given, **named) -> list[Clip]:
    return [event for event in pipeline(*given, **named) if isinstance(event, Clip)]


@pytest.fixture(scope="module")
def long_run(tiny_pipeline, scene):
    """Three chunks of 17 frames: all yielded items."""
    return list(tiny_pipeline(scene, _path(scene, 49), SETTINGS))


def test_a_still_scene_becomes_a_clip(tiny_pipeline, scene):
    events = list(tiny_pipeline(scene, _path(scene), SETTINGS))
    *progress, clip = events
    assert all(isinstance(event, Progress) for event in progress)
    assert [event.phase for event in progress if event.phase == "Denoising"] == ["Denoising"] * 3
    assert clip.frames.shape == (17, 64, 96, 3) and clip.frames.dtype == np.uint8 and clip.fps == 24
    assert set(clip.extras) == {"cache"} and clip.extras["cache"].shape == clip.frames.shape
    np.testing.assert_allclose(clip.extras["cache"][0].mean(), scene.first.colour.mean(), atol=8)
    assert clip.scene is scene


def test_the_same_seed_gives_the_same_clip(tiny_pipeline, scene):
    first, again, other = (
        _run(tiny_pipeline, scene, _path(scene), replace(SETTINGS, seed=seed))[-1].frames for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_path_reaches_the_network_through_the_cache(tiny_pipeline, scene):
    left, right = (
        _run(tiny_pipeline, scene, _path(scene, trajectory=where), SETTINGS)[-1] for where in ("left", "right")
    )
    assert (left.extras["cache"][-1] != right.extras["cache"][-1]).any()
    assert (left.frames != right.frames).any()


def test_a_long_video_yields_every_chunk(long_run):
    clips = [event for event in long_run if isinstance(event, Clip)]
    assert [len(clip.frames) for clip in clips] == [17, 33, 49]
    for before, after in pairwise(clips):
        np.testing.assert_array_equal(after.frames[: len(before.frames)], before.frames)
        assert len(after.path) == len(after.frames)
    assert clips[-1].extras["cache"].shape == clips[-1].frames.shape
    assert any(isinstance(event, Progress) and event.phase.startswith("Chunk 2 of 3: ") for event in long_run)


def test_every_chunk_starts_from_its_own_noise(tiny_pipeline, scene, monkeypatch):
    drawn = []

    def remembered(shape, seed, *, chunk, device):
        drawn.append(initial_noise(shape, seed, chunk=chunk, device=device))
        return drawn[-1]

    monkeypatch.setattr(shooting, "initial_noise", remembered)
    _run(tiny_pipeline, scene, _path(scene, 33), SETTINGS)
    assert len(drawn) == 2 and (drawn[0] != drawn[1]).any()


def test_the_cache_grows_by_the_last_frame_of_each_chunk(long_run, scene):
    clip = [event for event in long_run if isinstance(event, Clip)][-1]
    added = added_views(clip, scene)
    assert len(added) == 2 and clip.scene.kind == "views"
    for view, frame in zip(added, (16, 32)):
        np.testing.assert_array_equal(view.colour, clip.frames[frame])
        np.testing.assert_allclose(view.world_from_camera, clip.path.world_from_camera[frame])
        assert 1.0 < view.focus_depth < 6.0
    first_chunk, later = clip.extras["cache, first picture"][:17], clip.extras["cache, first picture"][17:]
    assert not first_chunk.any() and later.any()


def test_written_views_hold_the_grown_cache(long_run, tmp_path):
    clip = [event for event in long_run if isinstance(event, Clip)][-1]
    (tmp_path / "views.npz").write_bytes(clip.files["views.npz"])
    again, cameras = read_views(tmp_path / "views.npz")
    assert len(again.views) == 3 and len(cameras) == 49
    assert clip.files["cache.ply"].startswith(b"ply") and clip.files["cache.glb"].startswith(b"glTF")


def test_cancel_keeps_finished_chunks(tiny_pipeline, scene):
    run, kept = tiny_pipeline(scene, _path(scene, 33), SETTINGS), None
    for event in run:
        if isinstance(event, Clip):
            kept = event
        elif kept is not None and event.phase.endswith("denoising"):
            run.close()
            break
    assert kept is not None and len(kept.frames) == 17
    assert len(_run(tiny_pipeline, scene, _path(scene), SETTINGS)[-1].frames) == 17


def test_extending_equals_shooting_in_one_go(tiny_pipeline, scene, long_run):
    clips = [event for event in long_run if isinstance(event, Clip)]
    again = _run(tiny_pipeline, scene, clips[-1].path, SETTINGS, after=clips[1])
    assert [len(clip.frames) for clip in again] == [49]
    np.testing.assert_array_equal(again[-1].frames, clips[-1].frames)
    np.testing.assert_array_equal(again[-1].extras["cache"], clips[-1].extras["cache"])


def test_the_last_chunk_can_be_taken_back_and_shot_again(tiny_pipeline, scene, long_run):
    clips = [event for event in long_run if isinstance(event, Clip)]
    back = take_back(clips[-1], scene, chunk_frames=17)
    np.testing.assert_array_equal(back.frames, clips[1].frames)
    assert len(back.scene.views) == len(clips[1].scene.views)
    other = extend_path(back.path, _path(scene, 17, trajectory="up"))
    assert len(other) == 49
    np.testing.assert_allclose(other.world_from_camera[32], back.path.world_from_camera[-1])
    again = _run(tiny_pipeline, scene, other, SETTINGS, after=back)[-1]
    np.testing.assert_array_equal(again.frames[:33], back.frames)
    assert (again.frames[33:] != clips[-1].frames[33:]).any()


def test_what_does_not_continue_is_refused(scene, long_run):
    clips = [event for event in long_run if isinstance(event, Clip)]
    assert check_continues(clips[0], clips[-1].path, 17) == 1
    with pytest.raises(InputError, match="is not the beginning"):
        check_continues(clips[-1], clips[-1].path, 17)
    with pytest.raises(InputError, match="own cameras"):
        check_continues(clips[0], _path(scene, 33, trajectory="up"), 17)
    with pytest.raises(InputError, match="single chunk"):
        take_back(clips[0], scene, chunk_frames=17)


def _moving_clip(scene, frames) -> Scene:
    return Scene(
        tuple(replace(scene.first, colour=np.roll(scene.first.colour, frame, axis=1)) for frame in range(frames)),
        "clip",
    )


def test_a_posed_clip_is_shot_again_frame_by_frame(tiny_pipeline, scene):
    clip = _moving_clip(scene, 33)
    made = _run(tiny_pipeline, clip, _path(clip, 33, distance=0.0), replace(SETTINGS, filter_threshold=1.0))
    assert [len(part.frames) for part in made] == [17, 33]
    shown = made[-1].extras["cache"].astype(int)
    for frame in (0, 12, 30):
        expected = clip.views[frame].colour.astype(int)
        assert np.median(np.abs(shown[frame, 4:-4, 4:-4] - expected[4:-4, 4:-4])) <= 2
    assert made[-1].scene is clip
    assert set(made[-1].files) == {"cache of the first frame.ply", "cache of the first frame.glb"}


def test_what_a_clip_masks_out_is_not_shown(tiny_pipeline, scene):
    known = np.ones((64, 96), bool)
    known[24:40, 8:24] = False
    clip = Scene((replace(scene.first, known=known),) * 17, "clip")
    made = _run(tiny_pipeline, clip, _path(clip, distance=0.0), replace(SETTINGS, filter_threshold=1.0))[-1]
    assert not made.extras["cache"][:, 26:38, 10:22].any() and made.extras["cache"][:, 26:38, 60:80].any()


def test_several_views_are_pooled(tiny_pipeline, scene):
    pose = np.eye(4)
    pose[0, 3] = 1.0
    views = Scene((scene.first, replace(scene.first, world_from_camera=pose)), "views")
    made = _run(tiny_pipeline, views, _path(views), replace(SETTINGS, filter_threshold=1.0))[-1]
    assert set(made.extras) == {"cache", "cache, second view"} and made.scene is views


def test_without_text_and_guidance_the_text_encoder_is_never_loaded(scene):
    pipeline = load(Weights(mode="tiny", device="cpu"))
    settings = replace(SETTINGS, use_text=False, guidance=0.0)
    pipeline.prepare(scene, _path(scene), settings)
    assert set(pipeline.components) == {"transformer", "vae"}
    assert _run(pipeline, scene, _path(scene), settings)[-1].frames.any()
    assert "text_encoder" not in pipeline.components


def test_hidden_cache_is_not_kept(tiny_pipeline, scene):
    made = _run(tiny_pipeline, scene, _path(scene), replace(SETTINGS, show_cache=False))[-1]
    assert made.extras == {} and made.files == {}


def test_settings_reach_the_network(tiny_pipeline, scene):
    plain = _run(tiny_pipeline, scene, _path(scene), SETTINGS)[-1].frames
    for change in ({"rope": "bfloat16"}, {"latents": "float32"}, {"first_frame": "upstream"}, {"prompt": "a storm"},
                   {"negative_prompt": ""}, {"guidance": 2.0}, {"foreground_masking": False, "filter_threshold": 1.0}):  # fmt: skip
        changed = _run(tiny_pipeline, scene, _path(scene), replace(SETTINGS, **change))[-1].frames
        assert (changed != plain).any(), change


def test_bad_input_is_refused_before_anything_is_computed(tiny_pipeline, scene):
    with pytest.raises(InputError, match=r"16 N \+ 1"):
        next(tiny_pipeline(scene, _path(scene, 41), SETTINGS))


def test_grad_mode_of_the_caller_is_left_alone(tiny_pipeline, scene):
    for _ in tiny_pipeline(scene, _path(scene), SETTINGS):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_through_the_runtime_in_every_memory_mode_and_with_a_step_cache(scene):
    from pipelines.options import RunOptions
    from pipelines.runtime.runner import Runtime

    frames = []
    for options in (
        RunOptions(weights="tiny", memory="full"),
        RunOptions(weights="tiny", memory="model offload"),
        RunOptions(weights="tiny", memory="group offload"),
        RunOptions(weights="tiny", memory="fp8"),
        RunOptions(weights="tiny", cache="first block", cache_threshold=0.5),
    ):
        events = list(Runtime().run(Shot(METHOD, scene, _path(scene), SETTINGS, options)))
        frames.append(next(event for event in reversed(events) if isinstance(event, Clip)).frames)
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], frames[2])
    assert (frames[0] != frames[3]).any()
    assert frames[4].shape == frames[0].shape
