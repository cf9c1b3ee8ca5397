"""Damaged files in every reader: a value, or one sentence for people; never anything else."""

import pytest

from bench.hostile import _unfit, strange
from bench.hostile.mutants import mutant
from bench.hostile.seeds import SEEDS, Seed


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    seed = SEEDS[name](tmp_path)
    seed.read(seed.data)  # whole, it is read
    assert strange(seed, 200) == []


def test_what_is_strange_is_found():
    def reader(data: bytes) -> None:
        raise KeyError("camera")

    assert "KeyError" in strange(Seed(b"x", reader), 1)[0]
    assert _unfit("Got a <View object at 0x7f>.") and _unfit(" ") and _unfit("ValueError: no")
    assert not _unfit("room.zip is damaged; pack it again.")


def test_a_number_gives_the_same_copy_and_most_copies_differ():
    data = bytes(range(256))
    assert mutant(data, 7) == mutant(data, 7)
    assert len({mutant(data, number) for number in range(100)}) > 80
