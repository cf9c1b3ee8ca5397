"""A shot through the pool: waits in line, runs on a replica, once more on another where the first is lost."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

from camera.errors import InputError
from pipelines.method import Clip, Progress
from pipelines.runtime.clip_file import clip_of_bytes, report_of
from pipelines.runtime.job_file import write_job
from pipelines.runtime.parallel.ranks import check as check_shared
from pipelines.runtime.pool import cluster
from pipelines.runtime.pool.line import Line
from pipelines.runtime.pool.needs import Needs, needs_of, replicas
from pipelines.runtime.pool.rejoin import rejoin
from pipelines.runtime.pool.replica import SHOOT, Told
from pipelines.runtime.pool.settings import PoolSettings
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot


class Pool:
    """The replicas of one cluster, and a line for each method. ``shoot``: see `Replica`; tests and the benchmark put another."""

    def __init__(self, settings: PoolSettings, *, shoot: str = SHOOT, cpus: float = 1.0) -> None:
        self.settings, self._shoot, self._cpus = settings, shoot, cpus
        cluster.connect(settings)
        self.lines: dict[str, Line] = {}
        self._lock = threading.Lock()

    def line(self, name: str, needs: Needs | None = None) -> Line:
        """The line of a method, and of a number of GPUs per shot."""
        needs = needs or self._usual
        name = needs.line(name)
        with self._lock:
            if name not in self.lines:
                self.lines[name] = Line(name, replicas(self.settings, needs), self.settings.places)
            return self.lines[name]

    def run(self, shot: Shot) -> Iterator[Progress | Clip | Report]:
        """As `pipelines.generate`. Raises `InputError` for what cannot be shot, a full line, and a second loss."""
        shot.check()
        check_shared(shot)
        file = io.BytesIO()
        write_job(file, shot, files=self.settings.same_disk)
        for kind, value in self.told(shot.method.name, file.getvalue(), needs_of(shot)):
            if kind == "clip":
                yield clip_of_bytes(value, shot.scene)
            elif kind == "report":
                yield report_of(value)
            else:
                yield Progress(**value)

    def told(self, name: str, job: bytes, needs: Needs | None = None) -> Iterator[Told]:
        """What the replica tells of a job's file, "refused" and "failed" raised as `InputError`."""
        needs = needs or self._usual
        line = self.line(name, needs)
        with line.place() as ticket:
            for progress in line.wait(ticket):
                yield "progress", vars(progress)
            for kind, value in self._try_twice(line, job, needs):
                if kind in ("refused", "failed"):
                    raise InputError(value)
                yield kind, value
            line.done.add()

    @property
    def _usual(self) -> Needs:
        return Needs(float(cluster.gpus(self.settings) > 0))

    def _try_twice(self, line: Line, job: bytes, needs: Needs) -> Iterator[Told]:
        try:
            yield from self._once(line.name, job, needs)
        except cluster.losses():
            line.lost += 1
            words = "The machine that shot this was lost; it is shot once more on another."
            yield "progress", vars(Progress("Beginning again", 0, 1, note=words))
            rejoin(self.settings)
            try:
                yield from self._once(line.name, job, needs)
            except cluster.losses() as error:
                line.lost += 1
                raise InputError("The machine was lost twice during this shot; try again later.") from error

    def _once(self, name: str, job: bytes, needs: Needs) -> Iterator[Told]:
        handle = cluster.deployment(name, self.settings, needs, shoot=self._shoot, cpus=self._cpus)
        if left := cluster.make_room(name, needs, self._is_busy):
            yield "progress", vars(Progress("Making room", 0, 1, note=f"{' and '.join(left)} left the GPUs."))
        telling: Any = handle.remote(job)
        ended = False
        try:
            yield from telling
            ended = True
        finally:
            if not ended:
                telling.cancel()

    def _is_busy(self, name: str) -> bool:
        return name in self.lines and self.lines[name].length > 0


_pool: Pool | None = None
_pool_lock = threading.Lock()


def pool(settings: PoolSettings) -> Pool:
    """The process's own, made on first use."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = Pool(settings)
        return _pool
