"""GEN3C's record: moves become paths, impossible shots are refused with an explanation, importing is cheap."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import pinhole
from camera.trajectories import gen3c as presets
from camera.view import Scene, View
from pipelines.methods.gen3c import guardrail
from pipelines.methods.gen3c.chunks import chunks, latent_frames
from pipelines.methods.gen3c.method import (
    AS_GIVEN,
    AS_UPSTREAM_MOVES,
    AS_UPSTREAM_SETTINGS,
    METHOD,
    NEGATIVE_PROMPT,
    UPSTREAM,
    Gen3cMoves,
    Gen3cSettings,
    check,
    path,
)
from pipelines.methods.gen3c.method import estimate as estimated


def _view(depth=2.0, *, width=320, height=176, pose=None) -> View:
    colour = np.full((height, width, 3), 90, np.uint8)
    return View.of(colour, np.full((height, width), depth, np.float32), pinhole(width, height, 55), pose)


def _moves(**changes) -> Gen3cMoves:
    return Gen3cMoves(**{"width": 320, "height": 176, "frames": 17, **changes})


def test_record_is_light():
    code = "import sys; import pipelines.methods.gen3c.method; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_negative_prompt_is_the_published_one():
    from diffusers.pipelines.cosmos.pipeline_cosmos_video2world import DEFAULT_NEGATIVE_PROMPT

    assert NEGATIVE_PROMPT == DEFAULT_NEGATIVE_PROMPT


def test_distance_counts_in_distances_to_the_subject_or_in_scene_units():
    scene = Scene((_view(depth=8.0),))
    end = presets.offsets("left", 17, 0.3)[-1]
    np.testing.assert_allclose(path(_moves(), scene).centres[-1], 8 * end, atol=1e-12)
    np.testing.assert_allclose(path(_moves(distance_unit=AS_GIVEN), scene).centres[-1], end, atol=1e-12)


def test_upstream_places_reproduce_upstream_camera():
    made = path(_moves(distance_unit=AS_GIVEN, place=UPSTREAM, frames=121), Scene((_view(),)))
    np.testing.assert_allclose(made.centres[-1], [-0.2852, 0, 0.0848], atol=1e-3)


def test_path_starts_at_the_picture_and_may_zoom():
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    scene = Scene((_view(pose=pose),))
    made = path(_moves(lens_zoom=2.0, trajectory="zoom_out"), scene)
    np.testing.assert_allclose(made.world_from_camera[0], pose)
    np.testing.assert_allclose(made.intrinsics[-1, 0, 0], 2 * scene.first.intrinsics[0, 0])
    np.testing.assert_allclose(made.intrinsics[-1, :2, 2], scene.first.intrinsics[:2, 2])


def test_over_a_clip_the_move_is_added_to_every_frame(golden):
    with np.load(golden / "gen3c/cameras.npz") as cameras:
        poses = np.linalg.inv(cameras["perframe_w2c"].astype(np.float64))
        lenses = cameras["perframe_intrinsics"]
    views = tuple(replace(_view(), world_from_camera=pose, intrinsics=lens) for pose, lens in zip(poses, lenses))
    repeated = views + views[-1:] * 2
    moves = _moves(
        trajectory="clockwise", rotation="trajectory_aligned", distance_unit=AS_GIVEN, place=UPSTREAM, frames=9
    )
    made = path(moves, Scene(repeated, "clip"))
    first = presets.poses("clockwise", 9, rotation="trajectory_aligned", upstream=True)
    np.testing.assert_allclose(made.world_from_camera[:7], poses @ first[:7], atol=1e-5)
    np.testing.assert_allclose(made.intrinsics[:7], lenses, rtol=1e-6)


def test_chunks_share_one_frame():
    assert chunks(121) == (slice(0, 121),)
    assert chunks(361) == (slice(0, 121), slice(120, 241), slice(240, 361))
    assert chunks(33, 17) == (slice(0, 17), slice(16, 33))
    assert chunks(25) == (slice(0, 25),)
    assert latent_frames(121) == 16


@pytest.mark.parametrize(("frames", "chunk", "words"), [
    (120, 121, "use 113 or 121"),
    (242, 121, "240|241 or 361"),
    (240, 121, "use 121 or 241"),
    (8, 121, "use 9 or 17"),
    (33, 16, "A chunk has 8k"),
])  # fmt: skip
def test_wrong_lengths_name_the_nearest(frames, chunk, words):
    with pytest.raises(InputError, match=words):
        chunks(frames, chunk)


def test_a_plain_move_is_accepted_with_draft_warnings():
    scene = Scene((_view(),))
    warnings = check(scene, path(_moves(), scene), Gen3cSettings())
    assert len(warnings) == 2 and "draft" in warnings[0] and "draft" in warnings[1]


def test_full_size_has_no_warning():
    scene = Scene((_view(width=1280, height=704),))
    assert check(scene, path(Gen3cMoves(), scene), Gen3cSettings()) == ()


def test_a_path_that_leaves_the_scene_is_refused():
    scene = Scene((_view(),))
    plain = path(_moves(), scene)
    turned = plain.world_from_camera.copy()
    turned[9:, :3, :3] = np.diag([-1.0, 1.0, -1.0])
    with pytest.raises(InputError, match=r"frame 16 .*left the scene behind: known points cover 0%"):
        check(scene, plain.with_poses(turned), Gen3cSettings())


def test_coming_very_close_still_counts_as_covered():
    scene = Scene((_view(),))
    close = path(_moves(trajectory="zoom_in", distance=0.9, rotation="no_rotation"), scene)
    assert not any("known points" in warning for warning in check(scene, close, Gen3cSettings()))


def test_little_cover_and_a_jump_at_the_start_are_warned_of():
    scene = Scene((_view(),))
    far = path(_moves(trajectory="zoom_out", distance=2.0), scene)
    assert any("cover only" in warning for warning in check(scene, far, Gen3cSettings()))
    shifted = far.world_from_camera.copy()
    shifted[:, 0, 3] += 0.5
    assert any("may jump" in warning for warning in check(scene, far.with_poses(shifted), Gen3cSettings()))


def test_depth_full_of_nan_is_refused():
    depth = np.full((176, 320), np.nan, np.float32)
    depth[:4] = 2.0
    bad = View.of(np.zeros((176, 320, 3), np.uint8), depth, pinhole(320, 176, 55))
    scene = Scene((_view(), bad), "views")
    with pytest.raises(InputError, match=r"Picture 1 has depth in only 2\.3%"):
        check(scene, path(_moves(), scene), Gen3cSettings())


def test_sizes_and_clip_length_are_checked():
    scene = Scene((_view(),))
    good = path(_moves(), scene)
    with pytest.raises(InputError, match="fit one to the other"):
        check(scene, good.resized(640, 352), Gen3cSettings())
    odd = Scene((_view(width=330, height=180),))
    with pytest.raises(InputError, match="use 336 x 176"):
        check(odd, path(_moves(), odd), Gen3cSettings())
    clip = Scene((_view(),) * 9, "clip")
    with pytest.raises(InputError, match="The clip has 9 frames and the path 17"):
        check(clip, path(_moves(), clip), Gen3cSettings())


def test_estimate_follows_the_published_figure_and_the_arithmetic():
    scene = Scene((_view(width=1280, height=704),))
    full = estimated(path(Gen3cMoves(), scene), Gen3cSettings())
    assert full.seconds == pytest.approx(900) and "43 GB" in full.basis
    long = estimated(path(Gen3cMoves(frames=241), scene), Gen3cSettings())
    assert long.seconds == pytest.approx(1800) and long.gigabytes == full.gigabytes
    assert estimated(path(Gen3cMoves(), scene), Gen3cSettings(guidance=0)).seconds == pytest.approx(450)
    assert full.gigabytes["group offload"] < full.gigabytes["model offload"] < full.gigabytes["full"]


def test_upstreams_behaviour_is_one_set_of_values():
    moves, settings = Gen3cMoves.of(AS_UPSTREAM_MOVES), Gen3cSettings.of(AS_UPSTREAM_SETTINGS)
    for made in (moves, settings):
        for name, declared in made.controls().items():
            if declared.choices and "upstream" in declared.choices:
                assert getattr(made, name) == "upstream", name


def test_licence_names_the_guardrail_clause():
    weights = next(licence for licence in METHOD.licences if "weights" in licence.part)
    assert "guardrail" in weights.note and weights.url.startswith("https://www.nvidia.com")


def test_an_installed_checker_is_counted(monkeypatch):
    scene = Scene((_view(width=1280, height=704),))
    without = estimated(path(Gen3cMoves(), scene), Gen3cSettings()).gigabytes
    monkeypatch.setattr(guardrail, "is_installed", lambda: True)
    counted = estimated(path(Gen3cMoves(), scene), Gen3cSettings()).gigabytes
    assert (
        counted["full"] == pytest.approx(without["full"] + 18) and counted["group offload"] == without["group offload"]
    )
