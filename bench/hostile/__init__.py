"""`python -m bench hostile`: feeds damaged files to every reader; each must return a value or raise a one-sentence error."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from bench import Row, Scale, long_subject, peak_megabytes
from bench.hostile.exchanged import all_exchanged
from bench.hostile.mutants import mutant
from bench.hostile.seed_values import MakeSeed, Seed
from bench.hostile.seeds import SEEDS as OF_READERS
from camera.errors import InputError

SEEDS: dict[str, MakeSeed] = OF_READERS | all_exchanged()
"""Functions that make a reader's seed in a given folder, by what is read."""
MUTANTS, QUICK_MUTANTS = 10_000, 200
LONGEST_SECONDS, MOST_MEGABYTES, HANGING_SECONDS = 1.0, 300.0, 60
STARTING_SECONDS = 600
"""Time limit for a reader's process to start and read the whole file, on a shared computer."""
WHOLE = -1
"""Marks the whole file, in place of a mutant's number."""


def find_faults(seed: Seed, count: int, *, start: int = 0) -> list[str]:
    """Unexpected outcomes of ``count`` damaged copies of a seed: exceptions other than `InputError`, and unsuitable messages."""
    faults = []
    for number in range(start, start + count):
        words = _answer(seed, mutant(seed.data, number))
        if words:
            faults.append(f"mutant {number}: {words}")
    return faults


def _answer(seed: Seed, data: bytes) -> str:
    try:
        seed.read(data)
    except InputError as error:
        return _unfit(str(error))
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__name__}: {error}"
    return ""


def _unfit(sentence: str) -> str:
    """Why a message is unsuitable for users, or ""."""
    if "Error" in sentence or "Exception" in sentence or "Traceback" in sentence or " object at 0x" in sentence:
        return f"a class name in {sentence!r}"
    if tempfile.gettempdir() + os.sep in sentence:
        return f"a folder of the server in {sentence!r}"
    return "" if sentence.strip() else "an empty sentence"


@long_subject
def hostile(scale: Scale) -> list[Row]:
    """10,000 damaged copies of a small file per reader (200 with --quick), each reader in a separate process."""
    count = QUICK_MUTANTS if scale.height < 400 else MUTANTS
    rows = []
    for name in SEEDS:
        began = time.perf_counter()
        rows.append(_row(name, count))
        print(
            f"{rows[-1].what} {rows[-1].ours_ms:.0f} ms, {rows[-1].agreement}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    return rows


def _row(name: str, count: int) -> Row:
    """The row of one reader; faults are printed at once."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_child, args=(there, name, count))
    process.start()
    there.close()
    slowest, megabytes, faults, last = 0.0, 0.0, [], "nothing was read"
    try:
        started = here.poll(STARTING_SECONDS) and here.recv()[0] == WHOLE
        while started and here.poll(HANGING_SECONDS):
            number, seconds, megabytes, words = here.recv()
            slowest = max(slowest, seconds)
            faults += [f"mutant {number}: {words}"] if words else []
            last = f"mutant {number + 1} took more than {HANGING_SECONDS} s"
            if number == count - 1:
                last = ""
                break
    except EOFError:
        last = "the process died: " + last.replace("took more than", "was read for less than")
    process.kill()
    process.join()
    for words in (*faults[:5], *filter(None, [last])):
        print(f"{name}: {words}", flush=True)
    met = not faults and not last and slowest <= LONGEST_SECONDS and megabytes <= MOST_MEGABYTES
    agreement = f"{len(faults)} strange answers{', ' + last if last else ''}, +{megabytes:.0f} MB"
    return Row(f"{name}: slowest of {count}", 1e3 * slowest, None, agreement, "0, 1 s, 300 MB", met)


def _child(answers: Connection, name: str, count: int) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        seed = SEEDS[name](Path(folder))
        seed.read(seed.data)
        before = peak_megabytes()
        answers.send((WHOLE, 0.0, 0.0, ""))
        _be_silent()
        for number in range(count):
            data, began = mutant(seed.data, number), time.process_time()
            words = _answer(seed, data)
            seconds = time.process_time() - began
            answers.send((number, seconds, peak_megabytes() - before, words))


def _be_silent() -> None:
    """Silence C libraries, which write thousands of lines to stderr for damaged files."""
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
