"""The pool under load, with a stand-in pipeline that sleeps as steps on a GPU would: throughput, overhead, kills.

python -m bench pool          # minutes: also 50 kills of replicas at random moments
"""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from bench import QUICK, Row, Scale, long_subject
from camera.errors import InputError
from pipelines.runtime.pool.dispatch import Pool
from pipelines.runtime.pool.line import Line
from pipelines.runtime.pool.replica import Told
from pipelines.runtime.pool.settings import PoolSettings

STEP_SECONDS = 0.5
STEPS = 20
"""Ten seconds a job."""
KILLS = 50


def shoot(job: bytes):
    """The stand-in: sleeps step by step, and notes in a file that it began and ended."""
    asked = json.loads(job)
    _note(asked, "began")
    for step in range(1, asked["steps"] + 1):
        time.sleep(asked["seconds"])
        yield "progress", {"phase": "Sleeping", "step": step, "steps": asked["steps"], "note": str(os.getpid())}
    _note(asked, "ended")
    yield "clip", job


def _note(asked: dict, words: str) -> None:
    with open(asked["log"], "a") as log:
        log.write(f"{asked['name']} {words}\n")


def _job(log: Path, name: object, steps: int, seconds: float) -> bytes:
    return json.dumps({"log": str(log), "name": str(name), "steps": steps, "seconds": seconds}).encode()


@long_subject
def pool(scale: Scale) -> list[Row]:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        rows = [_refusals()]
        steps = 4 if scale == QUICK else STEPS
        alone = 0.0
        for replicas in (1, 2, 4, 8):
            many = Pool(PoolSettings("auto", replicas, 1000, True), shoot="bench.pool:shoot", cpus=0.01)
            row, alone = _throughput(many, replicas, Path(folder), steps, alone)
            rows += row
        rows.append(_kills(many, Path(folder), 5 if scale == QUICK else KILLS))
        import ray

        ray.shutdown()
        return rows


def _told(pool: Pool, name: str, job: bytes) -> list[Told]:
    return list(pool.told(name, job))


def _in_threads(pool: Pool, name: str, jobs: list[bytes]) -> float:
    threads = [threading.Thread(target=_told, args=(pool, name, job)) for job in jobs]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


def _throughput(pool: Pool, replicas: int, folder: Path, steps: int, alone: float) -> tuple[list[Row], float]:
    """Two jobs a replica, after one each to have them started; against one replica in the same run."""
    name, log = f"n{replicas}", folder / "log"
    _in_threads(pool, name, [_job(log, i, 20, 0.5) for i in range(replicas)])
    seconds = _in_threads(pool, name, [_job(log, i, steps, STEP_SECONDS) for i in range(2 * replicas)])
    pace = 2 * replicas / seconds
    if replicas == 1:
        slept = 2 * steps * STEP_SECONDS
        share = seconds / slept - 1
        row = Row("pool: a job of one replica, against its sleep", seconds / 2 * 1e3, slept / 2 * 1e3,
                  agreement=f"overhead {share:.1%}", target="below 5 %", met=share < 0.05)  # fmt: skip
        return [row], pace
    times = pace / alone
    row = Row(f"pool: {replicas} replicas against one, jobs a second", 1e3 / pace, 1e3 / alone,
              agreement=f"{times:.2f} times one", target=f"{0.95 * replicas:.2f} times", met=times >= 0.95 * replicas)  # fmt: skip
    return [row], alone


def _refusals() -> Row:
    line, refused, start = Line("stand-in", 2, 20), 0, time.perf_counter()
    with ExitStack() as places:
        for _ in range(500):
            try:
                places.enter_context(line.place())
            except InputError:
                refused += 1
    spent = (time.perf_counter() - start) / 500 * 1e3
    return Row("pool: a place in line, 500 shots for 20 places", spent, None, agreement=f"{refused} refused",
               target="480 refused", met=refused == 480)  # fmt: skip


def _kills(pool: Pool, folder: Path, count: int) -> Row:
    """``count`` jobs, the replica of each killed once at a random moment: how many ended once, twice, never, were told."""
    log, chance, told, waits = folder / "kills", random.Random(0), 0, []
    for number in range(count):
        at, killed, began_again = chance.randint(1, 4), 0.0, False
        for kind, value in pool.told("n2", _job(log, number, 5, 0.2)):
            if kind != "progress":
                continue
            if value["phase"] == "Beginning again":
                began_again = True
            elif value["phase"] == "Sleeping" and not killed and value["step"] == at:
                killed = time.monotonic()
                os.kill(int(value["note"]), signal.SIGKILL)
            elif value["phase"] == "Sleeping" and began_again and value["step"] == 1:
                waits.append(time.monotonic() - killed)
        told += began_again
    ends = Counter(line.split()[0] for line in log.read_text().splitlines() if line.endswith("ended"))
    lost, doubled = count - len(ends), sum(times > 1 for times in ends.values())
    slowest = max(waits, default=0.0)
    words = f"{lost} lost, {doubled} doubled, {told} of {count} told; slowest second start {slowest:.1f} s"
    good = lost == doubled == 0 and told == count and slowest < 20
    return Row(f"pool: second start after a kill, {count} kills", sum(waits) / max(len(waits), 1) * 1e3, None,
               agreement=words, target="0 lost, 0 doubled, all told, 20 s", met=good)  # fmt: skip
