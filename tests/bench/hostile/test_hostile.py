"""Damaged files in every reader: a value, or one sentence for people; never anything else."""

import io
import multiprocessing
import os
import tracemalloc
import zipfile

import pytest

from bench import hostile
from bench.hostile import SEEDS, _answer, _row, _unfit, find_faults
from bench.hostile.mutants import mutant, with_false_size
from bench.hostile.seed_values import Seed

UNZIPPED = ("path colmap_txt", "path lingbot", "path realityscan_xmp", "model obj in a zip", "objects", "project",
            "keyframes", "splats sog")  # fmt: skip
"""Readers that take members of a zip into memory, each in its own way."""


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    seed = SEEDS[name](tmp_path)
    seed.read(seed.data)  # whole, it is read
    assert find_faults(seed, 200) == []


@pytest.mark.parametrize("name", UNZIPPED)
def test_no_more_of_a_zip_is_unpacked_than_it_announces(name, tmp_path):
    seed = SEEDS[name](tmp_path)
    with zipfile.ZipFile(io.BytesIO(seed.data)) as archive:
        count = min(len(archive.infolist()), 5)
    seed.read(seed.data)  # imports what it needs
    for at in range(count):
        copy = with_false_size(seed.data, at, 8 << 20)
        tracemalloc.start()
        _answer(seed, copy)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 6 << 20, f"member {at}: {most >> 20} MB"


def test_what_is_strange_is_found():
    def reader(data: bytes) -> None:
        raise KeyError("camera")

    assert "KeyError" in find_faults(Seed(b"x", reader), 1)[0]
    assert _unfit("Got a <View object at 0x7f>.") and _unfit(" ") and _unfit("ValueError: no")
    assert not _unfit("room.zip is damaged; pack it again.")


def test_a_number_gives_the_same_copy_and_most_copies_differ():
    data = bytes(range(256))
    assert mutant(data, 7) == mutant(data, 7)
    assert len({mutant(data, number) for number in range(100)}) > 80


def glutton(folder):
    """A reader that takes 400 MB, then half a second longer than it may, then ends its process."""
    steps = iter((lambda: b"x" * (400 << 20), lambda: sum(range(100_000_000)), lambda: os._exit(1)))
    return Seed(b"x" * 20, lambda copy: None if copy == b"x" * 20 else next(steps)())


def test_memory_time_and_the_end_of_a_process_are_seen(monkeypatch):
    monkeypatch.setattr(hostile, "get_context", lambda _: multiprocessing.get_context("fork"))
    monkeypatch.setitem(hostile.SEEDS, "glutton", glutton)
    row = _row("glutton", 5)
    assert row.met is False and row.ours_ms > 1000 and "the process died" in row.agreement
    assert int(row.agreement.split("+")[1].split()[0]) >= 390
