"""Paths through key frames: they pass through their keys, with the stated smoothness and timing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.path import pinhole
from camera.rotation import about_axis, angle_degrees
from camera.trajectories.keyframes import EASINGS, Keyframe, ease, through

SIZE = {"width": 64, "height": 48}


def keys(count: int, seed: int = 0, *, times=None, fov=(60,)) -> list[Keyframe]:
    random = np.random.default_rng(seed)
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, :3, 3] = random.normal(size=(count, 3))
    poses[:, :3, :3] = Rotation.from_rotvec(random.normal(size=(count, 3)) * 0.4).as_matrix()
    lens = [pinhole(64, 48, fov[i % len(fov)]) for i in range(count)]
    return [Keyframe(poses[i], lens[i], None if times is None else times[i]) for i in range(count)]


@given(st.integers(1, 6), st.integers(0, 1000), st.sampled_from(["smooth", "tight", "straight"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_key_is_matched(count, seed, curve, loop):
    given_keys = keys(count, seed, fov=(40, 60, 90))
    steps = count if loop else max(count - 1, 1)
    path = through(given_keys, frames=steps * 10 + (0 if loop else 1), curve=curve, loop=loop, **SIZE)
    for key, frame in zip(given_keys, range(0, len(path), 10)):
        assert np.allclose(path.world_from_camera[frame], key.world_from_camera, atol=1e-9)
        assert np.allclose(path.intrinsics[frame], key.intrinsics)


def test_keys_are_reached_at_their_times():
    path = through(keys(3, times=[0.0, 1.0, 4.0]), frames=41, **SIZE)
    assert np.allclose(path.world_from_camera[10], keys(3)[1].world_from_camera)


@pytest.mark.parametrize("curve", ["smooth", "tight"])
def test_a_loop_closes_smoothly(curve):
    path = through(keys(4), frames=4000, curve=curve, loop=True, **SIZE)
    around = np.concatenate([path.world_from_camera] * 2)
    velocity = np.diff(around[:, :3, 3], axis=0)
    turns = angle_degrees(around[:-1, :3, :3], around[1:, :3, :3])
    seam = slice(3990, 4010)
    assert np.abs(np.diff(velocity[seam], axis=0)).max() < 0.01 * np.abs(velocity).max()
    assert np.abs(np.diff(turns[seam])).max() < 0.02 * turns.max()


def test_straight_has_corners_and_smooth_has_none():
    def sharpest(curve):
        velocity = np.diff(through(keys(4), frames=3001, curve=curve, **SIZE).centres, axis=0)
        return np.abs(np.diff(velocity, axis=0)).max() / np.abs(velocity).max()

    assert sharpest("smooth") < 0.02 < 0.2 < sharpest("straight")


def test_tight_never_overshoots_its_keys():
    step = [Keyframe(_at(x), pinhole(64, 48, 60)) for x in (0, 0, 0, 1, 1, 1)]
    tight, smooth = (through(step, frames=101, curve=curve, **SIZE).centres[:, 0] for curve in ("tight", "smooth"))
    assert tight.min() >= 0 and tight.max() <= 1
    assert smooth.max() > 1.01


def test_the_lens_never_overshoots_its_keys():
    path = through(keys(5, fov=(40, 40, 80, 80, 80)), frames=201, **SIZE)
    focal = path.intrinsics[:, 0, 0]
    assert focal.min() >= pinhole(64, 48, 80)[0, 0] - 1e-9 and focal.max() <= pinhole(64, 48, 40)[0, 0] + 1e-9


def test_constant_speed_gives_equal_steps():
    angles = np.array([0, 0.3, 1.5, 2, 4])
    uneven = [Keyframe(_at(np.cos(a), np.sin(a), a), np.eye(3), t) for a, t in zip(angles, (0, 1, 2, 4, 5))]
    steps = np.linalg.norm(np.diff(through(uneven, frames=300, constant_speed=True, **SIZE).centres, axis=0), axis=1)
    assert steps.std() < 0.01 * steps.mean()
    ordinary = np.linalg.norm(np.diff(through(uneven, frames=300, **SIZE).centres, axis=0), axis=1)
    assert ordinary.std() > 0.3 * steps.mean()


def test_constant_speed_of_a_pure_rotation_is_by_angle():
    turn = [Keyframe(_turned(angle), pinhole(64, 48, 60)) for angle in (0, 30, 90)]
    rotations = through(turn, frames=50, constant_speed=True, **SIZE).world_from_camera[:, :3, :3]
    steps = angle_degrees(rotations[:-1], rotations[1:])
    assert steps.std() < 0.02 * steps.mean()
    with pytest.raises(InputError, match="key frame 2 would take no time"):
        through(
            [Keyframe(_at(0), np.eye(3)), Keyframe(_at(1), np.eye(3)), Keyframe(_turned(60, 1), np.eye(3))],
            frames=9, curve="straight", constant_speed=True, **SIZE,
        )  # fmt: skip


@pytest.mark.parametrize("name", EASINGS)
def test_easings_increase_from_0_to_1(name):
    progress = ease(np.linspace(0, 1, 101), name)
    assert progress[0] == 0 and progress[-1] == pytest.approx(1) and (np.diff(progress) > 0).all()
    assert (abs(progress[1]) < 1e-3) == (name in ("ease", "ease-in", "smooth"))
    path = through([Keyframe(_at(0), np.eye(3)), Keyframe(_at(1), np.eye(3))], frames=101, easing=name, **SIZE)
    assert np.allclose(path.centres[:, 0], progress)


def test_invalid_keys_are_refused():
    with pytest.raises(InputError, match="at least one key"):
        through([], frames=5, **SIZE)
    with pytest.raises(InputError, match="Key frame 2 has no time"):
        through(keys(3, times=[0, None, 2]), frames=5, **SIZE)
    with pytest.raises(InputError, match="Key frame 3 must come later"):
        through(keys(3, times=[0, 2, 1]), frames=5, **SIZE)
    with pytest.raises(InputError, match="Unknown easing 'bounce'"):
        through(keys(2), frames=5, easing="bounce", **SIZE)


def _at(x: float, y: float = 0, z: float = 0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


def _turned(degrees: float, x: float = 0) -> np.ndarray:
    pose = _at(x)
    pose[:3, :3] = about_axis([0, 1, 0], degrees)
    return pose
