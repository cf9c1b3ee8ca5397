"""The pool under load, with a stand-in pipeline that sleeps as long as GPU steps: throughput, overhead, kills.

python -m bench pool          # a quarter of an hour, with 50 kills at random times, every fifth of a whole machine
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from bench import QUICK, Row, Scale, long_subject
from camera.errors import InputError
from pipelines.runtime.pool.dispatch import Pool
from pipelines.runtime.pool.replica import Event
from pipelines.runtime.pool.settings import PoolSettings

SHOOT = "bench.runs.pool:shoot"
STEP_SECONDS = 0.5
STEPS = 20
"""Ten seconds per job."""
KILLS = 50


def shoot(job: bytes):
    """The stand-in: sleeps step by step, and logs its start and end to a file."""
    job_values = json.loads(job)
    _note(job_values, "began")
    for step in range(1, job_values["steps"] + 1):
        time.sleep(job_values["seconds"])
        yield "progress", {"phase": "Sleeping", "step": step, "steps": job_values["steps"], "note": str(os.getpid())}
    _note(job_values, "ended")
    yield "clip", job


def _note(job_values: dict, words: str) -> None:
    with open(job_values["log"], "a") as log:
        log.write(f"{job_values['name']} {words}\n")


def make_job(log: Path, name: object, steps: int, seconds: float) -> bytes:
    return json.dumps({"log": str(log), "name": str(name), "steps": steps, "seconds": seconds}).encode()


@long_subject
def pool(scale: Scale) -> list[Row]:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    rows, alone = [], 0.0

    def add(row: Row) -> None:
        rows.append(row)
        print(f"{row.what}: {row.agreement}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for replicas in (1, 2, 4, 8):
            with closing(Pool(PoolSettings("auto", replicas, 1000, True), shoot=SHOOT, cpus=0.01)) as many:
                row, alone = _throughput(many, replicas, folder, 4 if scale == QUICK else STEPS, alone)
            add(row)
        with closing(Pool(PoolSettings("auto", 1, 20, True), shoot=SHOOT, cpus=0.01)) as one:
            add(_queue(one, folder))
        add(_kills(folder, 5 if scale == QUICK else KILLS))
    return rows


def _collect(pool: Pool, name: str, job: bytes) -> list[Event]:
    return list(pool.stream(name, job))


def _in_threads(pool: Pool, name: str, jobs: list[bytes]) -> float:
    threads = [threading.Thread(target=_collect, args=(pool, name, job)) for job in jobs]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


def _throughput(pool: Pool, replicas: int, folder: Path, steps: int, alone: float) -> tuple[Row, float]:
    """Two jobs per replica once all replicas run, against one replica in the same run."""
    name, log = f"n{replicas}", folder / "log"
    while pool.facts().replicas.get(name, 0) < replicas:
        _in_threads(pool, name, [make_job(log, i, 10, 0.5) for i in range(replicas)])
    seconds = _in_threads(pool, name, [make_job(log, i, steps, STEP_SECONDS) for i in range(2 * replicas)])
    pace = 2 * replicas / seconds
    if replicas == 1:
        slept = 2 * steps * STEP_SECONDS
        share = seconds / slept - 1
        row = Row("pool: a job of one replica, against its sleep", seconds / 2 * 1e3, slept / 2 * 1e3,
                  agreement=f"overhead {share:.1%}{_load()}", target="below 5 %", met=share < 0.05)  # fmt: skip
        return row, pace
    times = pace / alone
    row = Row(f"pool: {replicas} replicas against one, jobs a second", 1e3 / pace, 1e3 / alone,
              agreement=f"{times:.2f} times one{_load()}", target=f"{0.95 * replicas:.2f} times", met=times >= 0.95 * replicas)  # fmt: skip
    return row, alone


def _load() -> str:
    """The average number of runnable processes over the last minute, in words."""
    return f", load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"


def _queue(pool: Pool, folder: Path) -> Row:
    """500 visitors, one after the other, at one replica with 20 places, all during the first shot: how many are refused, how soon, and
    in which order the others run."""
    log, refused, slowest = folder / "queue", [], [0.0]

    def visit(number: int) -> None:
        start = time.perf_counter()
        try:
            _collect(pool, "n1", make_job(log, number, 5, 0.2 if number else 3.0))
        except InputError as error:
            refused.append(str(error))
            slowest.append(time.perf_counter() - start)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(500)]
    for number, thread in enumerate(threads):
        thread.start()
        while number < 20 and pool.line("n1").length <= number:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    begun = [int(line.split()[0]) for line in log.read_text().splitlines() if line.endswith("began")]
    in_order = begun == sorted(begun)
    words = f"{len(refused)} refused, each told its number: {all('number 21' in words for words in refused)}, in order: {in_order}"
    good = len(refused) == 480 and begun == list(range(20)) and all("number 21" in words for words in refused)
    return Row("pool: 500 visitors for 20 places, the slowest refusal", max(slowest) * 1e3, None, agreement=words,
               target="480 refused, 20 shot in order", met=good)  # fmt: skip


def _kills(folder: Path, count: int) -> Row:
    """``count`` jobs on a cluster of four machines; for each, its replica or, every fifth time, its whole machine is killed at a random
    time. Measures how many jobs end once, twice or never, are reported to the visitor, and the delay of the second start.

    A job that ended before its kill is not among the ``count``.
    """
    log, rng, waits = folder / "kills", random.Random(0), []
    machines = _Machines(4)
    pool = Pool(PoolSettings(machines.address, 0, 20, False), shoot=SHOOT, cpus=0.01)
    number = told = hit = 0
    while hit < count:
        killer: threading.Timer | None = None
        began_again, killed = False, [0.0]
        for kind, value in pool.stream("kills", make_job(log, number, 5, 0.25)):
            if kind != "progress":
                continue
            if value["phase"] == "Sleeping" and killer is None:
                kill = machines.take_away if hit % 5 == 4 else _kill_process
                killer = threading.Timer(rng.uniform(0, 0.9), _at, args=(killed, kill, int(value["note"])))
                killer.start()
            elif value["phase"] == "Sleeping" and began_again and value["step"] == 1:
                waits.append(time.monotonic() - killed[0])
            began_again |= value["phase"] == "Beginning again"
        if killer is not None:
            killer.join()
        told += began_again
        hit += log.read_text().splitlines().count(f"{number} began") > 1
        machines.replace_machines()
        number += 1
    pool.close()
    machines.end()
    ends = Counter(line.split()[0] for line in log.read_text().splitlines() if line.endswith("ended"))
    lost, doubled = number - len(ends), sum(times > 1 for times in ends.values())
    slowest = max(waits, default=0.0)
    words = f"{lost} lost, {doubled} doubled, {told} of {hit} told; slowest second start {slowest:.1f} s"
    good = lost == doubled == 0 and told == hit and slowest < 20
    return Row(f"pool: second start after a kill, {count} kills", sum(waits) / max(len(waits), 1) * 1e3, None,
               agreement=words, target="0 lost, 0 doubled, all told, 20 s", met=good)  # fmt: skip


def _at(when: list[float], kill: Callable[[int], None], process: int) -> None:
    when[0] = time.monotonic()
    kill(process)


def _kill_process(process: int) -> None:
    os.kill(process, signal.SIGKILL)


class _Machines:
    """Nodes of one Ray cluster on this computer, each with a logical GPU, plus a head without one."""

    def __init__(self, count: int) -> None:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        from ray.cluster_utils import Cluster

        self._count = count
        self._here: dict[str, Any] = {"node_ip_address": "127.0.0.1"}
        head = {"num_cpus": 2, "num_gpus": 0, "include_dashboard": False, **self._here}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.replace_machines()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def replace_machines(self) -> None:
        """Start machines until there are as many as at first."""
        while len(self._cluster.worker_nodes) < self._count:
            self._cluster.add_node(num_cpus=1, num_gpus=1, **self._here)

    def take_away(self, process: int) -> None:
        """Kill the machine on which ``process`` runs, with all its processes."""
        raylets = {node.all_processes["raylet"][0].process.pid: node for node in self._cluster.worker_nodes}
        raylet = psutil.Process(process).parent()
        assert raylet is not None
        on_it = raylet.children(recursive=True)
        self._cluster.remove_node(raylets[raylet.pid], allow_graceful=False)
        for each in on_it:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def end(self) -> None:
        for node in [*self._cluster.worker_nodes, self._cluster.head_node]:
            node.kill_all_processes(check_alive=False, allow_graceful=False)
