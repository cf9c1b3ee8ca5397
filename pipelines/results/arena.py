"""A blind arena: pairs of methods over one move; votes go to a small SQLite file and are exported with the measured errors."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from camera.errors import InputError
from camera.evaluation.bradley_terry import Strength, strengths
from pipelines.environment import cache_folder
from pipelines.media.video import complete

FORMAT = 1
HOME_VARIABLE = "RESHOOT_ARENA"
"""Mount point of a Space's persistent storage."""
SPACE_STORAGE = Path("/data")
"""Where a Space with persistent storage has it."""
MOST_ENTRIES = 1000
LARGEST_VIDEO = 100 << 20
OUTCOMES = {"left": 1.0, "tie": 0.5, "right": 0.0}
VOTE, ERRORS, SCORES = (
    ("seconds", "move", "first", "second", "first_got"),
    ("turn_degrees", "distance"),
    ("score", "low", "high"),
)
"""Columns of the export: of a vote, and of each of its two methods."""
_TABLES = """
create table if not exists entries (
    move text not null, method text not null, video text not null, turn_degrees real, distance real, verdict text,
    primary key (move, method, video));
create table if not exists votes (
    seconds real not null, move text not null, first text not null, second text not null, outcome real not null, voter text);
"""


@dataclass(frozen=True)
class Entry:
    """A result that may be shown: its method, video, and mean measured errors, None if they were not measured."""

    move: str
    method: str
    video: str
    turn_degrees: float | None = None
    distance: float | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Pair:
    """Two results of one move, in random order; method names are shown after the vote."""

    left: Entry
    right: Entry


def arena_folder() -> Path:
    """The folder of the page's arena: `HOME_VARIABLE`, a Space's persistent storage, or the user's cache."""
    if not os.environ.get(HOME_VARIABLE) and os.environ.get("SPACE_ID") and os.access(SPACE_STORAGE, os.W_OK):
        return SPACE_STORAGE / "reshoot-arena"
    return cache_folder(HOME_VARIABLE, "arena")


class Arena:
    """Entries and votes in one file; safe for concurrent visitors and processes."""

    def __init__(self, file: Path) -> None:
        """Open or create ``file``; raises `InputError` if it is not an arena or of a newer format."""
        self.file = Path(file)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as store:
            known = store.execute("pragma user_version").fetchone()[0]
            if known > FORMAT:
                raise InputError(f"{self.file.name} was made by a newer Reshoot; update to open it.")
            store.executescript(_TABLES)
            store.execute(f"pragma user_version = {FORMAT}")

    def enter(self, entry: Entry) -> None:
        """Add a result; entering it again updates its errors."""
        values = (entry.move, entry.method, entry.video, entry.turn_degrees, entry.distance, entry.verdict)
        with self._open() as store:
            store.execute("insert or replace into entries values (?, ?, ?, ?, ?, ?)", values)

    def keep(self, entry: Entry) -> Entry:
        """Copy the entry's video beside the arena, under an anonymous name, and enter it; for an existing entry only updates the
        errors. Raises `InputError` if the arena is full or the video too large."""
        video = Path(entry.video)
        if video.stat().st_size > LARGEST_VIDEO:
            raise InputError(f"The arena accepts videos of up to {LARGEST_VIDEO >> 20} MB.")
        own = self.file.parent / f"{hashlib.sha256(video.read_bytes()).hexdigest()[:24]}.mp4"
        if not own.is_file():
            if len(self.entries()) >= MOST_ENTRIES:
                raise InputError(f"The arena is full: it has {MOST_ENTRIES} shots.")
            with complete(own) as part:
                shutil.copyfile(video, part)
        copy = replace(entry, video=str(own))
        self.enter(copy)
        return copy

    def pair(self, *, seed: int | None = None) -> Pair:
        """Two results of different methods for one move: prefers methods that were compared least often, then chooses at random.

        Raises `InputError` if no move was shot with two methods.
        """
        chance = random.Random(seed)
        entries = self.entries()
        comparisons = self._comparison_counts()
        pairs = [
            (a, b)
            for i, a in enumerate(entries)
            for b in entries[i + 1 :]
            if a.move == b.move and a.method != b.method and Path(a.video).is_file() and Path(b.video).is_file()
        ]
        if not pairs:
            raise InputError(
                "There are no two results of one move by different methods yet; shoot one move with two methods."
            )
        fewest = min(comparisons.get(frozenset((a.method, b.method)), 0) for a, b in pairs)
        chosen = chance.choice(
            [p for p in pairs if comparisons.get(frozenset((p[0].method, p[1].method)), 0) == fewest]
        )
        left, right = chance.sample(chosen, 2)
        return Pair(left, right)

    def vote(self, pair: Pair, outcome: str, *, voter: str = "") -> None:
        """Store a vote: "left", "right" or "tie"."""
        if outcome not in OUTCOMES:
            raise InputError(f"A vote is {', '.join(OUTCOMES)}; got {outcome!r}.")
        values = (time.time(), pair.left.move, pair.left.method, pair.right.method, OUTCOMES[outcome], voter)
        with self._open() as store:
            store.execute("insert into votes values (?, ?, ?, ?, ?, ?)", values)

    def entries(self) -> list[Entry]:
        with self._open() as store:
            return [Entry(*row) for row in store.execute("select * from entries order by move, method, video")]

    def votes(self) -> list[tuple[str, str, float]]:
        with self._open() as store:
            return [tuple(row) for row in store.execute("select first, second, outcome from votes order by seconds")]  # type: ignore[misc]

    def table(self) -> list[Strength]:
        """Scores with intervals, strongest first."""
        return strengths(self.votes())

    def as_csv(self) -> str:
        """A line per vote with the mean measured errors of both methods for that move, for comparing votes with measurements, and
        both methods' current scores with 95 % intervals."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*VOTE, *(f"{who}_{column}" for who in VOTE[2:4] for column in (*ERRORS, *SCORES))])
        entries = self.entries()
        with self._open() as store:
            votes = store.execute(f"select {', '.join(VOTE[:4])}, outcome from votes order by seconds").fetchall()
        scores = {one.name: one for one in strengths([(first, second, got) for _, _, first, second, got in votes])}
        for seconds, move, *both, got in votes:
            known = []
            for who in both:
                known += [_mean(entries, move, who, error) for error in ERRORS]
                known += [round(getattr(scores[who], part), 4) for part in SCORES]
            writer.writerow([f"{seconds:.0f}", move, *both, got, *known])
        return out.getvalue()

    def _comparison_counts(self) -> dict[frozenset[str], int]:
        found: dict[frozenset[str], int] = {}
        for first, second, _ in self.votes():
            found[frozenset((first, second))] = found.get(frozenset((first, second)), 0) + 1
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        store = sqlite3.connect(self.file, timeout=10)
        try:
            with store:
                yield store
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self.file.name} cannot be used as an arena: it is damaged, locked or of another kind."
            ) from error
        finally:
            store.close()


def _mean(entries: Sequence[Entry], move: str, method: str, error: str) -> float | str:
    known = [getattr(one, error) for one in entries if (one.move, one.method) == (move, method)]
    known = [value for value in known if value is not None]
    return round(sum(known) / len(known), 6) if known else ""
