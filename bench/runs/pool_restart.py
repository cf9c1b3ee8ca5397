"""Restarts a cluster during a shot, from outside, like `ray stop --force` and `ray start`.

python -m bench pool_restart       # takes minutes
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import QUICK, Row, Scale, long_subject
from bench.runs.pool import SHOOT, make_job
from pipelines.runtime.pool.dispatch import RESTARTING, Pool
from pipelines.runtime.pool.settings import PoolSettings

TRIALS = 5
_RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class Head:
    """The head of a cluster on loopback, with two logical GPUs, started by Ray's command line in its own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        root = Path(__file__).parents[2]
        options = {
            "port": self._port, "temp-dir": self._folder, "node-ip-address": "127.0.0.1", "num-cpus": 2, "num-gpus": 2,
            "include-dashboard": False, "object-store-memory": 100_000_000,
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", *(f"--{k}={v}" for k, v in options.items())],
            env=os.environ | _RAY | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        """Send SIGKILL to every process whose command line has this folder or, for Ray's client server, this address; and to their children."""
        processes: dict[int, psutil.Process] = {}
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or ())
            if f"{self._folder}/session" in words or ("ray.util.client" in words and f"={self.address} " in words):
                with suppress(psutil.NoSuchProcess):
                    processes |= {each.pid: each for each in (process, *process.children(recursive=True))}
        for process in processes.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(list(processes.values()), timeout=30)

    def restart(self, pause: float) -> None:
        """Stop, wait ``pause`` seconds, start."""
        self.stop()
        time.sleep(pause)
        self.start()


@dataclass(frozen=True)
class Trial:
    """One restart. ``informed_after``, ``restarted_after``: seconds from the end of the cluster until the visitor was informed, and
    until the shot began again. ``ended``: how often it ended. ``words``: the error if it failed."""

    informed_after: float
    restarted_after: float
    ended: int
    words: str

    @property
    def good(self) -> bool:
        return self.ended == 1 and not self.words and self.informed_after > 0


@long_subject
def pool_restart(scale: Scale) -> list[Row]:
    rng, trials = random.Random(0), []
    with tempfile.TemporaryDirectory(prefix="r") as name:
        head = Head(Path(name))
        head.start()
        try:
            with closing(Pool(PoolSettings(head.address, 1, 20, False), shoot=SHOOT, cpus=0.1)) as pool:
                for number in range(2 if scale == QUICK else TRIALS):
                    trials.append(_restart(pool, head, Path(name) / f"log{number}", rng.uniform(0, 5)))
                    print(f"load {os.getloadavg()[0]:.1f}: {trials[-1]}", file=sys.stderr, flush=True)
        finally:
            head.stop()
    good = sum(trial.good for trial in trials)
    slowest = max(trial.restarted_after for trial in trials)
    words = f"{good} of {len(trials)} joined again and shot once more; slowest second start {slowest:.0f} s"
    mean = sum(trial.restarted_after for trial in trials) / len(trials)
    return [Row("pool: second start after the cluster's restart", mean * 1e3, None, agreement=words,
                target="all", met=good == len(trials))]  # fmt: skip


def _restart(pool: Pool, head: Head, log: Path, pause: float) -> Trial:
    """A job of ten steps on a cluster that is killed after the third step and restarted ``pause`` seconds later."""
    ended = informed_after = restarted_after = 0.0
    words = ""
    restart = threading.Thread(target=head.restart, args=(pause,))
    try:
        for kind, value in pool.stream("restart", make_job(log, 0, 10, 0.25)):
            phase = value["phase"] if kind == "progress" else ""
            now = time.monotonic()
            if phase == "Sleeping" and value["step"] == 3 and not ended:
                ended = now
                restart.start()
            elif phase == RESTARTING and not informed_after:
                informed_after = now - ended
            elif phase == "Sleeping" and informed_after and not restarted_after:
                restarted_after = now - ended
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
    restart.join()
    return Trial(informed_after, restarted_after, log.read_text().count("ended"), words)
