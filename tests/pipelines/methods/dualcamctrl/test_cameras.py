"""The network's camera inputs against arrays of the demo script, the demo app and the dataset class."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import dualcamctrl as presets
from pipelines.methods.dualcamctrl import cameras

GOLDEN = Path(__file__).parents[3] / "golden" / "dualcamctrl"


@pytest.fixture(scope="module")
def golden():
    return load_file(GOLDEN / "cameras.safetensors")


def _read_rows(rows: np.ndarray, width: int, height: int, frames: int) -> CameraPath:
    """Rows of a scene file as a path of ``width`` x ``height`` pixels, stretched."""
    rows = rows[:frames].astype(np.float64)
    camera_from_world = np.repeat(np.eye(4)[None], frames, axis=0)
    camera_from_world[:, :3] = rows[:, 6:].reshape(-1, 3, 4)
    lens = np.repeat(np.eye(3)[None], frames, axis=0)
    lens[:, [0, 1], [0, 1]] = rows[:, :2] * [width, height]
    lens[:, :2, 2] = rows[:, 2:4] * [width, height] - 0.5
    return CameraPath(np.linalg.inv(camera_from_world), lens, width, height)


@pytest.mark.parametrize("case", ["full", "small", "tall_src"])
def test_demo_script_lens(golden, case):
    height, width, source_height, source_width = golden[f"demo.{case}.size_h_w_orih_oriw"]
    lens = cameras.lens_in_pixels(
        golden[f"demo.{case}.cameras"][0, :4],
        width=width,
        height=height,
        source_aspect=source_width / source_height,
        rule="demo script",
    )
    np.testing.assert_allclose(lens, golden[f"demo.{case}.intrinsics_px"][0, 0], rtol=1e-6)


@pytest.mark.parametrize("case", ["full", "small", "tall_src"])
def test_relative_poses_are_the_demo_scripts(golden, case):
    expected = golden[f"demo.{case}.rel_c2w"][0]
    height, width = golden[f"demo.{case}.size_h_w_orih_oriw"][:2]
    path = _read_rows(golden[f"demo.{case}.cameras"], width, height, len(expected))
    np.testing.assert_allclose(cameras.network_path(path).world_from_camera, expected, atol=1e-6)


@pytest.mark.parametrize("case", ["small", "tall_src"])
def test_demo_script_rays(golden, case):
    expected = golden[f"demo.{case}.plucker"][0]
    poses, lens = golden[f"demo.{case}.rel_c2w"][0], golden[f"demo.{case}.intrinsics_px"][0, 0].astype(np.float64)
    told = CameraPath(poses, _matrix(lens), 48, 32)
    np.testing.assert_allclose(cameras.rays(told)[:, golden[f"demo.{case}.frames"]], expected, atol=1e-5)


def test_demo_script_rays_at_full_size(golden):
    """From the rows of the file to the rays, using only the path and the rule."""
    path = _read_rows(golden["demo.full.cameras"], 480, 320, 61)
    told = cameras.network_path(path, rule="demo script").sliced(golden["demo.full.frames"])
    down, across = golden["gradio.sample_stride_hw"]
    sampled = cameras.rays(told)[:, :, ::down, ::across]
    np.testing.assert_allclose(sampled, golden["demo.full.plucker_sampled"][0], atol=1e-5)


@pytest.mark.parametrize("case", ["short", "wide"])
def test_training_rule_rays(golden, case):
    height, width, source_height, source_width = golden[f"train.{case}.size_h_w_orih_oriw"]
    picked = golden[f"train.{case}.grey_levels_of_picked_frames"] // 3
    rows = golden[f"train.{case}.cameras"]
    path = _read_rows(rows, width, height, len(rows)).sliced(picked)
    lens = cameras.lens_in_pixels(
        rows[0, :4], width=width, height=height, source_aspect=source_width / source_height, rule="training"
    )
    told = cameras.network_path(path)
    told = CameraPath(told.world_from_camera, _matrix(lens), width, height)
    rays = cameras.rays(told)[:, golden[f"train.{case}.frames"]]
    np.testing.assert_allclose(rays, golden[f"train.{case}.plucker"][0], atol=1e-5)


@pytest.mark.parametrize("name", ["spiral", "push_in", "circle", "pan"])
def test_demo_app_rays(golden, name):
    path = CameraPath(presets.upstream_poses(name.replace("_", "-"), 29), np.diag([400.0, 400, 1]), 480, 320)
    told = cameras.network_path(path, rule="demo app").sliced(golden[f"gradio.{name}.29.frames"])
    down, across = golden["gradio.sample_stride_hw"]
    sampled = cameras.rays(told)[:, :, ::down, ::across]
    np.testing.assert_allclose(sampled, golden[f"gradio.{name}.29.plucker_sampled"][0], atol=1e-5)


def test_packing(golden):
    packed = cameras.pack_rays(golden["pack.plucker"][0])
    np.testing.assert_array_equal(packed, golden["pack.camera_latents"][0])


def test_packing_refuses_other_lengths():
    with pytest.raises(InputError, match="4k"):
        cameras.pack_rays(np.zeros((6, 8, 2, 2), np.float32))


def test_the_training_rule_gives_square_pixels_to_a_stretched_picture_and_leaves_a_cropped_one(golden):
    source = CameraPath(np.eye(4)[None], np.array([[500.0, 0, 319.5], [0, 500, 179.5], [0, 0, 1]]), 640, 360)
    stretched = cameras.network_path(source.fitted(480, 320, "stretch")).intrinsics[0]
    cropped = source.fitted(480, 320, "crop")
    np.testing.assert_allclose(stretched[0, 0], stretched[1, 1])
    np.testing.assert_allclose(stretched[:2, :2], cropped.intrinsics[0, :2, :2], rtol=2e-3)
    np.testing.assert_allclose(cameras.network_path(cropped).intrinsics, cropped.intrinsics, rtol=2e-3)


def test_lengths_are_divided_by_the_unit():
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    poses[:, 0, 3] = 5, 8
    path = CameraPath(poses, np.eye(3), 4, 4)
    assert cameras.travel(cameras.network_path(path, unit=2.0)) == pytest.approx(1.5)
    assert cameras.turn_degrees(path) == 0


def test_turn():
    path = CameraPath(presets.poses("circle", 5, turn_degrees=50), np.eye(3), 4, 4)
    assert cameras.turn_degrees(path) == pytest.approx(50)


def test_rays_are_moment_then_direction():
    poses = np.repeat(np.eye(4)[None], 2, axis=0)
    poses[1, :3, 3] = 1, 2, 3
    rays = cameras.rays(CameraPath(poses, _matrix(np.array([50.0, 60, 8, 4])), 16, 8)).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(rays[3:], axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(rays[:3, 0], 0, atol=1e-7)
    moment = np.cross([1, 2, 3], np.moveaxis(rays[3:, 1], 0, -1))
    np.testing.assert_allclose(np.moveaxis(rays[:3, 1], 0, -1), moment, atol=1e-6)


def _matrix(lens: np.ndarray) -> np.ndarray:
    """(3,3) with centres at integers, from fx, fy, cx, cy with the centre at W/2, H/2."""
    fx, fy, cx, cy = lens
    return np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])
