"""The table of film moves is complete for a menu, and the rig moves as the table says."""

import subprocess
import sys

import numpy as np
import pytest

from camera.errors import InputError
from camera.rotation import about_axis
from camera.trajectories.film import MOVES, START, Stand, move_rig


def after(name: str, amount: float, *, start: Stand = START, progress: float = 1.0) -> Stand:
    return move_rig(start, [(name, amount, np.array([progress]))], distance=2.0).at(0)


@pytest.mark.parametrize("name", MOVES)
def test_every_move_can_be_displayed_and_applied(name):
    move = MOVES[name]
    assert move.label and move.help.endswith(".")
    assert move.minimum <= move.default <= move.maximum
    assert bool(move.positive) == bool(move.negative)
    for amount in (move.minimum, move.default, move.maximum):
        stand = after(name, amount)
        assert np.allclose(stand.rotation @ stand.rotation.T, np.eye(3))
        assert stand.lens > 0


@pytest.mark.parametrize("name", MOVES)
def test_no_progress_changes_nothing(name):
    before = Stand(about_axis([1, 2, 0.5], 20), np.array([0.3, -0.1, 0.2]), np.array(1.3))
    unmoved = after(name, MOVES[name].default, start=before, progress=0.0)
    assert np.allclose(unmoved.rotation, before.rotation) and np.allclose(unmoved.position, before.position)
    assert unmoved.lens == pytest.approx(before.lens)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("dolly", 2, 1), ("truck", 0, 1), ("pedestal", 1, -1), ("arc", 0, 1), ("arc-up", 1, -1), ("crane", 1, -1),
        ("dolly-zoom", 2, 1),
    ],
)  # fmt: skip
def test_positive_amounts_move_in_the_first_named_direction(name, axis, sign):
    there, back = (after(name, way * 0.3).position[axis] for way in (1, -1))
    assert np.sign(there) == sign == -np.sign(back)
    assert MOVES[name].positive in ("in", "right", "up")


def test_a_full_arc_returns_to_the_start():
    around = after("arc", 360.0)
    assert np.allclose(around.position, 0, atol=1e-12) and np.allclose(around.rotation, np.eye(3))


def test_arcs_keep_their_distance_and_eights_their_width():
    subject = np.array([0, 0, 2.0])
    for name in ("arc", "arc-up"):
        for angle in (-80, 10, 60):
            assert np.linalg.norm(after(name, angle).position - subject) == pytest.approx(2)
    places = move_rig(START, [("eight", 0.2, np.linspace(0, 1, 101))], distance=2.0).position
    assert np.abs(places[:, 0]).max() == pytest.approx(0.4, abs=1e-3)
    assert np.abs(places[:, 1]).max() == pytest.approx(0.2, abs=1e-3)


def test_a_dolly_zoom_stops_before_the_subject():
    with pytest.raises(InputError, match="reach or pass"):
        after("dolly-zoom", 0.6, start=after("dolly", 0.5))


def test_the_table_imports_no_heavy_modules():
    code = "import camera.trajectories.film, sys; assert 'scipy' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
