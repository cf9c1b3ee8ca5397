"""The record: paths start at the picture, limits are enforced, distant moves cause a warning, estimates are plausible."""

import subprocess
import sys

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines.methods.dualcamctrl import method
from pipelines.methods.dualcamctrl.method import METHOD, DualCamCtrlMoves, DualCamCtrlSettings
from pipelines.options import MODES


def _scene(width: int = 96, height: int = 64, depth: float = 3.0) -> Scene:
    pose = np.eye(4)
    pose[:3, 3] = 1, 2, 3
    colour = np.full((height, width, 3), 90, np.uint8)
    return Scene((View.of(colour, np.full((height, width), depth), pinhole(width, height, 60), pose),))


def _moves(**values) -> DualCamCtrlMoves:
    return DualCamCtrlMoves(width=96, height=64, **values)


@pytest.mark.parametrize("preset", method.presets.PRESETS)
def test_defaults_start_at_the_picture_and_stay_inside_what_was_trained(preset):
    scene = _scene()
    path = METHOD.path(_moves(preset=preset), scene)
    np.testing.assert_allclose(path.world_from_camera[0], scene.first.world_from_camera, atol=1e-12)
    assert len(path) == 29 and path.fps == 10
    assert METHOD.check(scene, path, DualCamCtrlSettings()) == ()


def test_the_network_is_told_the_same_move_whatever_the_unit_of_the_scene():
    told = [
        method.network_path(scene, METHOD.path(_moves(), scene), DualCamCtrlSettings())
        for scene in (_scene(depth=3.0), _scene(depth=300.0))
    ]
    np.testing.assert_allclose(told[0].world_from_camera, told[1].world_from_camera, atol=1e-9)
    np.testing.assert_allclose(told[0].centres[-1], [0, 0, 0.4])


def test_the_paths_own_unit_and_scale():
    scene = _scene()
    settings = DualCamCtrlSettings(translation_unit="path", translation_scale=0.5)
    told = method.network_path(scene, METHOD.path(_moves(), scene), settings)
    np.testing.assert_allclose(told.centres[-1], [0, 0, 0.6])


def test_the_demo_apps_form_goes_out_and_is_warned_of():
    scene = _scene()
    path = METHOD.path(_moves(form="demo app"), scene)
    settings = DualCamCtrlSettings(translation_unit="path")
    assert method.network_path(scene, path, settings).centres[-1, 2] < -1.8
    assert any("travel" in warning for warning in METHOD.check(scene, path, settings))


def test_the_demo_app_has_no_slides():
    with pytest.raises(InputError, match="spiral"):
        METHOD.path(_moves(form="demo app", preset="left"), _scene())


@pytest.mark.parametrize(("frames", "words"), [(30, "29 or 33"), (4, "5 or 9")])
def test_other_frame_counts_are_refused(frames, words):
    scene = _scene()
    path = CameraPath(np.repeat(scene.first.world_from_camera[None], frames, 0), scene.first.intrinsics, 96, 64)
    with pytest.raises(InputError, match=words):
        METHOD.check(scene, path, DualCamCtrlSettings())


def test_other_sizes_and_scenes_are_refused():
    scene = _scene(100, 64)
    path = METHOD.path(_moves(), scene)
    with pytest.raises(InputError, match="96x64"):
        METHOD.check(scene, path, DualCamCtrlSettings())
    with pytest.raises(InputError, match="fit one to the other"):
        METHOD.check(_scene(), _path_of(_scene(112, 64)), DualCamCtrlSettings())
    with pytest.raises(InputError, match="one picture"):
        METHOD.check(Scene(_scene().views, kind="clip"), _path_of(_scene()), DualCamCtrlSettings())


def _path_of(scene: Scene, **moves) -> CameraPath:
    return METHOD.path(_moves(**moves), scene)


def _warnings(path: CameraPath, **settings) -> str:
    scene = _scene(path.width, path.height)
    return " ".join(METHOD.check(scene, path, DualCamCtrlSettings(**settings)))


def test_warnings_say_what_was_never_trained():
    usual = _path_of(_scene())
    assert "0.3 to 0.5" in _warnings(usual, translation_scale=10)
    assert "hardly move" in _warnings(usual, translation_scale=0.05)
    assert "turns 180" in _warnings(_path_of(_scene(), preset="circle", turn_degrees=180))
    assert "61" in _warnings(_path_of(_scene(), frames=65))
    assert "demo script" in _warnings(usual, lens_rule="demo script")
    assert "prompt" in _warnings(usual, mode=method.TEXT)
    assert "portrait" in _warnings(_path_of(_scene(64, 96)))
    zooming = CameraPath(
        usual.world_from_camera, usual.intrinsics * np.linspace(1, 1.5, 29)[:, None, None] * [[1], [1], [0]]
        + np.diag([0.0, 0, 1]), 96, 64,
    )  # fmt: skip
    assert "focal" in _warnings(zooming)
    assert "picture's camera" in _warnings(usual.moved_to(np.eye(4)))


def test_estimates_grow_with_the_work_and_say_their_basis():
    lens, poses = pinhole(480, 320, 60), np.repeat(np.eye(4)[None], 61, 0)
    small, large = (CameraPath(poses, lens, *size) for size in ((480, 320), (720, 480)))
    few, many = (METHOD.estimate(path, DualCamCtrlSettings()) for path in (small, large))
    assert 2.25 < many.seconds / few.seconds < 2.25**2
    assert few.gigabytes["model offload"] < 16 and many.gigabytes["model offload"] < 24
    assert set(few.gigabytes) <= set(MODES)
    assert few.gigabytes["full"] > few.gigabytes["model offload"] > few.gigabytes["group offload"]
    assert "not measured" in few.basis


def test_the_record_says_that_nothing_is_licensed():
    assert {licence.part: licence.name for licence in METHOD.licences}["weights"] == "none stated"


def test_the_record_needs_no_torch():
    code = "import sys, pipelines.methods.dualcamctrl.method; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
