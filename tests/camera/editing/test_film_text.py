"""Camera paths converted back to film-move text."""

from __future__ import annotations

import numpy as np
import pytest

from camera.editing.film_text import film_text
from camera.editing.fit import tolerance_for
from camera.path import pinhole
from camera.trajectories.film_script import parse_moves, path_of
from camera.view import View

VIEW = View.of(np.zeros((18, 32, 3), np.uint8), np.full((18, 32), 2.5, np.float32), pinhole(32, 18, 50))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("arc -28 ease + arc-up 6 ease", [{"arc", "arc-up"}]),
        ("dolly 0.3 smooth 1s; hold 0.5s; pan 20 1s", [{"dolly"}, {"hold"}, {"pan"}]),
        ("truck 0.2 + tilt 5 + roll -8 + zoom 1.4", [{"truck", "tilt", "roll", "zoom"}]),
    ],
)
def test_film_moves_are_recovered_from_their_path(text, kinds):
    path = path_of(text, VIEW, frames=61)
    found = film_text(path, VIEW)
    assert [{move.kind for move in part} for part in parse_moves(found.text)][: len(kinds)] == kinds
    assert found.residual.within(tolerance_for(path)), found.words
    given = {move.kind: move for part in parse_moves(text) for move in part}
    for part in parse_moves(found.text):
        for move in part:
            if move.kind in given:
                assert move.amount == pytest.approx(given[move.kind].amount, rel=0.01)
                assert move.easing == given[move.kind].easing


def test_paths_that_are_no_film_move_are_refused():
    path = path_of("eight 0.3", VIEW, frames=61)
    found = film_text(path, VIEW)
    assert not found.residual.within(tolerance_for(path)) and "off at most" in found.words
    still = film_text(VIEW.camera.resampled(24), VIEW)
    assert still.text.startswith("hold") and still.residual.place == 0
