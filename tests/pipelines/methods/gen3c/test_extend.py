"""Extending a finished video, in the same session and from its file, wherever shots can run; and what is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import pipelines
from camera.errors import InputError
from camera.view import Scene
from pipelines.media.concat import VideoPrefix
from pipelines.media.video import read_video
from pipelines.method import Clip, Progress
from pipelines.methods.gen3c.chunks import LONGEST
from pipelines.methods.gen3c.continuation import (
    chunk_of,
    continue_path,
    continue_shot,
    extend_path,
    read_shot,
    take_back,
)
from pipelines.methods.gen3c.method import METHOD, Gen3cMoves, Gen3cSettings, path
from pipelines.options import RunOptions
from pipelines.results.embedded_scene import read_embedded_scene, scene_to_embed
from pipelines.results.record import record, save, scene_sha256
from pipelines.runtime import job_file, remote, runner
from pipelines.runtime.serve import serve
from pipelines.shot import Shot

SETTINGS = Gen3cSettings(steps=2, chunk_frames=9, prompt="a box", use_text=False, guidance=0.0)
TINY = RunOptions(weights="tiny")


def _path(scene, frames=9, **changes):
    return path(Gen3cMoves(width=96, height=64, frames=frames, **changes), scene)


def _clips(scene, along, after=None, settings=SETTINGS):
    shooting = pipelines.generate(Shot(METHOD, scene, along, settings, TINY, after))
    return [item for item in shooting if isinstance(item, Clip)]


@pytest.fixture(scope="module")
def shot(scene):
    """A video of two chunks of nine frames, each as yielded."""
    return _clips(scene, _path(scene, 17))


def test_a_run_goes_on_from_a_clip(scene, shot):
    longer = extend_path(shot[-1].path, _path(scene, trajectory="up"))
    made = _clips(scene, longer, after=shot[-1])
    assert [len(clip.frames) for clip in made] == [25]
    np.testing.assert_array_equal(made[-1].frames[:17], shot[-1].frames)
    assert len(made[-1].scene.views) == 3
    assert {"cache.ply", "cache.glb", "views.npz"} == set(made[-1].files)


def test_every_chunk_brings_its_files_so_that_a_cancelled_shot_has_them(shot):
    assert [len(clip.files) for clip in shot] == [3, 3]


def test_a_saved_video_goes_on_as_if_it_had_just_been_shot(scene, shot, tmp_path):
    made = record(Shot(METHOD, scene, shot[-1].path, SETTINGS, TINY))
    first = save(tmp_path, "shot", shot[-1], made, carries=scene_to_embed(shot[-1], scene, goes_on=True))
    assert scene_sha256(read_embedded_scene(first.video).scene) == made.input_sha256
    longer = extend_path(shot[-1].path, _path(scene))
    now = _clips(scene, longer, after=shot[-1])[-1]
    clip, same = read_shot(first.video)
    assert same.settings == SETTINGS.values() and set(clip.extras) == set(shot[-1].extras)
    later = _clips(read_embedded_scene(first.video).scene, longer, after=clip)[-1]
    np.testing.assert_array_equal(later.frames[17:], now.frames[17:])
    np.testing.assert_array_equal(later.scene.views[2].depth, now.scene.views[2].depth)

    begun = VideoPrefix(first.video, 17)
    second = save(tmp_path, "longer", later, made, begun=begun)
    np.testing.assert_array_equal(read_video(second.video)[0][:17], read_video(first.video)[0])
    for title, file in second.companions.items():
        np.testing.assert_array_equal(read_video(file)[0][:17], read_video(first.companions[title])[0])

    alone = shutil.copy(first.video, tmp_path / "alone.mp4")
    again = _clips(read_embedded_scene(alone).scene, longer, after=read_shot(alone)[0])[-1]
    np.testing.assert_array_equal(again.frames[17:], now.frames[17:])
    for title, frames in now.extras.items():
        np.testing.assert_array_equal(again.extras[title], frames)


def test_a_video_without_its_scene_goes_on_with_its_cache_estimated_again(scene, shot, tmp_path, monkeypatch):
    made = record(Shot(METHOD, scene, shot[-1].path, SETTINGS, TINY))
    monkeypatch.setattr("pipelines.results.embedded_scene.MOST_PIXELS", 0)
    carries = scene_to_embed(shot[-1], scene, goes_on=True)
    clip, _ = read_shot(save(tmp_path, "shot", replace(shot[-1], extras={}), made, carries=carries).video)
    assert clip.scene is None and len(clip.frames) == 17
    np.testing.assert_array_equal(clip.frames[-1], shot[-1].frames[-1], "without loss")
    events = list(pipelines.generate(Shot(METHOD, scene, extend_path(clip.path, _path(scene)), SETTINGS, TINY, clip)))
    assert "Chunk 2 of 3: depth of its first frame" in [e.phase for e in events if isinstance(e, Progress)]
    longer = [event for event in events if isinstance(event, Clip)][-1]
    assert len(longer.frames) == 25 and len(longer.scene.views) == 3
    np.testing.assert_array_equal(longer.scene.views[1].colour, clip.frames[8])
    np.testing.assert_allclose(longer.scene.views[1].depth, shot[-1].scene.views[1].depth, rtol=0.05)
    shown, before = longer.extras["cache"][:17].astype(int), shot[-1].extras["cache"]
    assert np.abs(shown[:9] - before[:9]).mean() < 1, "renders of the given picture"
    black = (before == 0).all(axis=-1)
    assert ((shown == 0).all(axis=-1) == black).mean() > 0.9 and not black[9:].all()


def test_the_file_of_a_cancelled_shot_has_the_cameras_of_its_frames(scene, shot, tmp_path):
    made = record(Shot(METHOD, scene, _path(scene, 17), SETTINGS, TINY))
    clip, same = read_shot(save(tmp_path, "part", shot[0], made).video)
    assert len(clip.frames) == len(clip.path) == 9 and len(same.path) == 17
    on = continue_path(scene, same.path, 9, _path(scene, trajectory="up"), chunk_frames=9)
    np.testing.assert_array_equal(on.world_from_camera, same.path.world_from_camera)


def test_what_is_added_begins_where_the_video_ends_lens_included(scene):
    zoomed = _path(scene, lens_zoom=2.0)
    longer = continue_path(scene, zoomed, 9, _path(scene, 17, trajectory="up", lens_zoom=1.5), chunk_frames=9)
    assert len(longer) == 17
    steps = np.linalg.norm(np.diff(longer.centres, axis=0), axis=1)
    assert steps[8] < 2 * steps.max() / 1.5
    focal = longer.intrinsics[:, 0, 0] / zoomed.intrinsics[0, 0, 0]
    np.testing.assert_allclose(focal[[0, 8, 16]], [1, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(longer.intrinsics[:, :2, 2], longer.intrinsics[:1, :2, 2].repeat(17, axis=0))


def test_over_a_clip_its_own_camera_moves_on(scene):
    poses = np.repeat(np.eye(4)[None], 17, axis=0)
    poses[:, 2, 3] = np.arange(17) * 0.01
    clip = Scene(tuple(replace(scene.first, world_from_camera=pose) for pose in poses), "clip")
    along = _path(clip, trajectory="left", distance=0.1)
    longer = continue_path(clip, along, 9, along, chunk_frames=9)
    assert len(longer) == 17
    offset = longer.centres - poses[:, :3, 3]
    np.testing.assert_allclose(offset[8:], offset[8:9].repeat(9, axis=0), atol=1e-9)
    with pytest.raises(InputError, match="cannot be extended further"):
        continue_path(replace(clip, views=clip.views[:9]), along, 9, along, chunk_frames=9)


def test_a_short_video_goes_on_by_its_own_length(scene, shot):
    made = record(Shot(METHOD, scene, shot[0].path, replace(SETTINGS, chunk_frames=121)))
    assert chunk_of(shot[0], made) == 9
    on, settings = continue_shot(shot[0], made, scene, None, SETTINGS)
    assert len(on) == 17 and settings == SETTINGS
    np.testing.assert_allclose(
        np.diff(on.centres, axis=0)[8:, 0].sum(), np.diff(on.centres, axis=0)[:8, 0].sum(), rtol=0.1
    )


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda clip: replace(clip, frames=clip.frames[:, :32]), "The video is 96 x 32 and would continue at 96 x 64"),
    (lambda clip: replace(clip, frames=clip.frames[:12], path=clip.path.sliced(slice(0, 12))), "is not the beginning"),
    (lambda clip: replace(clip, path=clip.path.scaled(2.0)), "own cameras"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(scene, shot, spoil, words):
    with pytest.raises(InputError, match=words):
        _clips(scene, extend_path(shot[-1].path, _path(scene)), after=spoil(shot[-1]))


def test_the_longest_video_is_not_made_longer(scene):
    longest = _path(scene, LONGEST)
    with pytest.raises(InputError, match="601 frames; 481 is the longest"):
        continue_path(scene, longest, LONGEST, _path(scene), chunk_frames=121)


def test_a_method_that_cannot_go_on_says_so(scene, shot):
    other = pipelines.method("genxd")
    assert other.goes_on is None
    with pytest.raises(InputError, match="GenXD cannot continue a finished video"):
        other.check_after(shot[-1], shot[-1].path, SETTINGS)


def test_only_what_is_left_is_forecast(scene, shot):
    asked = []

    def remembered(path, settings):
        asked.append(len(path))
        return METHOD.estimate(path, settings)

    known = replace(METHOD, estimate=remembered)
    longer = Shot(known, scene, extend_path(shot[-1].path, _path(scene)), SETTINGS, RunOptions(), shot[-1])
    runner.default().forecast(longer)
    assert set(asked) == {9}


def test_a_sibling_space_goes_on_too(scene, shot, tmp_path, monkeypatch):
    monkeypatch.setenv(job_file.SECRET_VARIABLE, "between two Spaces")
    longer = extend_path(shot[-1].path, _path(scene))
    sent = job_file.write_job(tmp_path / "job.npz", Shot(METHOD, scene, longer, SETTINGS, TINY, shot[-1]))
    there = job_file.read_job(sent).after
    assert there is not None and there.scene is not None and len(there.scene.views) == 2
    np.testing.assert_array_equal(there.frames, shot[-1].frames)
    for values, result in serve(str(job_file.sign(sent))):
        assert "refused" not in values
        if result:
            clip, _ = job_file.read_result(result)
    assert len(clip.frames) == 25


def test_taking_back_gives_the_shorter_video(scene, shot):
    back = take_back(shot[-1], scene, chunk_frames=9)
    np.testing.assert_array_equal(back.frames, shot[0].frames)
    assert len(back.scene.views) == 1


def test_frames_that_were_sent_come_back_as_they_were(scene, shot):
    changed = replace(shot[-1], frames=shot[-1].frames // 2)
    clip = remote._restore_beginning(changed, shot[0])
    np.testing.assert_array_equal(clip.frames[:9], shot[0].frames)
    np.testing.assert_array_equal(clip.frames[9:], changed.frames[9:])
