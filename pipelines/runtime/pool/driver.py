"""Ray's driver, a process of its own that the page starts: ``python -m pipelines.runtime.pool.driver FD SETTINGS``.

Ray ends the process that is connected to it in some restarts of a cluster, and its own processes sometimes do not come up where
one had a cluster before. Both happen to this process alone; `pipelines.runtime.pool.link` starts another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from camera.errors import InputError
from pipelines.runtime.pool import cluster
from pipelines.runtime.pool.messages import pack, pack_event, unpack
from pipelines.runtime.pool.needs import Needs
from pipelines.runtime.pool.settings import PoolSettings

READY = 0
"""The number of the first message: whether Ray was joined."""


class Driver:
    """Answers what comes over ``connection``, each request in a thread, until its other end is closed."""

    def __init__(self, connection: Connection, settings: PoolSettings) -> None:
        self._connection, self._settings = connection, settings
        self._sending, self._lock = threading.Lock(), threading.Lock()
        self._shots: dict[int, Any] = {}
        self._cancelled: set[int] = set()

    def serve(self) -> None:
        try:
            cluster.connect(self._settings)
        except InputError as error:
            self._send(pack(READY, "refused", str(error)))
            return
        self._send(pack(READY, "ready"))
        while True:
            try:
                number, kind, value, payload = unpack(self._connection.recv_bytes())
            except (EOFError, OSError):
                return
            if kind == "leave":
                return
            if kind == "cancel":
                self._cancel(value)
            elif kind == "facts":
                threading.Thread(target=self._facts, args=(number,), daemon=True).start()
            else:
                threading.Thread(target=self._shoot, args=(number, value, payload), daemon=True).start()

    def _facts(self, number: int) -> None:
        self._send(pack(number, "facts", cluster.facts()))

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
                self._cancelled.discard(number)

    def _events(self, number: int, asked: dict[str, Any], job: bytes):
        name, needs = asked["name"], Needs(**asked["needs"])
        handle = cluster.deployment(name, asked["most"], needs, shoot=asked["shoot"], cpus=asked["cpus"])
        if left := cluster.make_room(name, needs, set(asked["busy"])):
            note = f"{' and '.join(left)} left the GPUs."
            yield "progress", {"phase": "Making room", "step": 0, "steps": 1, "note": note}
        stream = handle.remote(job)
        with self._lock:
            self._shots[number] = stream
            if number in self._cancelled:
                stream.cancel()
        yield from stream

    def _cancel(self, number: int) -> None:
        """Cancels a shot whose iterator waits in another thread, or that has not begun."""
        with self._lock:
            self._cancelled.add(number)
            if number in self._shots:
                self._shots[number].cancel()

    def _send(self, message: bytes) -> None:
        with self._sending:
            self._connection.send_bytes(message)


def main() -> None:
    Driver(Connection(int(sys.argv[1])), PoolSettings(**json.loads(sys.argv[2]))).serve()
    cluster.leave()
    os._exit(0)  # threads of shots may wait for a cluster that is gone


if __name__ == "__main__":
    main()
