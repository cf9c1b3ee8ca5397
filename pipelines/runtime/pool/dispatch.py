"""Runs a shot through the pool: waits in line, runs on a replica, and is repeated once if that replica is lost."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import wait
from dataclasses import asdict
from functools import partial

from camera.errors import InputError
from pipelines.method import Clip, Progress
from pipelines.runtime.clip_file import clip_of_bytes, report_of
from pipelines.runtime.job_file import write_job
from pipelines.runtime.parallel.ranks import check as check_shared
from pipelines.runtime.pool.line import Line
from pipelines.runtime.pool.link import ConnectionLost, Link
from pipelines.runtime.pool.needs import Facts, Needs, needs_of, replicas
from pipelines.runtime.pool.replica import SHOOT, Event
from pipelines.runtime.pool.settings import PoolSettings
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

RESTARTING = "Waiting for the cluster"
"""Phase of a shot while the cluster restarts."""
_TELL_SECONDS = 0.5


class Pool:
    """The replicas of one cluster, and a line for each method. ``shoot``: see `Replica`; tests and the benchmark replace it
    and ``link``."""

    def __init__(
        self, settings: PoolSettings, *, shoot: str = SHOOT, cpus: float = 1.0, link: Link | None = None
    ) -> None:
        self.settings, self._shoot, self._cpus = settings, shoot, cpus
        self._link = link or Link(settings)
        self.lines: dict[str, Line] = {}
        self._lock = threading.Lock()

    def facts(self, *, wait: bool = True) -> Facts:
        """The cluster's resources. If the cluster is restarting, this waits for it; otherwise raises `InputError` at once."""
        return self._link.facts() if wait else self._link.facts_now()

    def close(self) -> None:
        """Leave the cluster; a cluster that was started here is shut down."""
        self._link.close()

    def at_once(self, gpus: int = 1) -> int:
        """Shots over ``gpus`` GPUs each that can run at the same time."""
        facts = self.facts()
        return replicas(self.settings, _default_needs(facts, gpus), facts)

    def line(self, name: str, needs: Needs | None = None) -> Line:
        """The line for a method and a number of GPUs per shot."""
        needs = needs or _default_needs(self.facts())
        name = needs.line(name)
        if name not in self.lines:
            at_once = replicas(self.settings, needs, self.facts())
            with self._lock:
                self.lines.setdefault(name, Line(name, at_once, self.settings.places))
        return self.lines[name]

    def run(self, shot: Shot) -> Iterator[Progress | Clip | Report]:
        """Like `pipelines.generate`. Raises `InputError` for an invalid shot, a full line, and after a second loss."""
        shot.check()
        check_shared(shot)
        file = io.BytesIO()
        write_job(file, shot, files=self.settings.same_disk)
        for kind, value in self.stream(shot.method.name, file.getvalue(), partial(needs_of, shot)):
            if kind == "clip":
                yield clip_of_bytes(value, shot.scene)
            elif kind == "report":
                yield report_of(value)
            else:
                yield Progress(**value)

    def stream(self, name: str, job: bytes, needs_of: Callable[[Facts], Needs] | None = None) -> Iterator[Event]:
        """Events of one shot: kind and value, as the replica sends them. Raises `InputError` for "refused" and "failed"."""
        needs = (needs_of or _default_needs)((yield from self._join_cluster()))
        line = self.line(name, needs)
        with line.place() as ticket:
            for progress in line.wait(ticket):
                yield "progress", vars(progress)
            if self._link.is_restarting:
                yield from self._join_cluster()
            for kind, value in self._try_twice(line, job, needs):
                if kind in ("refused", "failed"):
                    raise InputError(value)
                yield kind, value
            line.done.add()

    def _join_cluster(self) -> Generator[Event, None, Facts]:
        """The cluster's resources; yields progress while the cluster restarts."""
        renewal = self._link.renewal()
        while not renewal.done():
            if self._link.is_restarting:
                yield (
                    "progress",
                    vars(Progress(RESTARTING, 0, 1, note="The Ray cluster is restarting; waiting for it.")),
                )
            wait([renewal], timeout=_TELL_SECONDS)
        return renewal.result()

    def _try_twice(self, line: Line, job: bytes, needs: Needs) -> Iterator[Event]:
        try:
            yield from self._once(line, job, needs)
        except ConnectionLost:
            line.lost += 1
            words = "The machine of this shot was lost; shooting again on another."
            for event in self._join_cluster():
                words = "The cluster was restarted; shooting again."
                yield event
            yield "progress", vars(Progress("Beginning again", 0, 1, note=words))
            try:
                yield from self._once(line, job, needs)
            except ConnectionLost as error:
                line.lost += 1
                raise InputError("The machine was lost twice during this shot; try again later.") from error

    def _once(self, line: Line, job: bytes, needs: Needs) -> Iterator[Event]:
        busy = [name for name, other in self.lines.items() if other.length > 0]
        asked = {
            "name": line.name,
            "most": line.at_once,
            "needs": asdict(needs),
            "shoot": self._shoot,
            "cpus": self._cpus,
            "busy": busy,
        }
        yield from self._link.shoot(asked, job)


def _default_needs(facts: Facts, ranks: int = 1) -> Needs:
    return Needs(float(facts.gpus > 0), ranks)


_pool: Pool | None = None
_pool_lock = threading.Lock()


def pool(settings: PoolSettings) -> Pool:
    """The process's own pool, created on first use."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = Pool(settings)
        return _pool
