"""Groups of views against those of the original code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from camera.errors import InputError
from pipelines.methods.genxd import grouping


def _centres(camera_from_world):
    poses = np.repeat(np.eye(4)[None], len(camera_from_world), axis=0)
    poses[:, :3] = camera_from_world
    return np.linalg.inv(poses)[:, :3, 3]


@pytest.fixture(scope="module")
def arrays(golden):
    return np.load(golden / "genxd/grouping.npz")


@pytest.mark.parametrize("name", ["group3", "group2", "group2pad", "group3of6", "seq3", "seqtraj"])
def test_groups_equal_the_original(golden, arrays, name):
    case = json.loads((golden / "genxd/grouping.json").read_text())[name]
    known = _centres(arrays["scene/cameras"][:, 6:].reshape(-1, 3, 4))[arrays[f"scene/train{case['n_views']}"]]
    wanted = _centres(arrays["gen_poses_w2c"])
    size = case["num_frames"] - case["num_context_views"]
    if case.get("group_strategy") == "sequential":
        targets = grouping.in_order(len(wanted), size, per_trajectory=case.get("num_pose_per_traj", 0), cover=False)
    else:
        targets = grouping.by_place(wanted, known[0], size, cover=False)
    groups = grouping.with_contexts(targets, wanted, known, case["num_context_views"])
    np.testing.assert_array_equal([g.targets for g in groups], arrays[f"{name}/target_pose_indices"])
    np.testing.assert_array_equal([g.contexts for g in groups], arrays[f"{name}/condition_local_indices"])


@pytest.mark.parametrize(("name", "contexts"), [("group3", 3), ("group2", 2)])
def test_known_views_stand_where_the_original_puts_them(arrays, name, contexts):
    expected = arrays[f"{name}/item0/context_target_correspondence"]
    assert grouping.context_frames(contexts, 12) == tuple(expected)


@pytest.mark.parametrize("name", ["direct3", "direct_all"])
def test_a_last_group_is_filled_from_the_start(arrays, name):
    expected = arrays[f"{name}/target_indices"]
    ids = np.arange(16) if name == "direct_all" else arrays["scene/test3"]
    groups = grouping.in_order(len(ids), 9)
    np.testing.assert_array_equal(ids[np.array(groups)], expected)


@pytest.mark.parametrize("size", [9, 10, 11])
def test_by_default_every_view_is_made(arrays, size):
    wanted = _centres(arrays["gen_poses_w2c"])
    for groups in (grouping.by_place(wanted, wanted[3], size), grouping.in_order(len(wanted), size)):
        assert {i for group in groups for i in group} == set(range(len(wanted)))
        assert {len(group) for group in groups} == {size}


def test_fewer_views_than_a_group_are_repeated():
    wanted = np.random.default_rng(0).normal(size=(4, 3))
    assert grouping.in_order(4, 9) == [[0, 1, 2, 3, 0, 1, 2, 3, 0]]
    assert {len(g) for g in grouping.by_place(wanted, wanted[0], 9)} == {9}


def test_no_group_reaches_across_trajectories():
    groups = grouping.in_order(26, 4, per_trajectory=10)
    assert all(len({i // 10 for i in group}) == 1 for group in groups)
    assert {i for group in groups for i in group} == set(range(26))


def test_more_than_three_known_views_are_refused():
    with pytest.raises(InputError, match="1, 2 or 3"):
        grouping.context_frames(4, 12)
