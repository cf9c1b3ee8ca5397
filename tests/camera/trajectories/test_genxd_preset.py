"""GenXD's cameras against arrays from the original code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from camera.errors import InputError
from camera.trajectories import genxd, genxd_fits

SINGLE = ("forward_readme", "orbit_default", "forward_elev", "orbit_part_pad", "orbit_consistent4d")


@pytest.mark.parametrize("name", SINGLE)
def test_single_image_poses_equal_the_original(golden, name):
    case = json.loads((golden / "genxd/cameras.json").read_text())[name]
    expected = np.load(golden / "genxd/cameras.npz")[f"{name}/c2w"]
    lens = {"elevation": case["elevation"], "radius": case["radius"], "scale": case.get("scale", 1.0)}
    angles = tuple(case["azimuth_range"])
    if case["mode"] == "orbit":
        poses = genxd.orbit(case["N"], angles, consistent4d="root" in case, **lens)
    else:
        poses = genxd.forward(case["N"], angles, original_jump=True, **lens)
    np.testing.assert_allclose(poses, expected, atol=5e-6)


@pytest.mark.parametrize("name", SINGLE)
def test_the_reference_frame_equals_the_original(golden, name):
    case = json.loads((golden / "genxd/cameras.json").read_text())[name]
    expected = np.load(golden / "genxd/cameras.npz")[f"{name}/context_index"][0]
    assert genxd.given_index(case["view"].replace("mid", "middle"), case["N"]) == expected


@pytest.mark.parametrize(
    ("frames", "azimuths", "elevation"), [(12, (-30, 30), 0), (72, (-45, 20), 15), (10, (5, 40), 5)]
)
def test_forward_starts_at_azimuth_zero_and_closes_without_a_jump(frames, azimuths, elevation):
    poses = genxd.forward(frames, azimuths, elevation=elevation)
    np.testing.assert_allclose(poses[0], genxd.look_at_origin(0, 0, genxd.RADIUS)[0], atol=1e-12)
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0, append=poses[:1, :3, 3]), axis=1)
    assert steps.max() < 1.5 * np.median(steps)


def test_forward_reaches_both_ends_unlike_the_original():
    ends = {jump: genxd.forward(12, (-30, 30), original_jump=jump)[:, 0, 3] / genxd.RADIUS for jump in (False, True)}
    assert np.isclose(ends[False].max(), 0.5) and np.isclose(ends[False].min(), -0.5)
    assert np.isclose(ends[True].max(), 0.5) and ends[True].min() > -0.4


def test_a_growing_azimuth_moves_the_camera_to_its_left():
    poses = genxd.orbit(12, (0, 90))
    assert (np.linalg.inv(poses[0]) @ poses[1])[0, 3] < 0


def test_original_forward_needs_a_multiple_of_four():
    with pytest.raises(InputError, match="multiple of 4"):
        genxd.forward(10, (-30, 30), original_jump=True)


@pytest.mark.parametrize("elevation", [90, -90, 120])
def test_vertical_elevation_is_refused(elevation):
    with pytest.raises(InputError, match="elevation"):
        genxd.orbit(12, (0, 360), elevation=elevation)


FITS = {
    "spline_plain": ("spline", "forward", {"frames": 18}),
    "spline_shift": ("spline", "forward", {"frames": 6, "shifts_x": (0.2, -0.4), "shifts_z": (0.2, 0.4, -0.2)}),
    "spline_ms": ("spline", "forward", {"frames": 6, "multiples": (0.8, 1.3)}),
    "spline_3views": ("spline", "three", {"frames": 6}),
    "spline_orbit_exact": ("spline", "orbit", {"frames": 12, "degree": 3, "smoothing": 0.0, "turn_weight": 0.5}),
    "spiral_focus": ("spiral", "forward", {"frames": 6, "shifts_z": (0.2, 0.4, -0.2)}),
    "spiral_bounds": (
        "spiral",
        "forward",
        {"frames": 6, "depth_rate": 0.5, "percentile": 90, "multiples": (0.8, 1.3), "near_far": "bounds"},
    ),
    "spiral_zy": (
        "spiral",
        "forward",
        {"frames": 6, "rotations": 2, "depth_rate": 0.5, "shifts_z": (0.2, 0.4, -0.2), "shift_height": True},
    ),
    "spiral_center": (
        "spiral",
        "forward",
        {"frames": 6, "percentile": 90, "with_centre": True, "original_centre": True, "near_far": "bounds"},
    ),
    "ellipse": ("ellipse", "orbit", {"frames": 12}),
    "ellipse_var": (
        "ellipse",
        "orbit",
        {
            "frames": 6,
            "constant_speed": False,
            "height_variation": 0.7,
            "height_phase": 0.25,
            "shifts_z": (0.2, 0.4, -0.2),
            "multiples": (0.8, 1.3),
        },
    ),
}


def _four_by_four(camera_from_world):
    full = np.repeat(np.eye(4)[None], len(camera_from_world), axis=0)
    full[:, :3] = camera_from_world
    return full


def _bounds(pairs):
    return float(pairs[:, 0].min()), float(pairs[:, 1].max())


@pytest.mark.parametrize("name", FITS)
def test_fitted_trajectories_equal_the_original(golden, name):
    arrays = np.load(golden / "genxd/trajectories.npz")
    kind, source, options = FITS[name]
    views = np.linalg.inv(_four_by_four(arrays[f"in/{'orbit' if source == 'orbit' else 'forward'}_w2c"]))
    if source == "three":
        views = views[[0, 4, 8]]
    if "near_far" in options:
        options = {**options, "near_far": _bounds(arrays["in/bounds"])}
    poses = getattr(genxd_fits, kind)(views, **options)
    np.testing.assert_allclose(np.linalg.inv(poses)[:, :3], arrays[f"out/{name}_w2c"], atol=1e-8)


DATASETS = {
    "re10k": ("spline", {"shifts_x": (0.2, -0.4), "shifts_z": (0.2, 0.4, -0.2)}),
    "co3d": ("spline", {"multiples": (0.8, 1.3)}),
    "llff": ("spiral", {"percentile": 90, "depth_rate": 0.5, "shifts_z": (0.2, 0.4, -0.2)}),
    "dtu": ("spiral", {"shifts_z": (0.2, 0.4, -0.2), "shift_height": True}),
    "mipnerf360": ("ellipse", {"shifts_z": (0.2, 0.4, -0.2), "multiples": (0.8, 1.3)}),
}


@pytest.mark.parametrize("name", DATASETS)
def test_trajectories_of_whole_datasets_equal_the_original(golden, name):
    arrays = np.load(golden / "genxd/trajectories.npz")
    kind, options = DATASETS[name]
    views = np.linalg.inv(_four_by_four(arrays[f"cli_{name}/cameras"][:, 6:].astype(float).reshape(-1, 3, 4)))
    if kind == "spline":
        views = views[arrays[f"cli_{name}/train9"]]
    if name == "llff":
        options = {**options, "near_far": _bounds(arrays["cli_llff/poses_bounds"][:, -2:].astype(float))}
    poses = getattr(genxd_fits, kind)(views, 6, **options)
    np.testing.assert_allclose(np.linalg.inv(poses)[:, :3], arrays[f"cli_{name}/gen_poses_w2c"], atol=1e-6)


def test_the_centre_pose_of_a_spiral_is_the_mean_position(golden):
    views = np.linalg.inv(_four_by_four(np.load(golden / "genxd/trajectories.npz")["in/forward_w2c"]))
    poses = genxd_fits.spiral(views, 6, with_centre=True)
    np.testing.assert_allclose(poses[0, :3, 3], views[:, :3, 3].mean(0), atol=1e-9)


def test_one_view_cannot_be_fitted():
    with pytest.raises(InputError, match="2 or more views"):
        genxd_fits.ellipse(np.eye(4)[None], 12)
