"""A sequence before shooting: one video with cuts, one picture of all shots."""

from __future__ import annotations

import numpy as np
import pytest

from camera.errors import InputError
from camera.render.scene import render
from camera.sequence.shots import Shot
from camera.trajectories import film_script
from examples import load
from pipelines.media.video import probe, read_video
from pipelines.method import Progress
from pipelines.results.animatic import BAND, animatic, contact_sheet

SCENE = load("reading_room").fitted(160, 96)


def shots() -> tuple[Shot, ...]:
    wide = film_script.path_of("truck 0.1", SCENE.first, frames=7)
    close = film_script.path_of("dolly 0.3; zoom 2", SCENE.first, frames=5)
    return Shot("Wide", wide), Shot("Close", close)


def test_all_shots_follow_each_other_in_one_video(tmp_path):
    steps = list(animatic(SCENE, shots(), tmp_path / "all.mp4"))
    assert steps[-1] == tmp_path / "all.mp4" and probe(tmp_path / "all.mp4").frames == 12
    assert [step.step for step in steps if isinstance(step, Progress)] == list(range(1, 13))
    frames, _ = read_video(tmp_path / "all.mp4")
    first_of_close = render(SCENE, shots()[1].path, frame=0).colour
    apart = [np.abs(frames[at].astype(int) - first_of_close).mean() for at in (6, 7)]
    assert apart[1] < 8 < apart[0], "the cut is after frame 7"

    running = animatic(SCENE, shots(), tmp_path / "none.mp4")
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "none.mp4").exists()
    with pytest.raises(InputError, match="at least one shot"):
        next(animatic(SCENE, (), tmp_path / "none.mp4"))


def test_the_contact_sheet_has_a_row_for_every_shot():
    sheet = contact_sheet(SCENE, shots(), side=80)
    assert sheet.shape == (2 * (BAND + 48), 3 * 80, 3)
    first, last = sheet[BAND : BAND + 48, :80], sheet[BAND : BAND + 48, 160:]
    truth = render(SCENE.fitted(80, 48, "stretch"), shots()[0].path.resized(80, 48), frame=0, fill="background").colour
    np.testing.assert_array_equal(first, truth)
    assert np.abs(first.astype(int) - last).mean() > 3
    assert sheet[:BAND].min() < 100 < sheet[:BAND].max(), "names are written"
