"""Damaged files in every reader give a value or one readable sentence, never anything else."""

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
"""Readers that load zip members into memory, each with its own code."""


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_refused_with_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    seed = SEEDS[name](tmp_path)
    seed.read(seed.data)  # the undamaged file can be read
    assert find_faults(seed, 200) == []


@pytest.mark.parametrize("name", UNZIPPED)
def test_zip_members_are_not_unpacked_beyond_their_declared_size(name, tmp_path):
    seed = SEEDS[name](tmp_path)
    with zipfile.ZipFile(io.BytesIO(seed.data)) as archive:
        count = min(len(archive.infolist()), 5)
    seed.read(seed.data)  # loads imports before memory is traced
    for at in range(count):
        copy = with_false_size(seed.data, at, 8 << 20)
        tracemalloc.start()
        _answer(seed, copy)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 6 << 20, f"member {at}: {most >> 20} MB"


def test_unexpected_errors_and_bad_messages_are_found():
    def reader(data: bytes) -> None:
        raise KeyError("camera")

    assert "KeyError" in find_faults(Seed(b"x", reader), 1)[0]
    assert _unfit("Got a <View object at 0x7f>.") and _unfit(" ") and _unfit("ValueError: no")
    assert not _unfit("room.zip is damaged; pack it again.")


def test_mutants_are_reproducible_and_mostly_distinct():
    data = bytes(range(256))
    assert mutant(data, 7) == mutant(data, 7)
    assert len({mutant(data, number) for number in range(100)}) > 80


def greedy_reader(folder):
    """A reader that allocates 400 MB, then exceeds the time limit by half a second, then ends its process."""
    steps = iter((lambda: b"x" * (400 << 20), lambda: sum(range(100_000_000)), lambda: os._exit(1)))
    return Seed(b"x" * 20, lambda copy: None if copy == b"x" * 20 else next(steps)())


def test_memory_time_and_process_death_are_detected(monkeypatch):
    monkeypatch.setattr(hostile, "get_context", lambda _: multiprocessing.get_context("fork"))
    monkeypatch.setitem(hostile.SEEDS, "greedy_reader", greedy_reader)
    row = _row("greedy_reader", 5)
    assert row.met is False and row.ours_ms > 1000 and "the process died" in row.agreement
    assert int(row.agreement.split("+")[1].split()[0]) >= 390
