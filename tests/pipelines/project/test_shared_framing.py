"""Projects with the same scene and the same use of it share its framing; others do not."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from bench.hostile.seed_values import camera_path, scene
from pipelines import method
from pipelines.methods.gen3c.coverage import seen_share
from pipelines.project.content import FILM_MOVES, Content
from pipelines.project.framing import Framings

GEN3C = method("gen3c")
MOVES = GEN3C.moves(frames=9, width=128, height=64)


@pytest.fixture
def content() -> Content:
    return Content(scene=scene())


def test_two_projects_get_the_same_framing_while_one_of_them_has_it(content):
    one, other = Framings(), Framings()
    framed = one.of(content, GEN3C, MOVES)
    assert other.of(Content(scene=content.scene), GEN3C, replace(MOVES)) is framed
    assert framed.viewfinder is other.of(content, GEN3C, MOVES).viewfinder
    before = framed.path.centres.copy()
    del framed, one, other
    gc.collect()
    np.testing.assert_array_equal(Framings().of(content, GEN3C, MOVES).path.centres, before)


def test_what_differs_is_framed_apart(content):
    one = Framings().of(content, GEN3C, MOVES)
    kept = [one]
    for other, moves, by in (
        (content, replace(MOVES, frames=11), GEN3C),
        (content, MOVES, method("genxd")),
        (Content(scene=scene()), MOVES, GEN3C),
        (replace(content, own=camera_path(9)), MOVES, GEN3C),
        (replace(content, source=replace(content.source, film_moves="arc 20", moves_from=FILM_MOVES)), MOVES, GEN3C),
    ):
        moves = moves if by is GEN3C else by.moves()
        kept.append(Framings().of(other, by, moves))
    assert len({id(each) for each in kept}) == 6


def test_what_is_seen_of_a_path_is_computed_once_for_the_same_frames(content):
    framed = Framings().of(content, GEN3C, MOVES)
    frames = np.array([0, 8])
    shares = seen_share(framed.scene, framed.path, frames)
    assert seen_share(framed.scene, framed.path, frames.copy()) is shares and not shares.flags.writeable
    assert len(seen_share(framed.scene, framed.path, np.arange(3))) == 3
    turned = framed.path.with_poses(framed.path.world_from_camera @ np.diag([-1.0, 1, -1, 1]))
    assert seen_share(framed.scene, turned, frames).max() < shares.min()
