"""Bradley-Terry scores: two contestants by hand, ranking, intervals that shrink, and invalid votes."""

import numpy as np
import pytest

from camera.errors import InputError
from camera.evaluation.bradley_terry import strengths


def test_two_contestants_by_hand():
    first, second = strengths([("a", "b", 1.0)] * 300 + [("a", "b", 0.0)] * 100)
    assert (first.name, first.won, first.lost) == ("a", 300, 100)
    assert first.score - second.score == pytest.approx(np.log(3), abs=0.02)
    assert first.score == pytest.approx(-second.score)
    assert first.low < first.score < first.high


def test_intervals_match_a_binomial_proportion():
    (a, _) = strengths([("a", "b", 1.0)] * 200 + [("b", "a", 1.0)] * 200)
    difference = 2 * (a.high - a.score) / 1.96  # the two scores are negatives of each other
    assert difference == pytest.approx(1 / np.sqrt(400 * 0.25), rel=0.02)


def test_wins_decide_the_order_and_ties_give_equal_scores():
    votes = [("a", "b", 1.0)] * 8 + [("b", "c", 1.0)] * 8 + [("a", "c", 0.5)] * 2
    assert [one.name for one in strengths(votes)] == ["a", "b", "c"]
    assert strengths([("a", "b", 0.5)] * 5)[0].score == pytest.approx(0)


def test_an_unbeaten_contestant_has_a_finite_score_and_a_wide_interval():
    few, many = strengths([("a", "b", 1.0)] * 2)[0], strengths([("a", "b", 1.0)] * 40 + [("b", "a", 1.0)] * 10)[0]
    assert np.isfinite(few.score) and few.high - few.low > many.high - many.low


def test_invalid_votes_are_refused():
    assert strengths([]) == []
    with pytest.raises(InputError, match="two different names"):
        strengths([("a", "a", 1.0)])
    with pytest.raises(InputError, match=r"0, 0\.5 or 1"):
        strengths([("a", "b", 2.0)])
