"""GEN3C's trajectories: the upstream form equals the original code, the default form is at the stated offsets."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import inverse
from camera.trajectories import gen3c


@pytest.fixture(scope="module")
def cameras(golden):
    with np.load(golden / "gen3c/cameras.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def _parse(key: str):
    trajectory, rotation, frames, distance, depth, start = key.split("|")
    return trajectory, rotation, int(frames[1:]), float(distance[1:]), float(depth[1:]), start


def _golden_paths(cameras):
    return [key for key in cameras if key.count("|") == 5]


def test_upstream_form_is_exact_for_every_trajectory(cameras):
    starts = {"identity": np.eye(4), "w0": cameras["w0"], "perframe": cameras["perframe_w2c"]}
    keys = _golden_paths(cameras)
    assert len(keys) > 96
    for key in keys:
        trajectory, rotation, frames, distance, depth, start = _parse(key)
        made = gen3c.poses(trajectory, frames, rotation=rotation, distance=distance, centre_depth=depth, upstream=True)
        np.testing.assert_allclose(inverse(made) @ starts[start], cameras[key][0], atol=1e-6, err_msg=key)


def test_every_trajectory_and_rotation_is_compared(cameras):
    compared = {tuple(key.split("|")[:2]) for key in _golden_paths(cameras)}
    assert compared >= {(t, r) for t in gen3c.TRAJECTORIES for r in gen3c.ROTATIONS}


@pytest.mark.parametrize("trajectory", gen3c.TRAJECTORIES)
@pytest.mark.parametrize("rotation", gen3c.ROTATIONS)
def test_default_form_is_at_the_offset_and_looks_at_the_target(trajectory, rotation):
    made = gen3c.poses(trajectory, 9, rotation=rotation, distance=0.4, centre_depth=2.0)
    offset = gen3c.offsets(trajectory, 9, 0.8)
    np.testing.assert_allclose(made[:, :3, 3], offset, atol=1e-12)
    target = np.array([0, 0, 2.0]) + gen3c.ROTATIONS[rotation] * offset
    looking = target - offset
    np.testing.assert_allclose(made[:, :3, 2], looking / np.linalg.norm(looking, axis=1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(made[0], np.eye(4), atol=1e-12)


def test_both_forms_agree_only_without_rotation():
    for trajectory in gen3c.TRAJECTORIES:
        still = [gen3c.poses(trajectory, 7, rotation="no_rotation", upstream=form) for form in (False, True)]
        np.testing.assert_allclose(*still, atol=1e-12)
    turned = [gen3c.poses("left", 121, upstream=form)[-1, :3, 3] for form in (False, True)]
    np.testing.assert_allclose(turned, [[-0.2975, 0, 0], [-0.2852, 0, 0.0848]], atol=1e-3)


def test_invalid_input_is_named():
    with pytest.raises(InputError, match="Unknown trajectory 'none'"):
        gen3c.poses("none", 5)
    with pytest.raises(InputError, match="Unknown rotation"):
        gen3c.poses("left", 5, rotation="spin")
    with pytest.raises(InputError, match="at least one frame"):
        gen3c.poses("left", 0)
    with pytest.raises(InputError, match="pass through the point"):
        gen3c.poses("zoom_in", 4, distance=4.0, rotation="center_facing")
