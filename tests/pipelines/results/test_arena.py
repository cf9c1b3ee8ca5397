"""The blind arena stores votes in one file, pairs the least compared contestants, and exports votes together with measurements."""

import csv
import sqlite3
from pathlib import Path

import pytest

from camera.errors import InputError
from pipelines.results.arena import Arena, Entry


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    made = Arena(tmp_path / "arena.sqlite")
    for method, turn in (("gen3c", 0.5), ("genxd", 2.0), ("i2v3d", None)):
        video = tmp_path / f"{method}.mp4"
        video.write_bytes(b"video")
        made.enter(Entry("arc 20", method, str(video), turn, None if turn is None else turn / 10, "follows"))
    return made


def test_pairs_are_of_one_move_and_two_methods_and_sides_are_chance(arena):
    pairs = [arena.pair(seed=seed) for seed in range(30)]
    assert all(p.left.method != p.right.method and p.left.move == p.right.move for p in pairs)
    assert len({(p.left.method, p.right.method) for p in pairs}) == 6


def test_those_who_met_least_are_shown_next(arena):
    for seed in range(9):
        arena.vote(arena.pair(seed=seed), "tie")
    met: dict[frozenset, int] = {}
    for first, second, _ in arena.votes():
        met[frozenset((first, second))] = met.get(frozenset((first, second)), 0) + 1
    assert sorted(met.values()) == [3, 3, 3]


def test_votes_outlive_the_program_and_become_scores(arena):
    for seed in range(40):
        pair = arena.pair(seed=seed)
        better = min((pair.left, pair.right), key=lambda entry: ["gen3c", "genxd", "i2v3d"].index(entry.method))
        arena.vote(pair, "left" if better == pair.left else "right")
    again = Arena(arena.file)
    table = again.table()
    assert [one.name for one in table] == ["gen3c", "genxd", "i2v3d"]
    assert table[0].low > table[-1].high


def test_the_export_has_measured_errors_beside_taste(arena):
    arena.vote(arena.pair(seed=1), "left", voter="=cmd")
    (line,) = list(csv.DictReader(arena.as_csv().splitlines()))
    errors = {"gen3c": "0.5", "genxd": "2.0", "i2v3d": ""}
    assert line["first_got"] == "1.0" and line["first_turn_degrees"] == errors[line["first"]]
    scores = {one.name: one for one in arena.table()}
    for who in ("first", "second"):
        told = [float(line[f"{who}_{part}"]) for part in ("low", "score", "high")]
        one = scores[line[who]]
        assert told == sorted(told) and told == pytest.approx([one.low, one.score, one.high], abs=1e-4)
    assert line["second_turn_degrees"] == errors[line["second"]]


def test_what_cannot_be_is_said(arena, tmp_path):
    with pytest.raises(InputError, match="left, tie, right"):
        arena.vote(arena.pair(), "best")
    with pytest.raises(InputError, match="two methods"):
        Arena(tmp_path / "empty.sqlite").pair()
    (tmp_path / "other.sqlite").write_bytes(b"this is no database, " * 60)
    with pytest.raises(InputError, match="cannot be used as an arena"):
        Arena(tmp_path / "other.sqlite")
    with sqlite3.connect(tmp_path / "new.sqlite") as store:
        store.execute("pragma user_version = 9")
    store.close()
    with pytest.raises(InputError, match="newer Reshoot"):
        Arena(tmp_path / "new.sqlite")
