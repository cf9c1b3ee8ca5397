"""A shot with response correction requests a different path but is stored with the drawn one; without a curve it is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.borrow import rotvec_degrees
from camera.evaluation.response import Answer, Response
from camera.path import pinhole
from camera.view import Scene, View
from pipelines import method
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.results import responses
from pipelines.runtime import dispatch
from pipelines.shot import Shot
from tests.scenes.turning import turning


def shot(name: str = "gen3c", **options) -> Shot:
    path = turning(9, 30, size=(64, 64))
    view = View.of(np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 2.0), pinhole(64, 64, 60))
    known = method(name)
    return Shot(known, Scene((view,), "still"), path, known.settings(), RunOptions(weights="tiny", **options))


@pytest.fixture
def asked(tmp_path, monkeypatch) -> list[Shot]:
    """The shots that would run, recorded instead of run; curves are stored in this test's own folder."""
    monkeypatch.setenv(responses.HOME_VARIABLE, str(tmp_path))
    seen: list[Shot] = []

    def run(one: Shot, headers, visitor):
        seen.append(one)
        yield Progress("Denoising", 1, 1)
        yield Clip(np.zeros((9, 64, 64, 3), np.uint8), 24, one.path, notes=("Its own note.",))

    monkeypatch.setattr(dispatch, "_run", run)
    return seen


def test_thirty_four_are_asked_for_to_get_thirty_and_said(asked, tmp_path):
    curve = Response("gen3c", "tiny", (Answer("pan", 30 / 34, 0.0, {}, 2),))
    responses.save_responses(curve, tmp_path)
    drawn = shot(correct_turns=True)
    _, clip = dispatch.generate(drawn)
    assert isinstance(clip, Clip)
    assert rotvec_degrees(asked[0].path)[-1, 1] == pytest.approx(34, abs=0.01)
    assert not asked[0].options.correct_turns, "a sibling does not correct it again"
    np.testing.assert_array_equal(clip.path.world_from_camera, drawn.path.world_from_camera)
    assert clip.notes[0] == "Its own note." and "pan times 1.13" in clip.notes[1]


def test_it_is_off_by_default_and_refused_without_a_curve(asked):
    list(dispatch.generate(shot()))
    np.testing.assert_array_equal(asked[0].path.world_from_camera, shot().path.world_from_camera)
    with pytest.raises(InputError, match="no response curve of GEN3C with tiny weights"):
        list(dispatch.generate(shot(correct_turns=True)))
    one = shot(correct_turns=True)
    with pytest.raises(InputError, match="does not receive the path"):
        list(dispatch.generate(replace(one, method=method("dimensionx"))))
