"""Ray's driver, a separate process that the page starts: ``python -m pipelines.runtime.pool.driver FD SETTINGS``.

In some restarts of a cluster Ray ends the process that is connected to it, and Ray sometimes fails to start in a process
that was connected before. Both affect only this process; `pipelines.runtime.pool.link` starts another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from camera.errors import InputError
from pipelines.runtime.pool import cluster
from pipelines.runtime.pool.messages import READY, pack, pack_event, unpack
from pipelines.runtime.pool.needs import Needs
from pipelines.runtime.pool.settings import PoolSettings

_KINDS = {cluster.NoAnswer: "absent", cluster.TokenRequired: "token"}
"""Names of `cluster.connect`'s errors in the first message."""


class Driver:
    """Answers each request on ``connection`` in its own thread, until the other end closes."""

    def __init__(self, connection: Connection, settings: PoolSettings) -> None:
        self._connection, self._settings = connection, settings
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._shots: dict[int, Any] = {}
        """Streams by number; None before the replica was called, absent once cancelled or ended."""

    def serve(self) -> None:
        try:
            cluster.connect(self._settings)
        except InputError as error:
            self._send(pack(READY, _KINDS.get(type(error), "refused"), str(error)))
            return
        self._send(pack(READY, "ready"))
        with suppress(EOFError, OSError):
            while self._answer(*unpack(self._connection.recv_bytes())):
                pass
        cluster.leave()

    def _answer(self, number: int, kind: str, value: Any, payload: bytes) -> bool:
        """Answer one request; returns False if the driver should exit."""
        if kind == "cancel":
            self._cancel(value)
        elif kind == "facts":
            threading.Thread(target=self._facts, args=(number,), daemon=True).start()
        elif kind == "shoot":
            self._shots[number] = None
            threading.Thread(target=self._shoot, args=(number, value, payload), daemon=True).start()
        return kind != "leave"

    def _facts(self, number: int) -> None:
        self._send(pack(number, "facts", asdict(cluster.facts())))

    def _shoot(self, number: int, asked: dict[str, Any], job: bytes) -> None:
        try:
            for event in self._events(number, asked, job):
                self._send(pack_event(number, event))
            self._send(pack(number, "end"))
        except cluster.losses():
            self._send(pack(number, "lost"))
        except Exception as error:
            self._send(pack(number, "broken", f"{type(error).__name__}: {error}"))
        finally:
            with self._lock:
                self._shots.pop(number, None)

    def _events(self, number: int, asked: dict[str, Any], job: bytes):
        name, needs = asked["name"], Needs(**asked["needs"])
        handle = cluster.deployment(name, asked["most"], needs, shoot=asked["shoot"], cpus=asked["cpus"])
        if left := cluster.make_room(name, needs, set(asked["busy"])):
            note = f"{' and '.join(left)} left the GPUs."
            yield "progress", {"phase": "Making room", "step": 0, "steps": 1, "note": note}
        stream = handle.remote(job)
        with self._lock:
            if number in self._shots:
                self._shots[number] = stream
            else:
                stream.cancel()
        yield from stream

    def _cancel(self, number: int) -> None:
        """Cancel a shot whose iterator waits in another thread, or that has not started; does nothing if it has ended."""
        with self._lock:
            stream = self._shots.pop(number, None)
        if stream is not None:
            stream.cancel()

    def _send(self, message: bytes) -> None:
        with self._sending:
            self._connection.send_bytes(message)


def main() -> None:
    Driver(Connection(int(sys.argv[1])), PoolSettings(**json.loads(sys.argv[2]))).serve()
    os._exit(0)  # threads of shots may wait for a cluster that is gone


if __name__ == "__main__":
    main()
