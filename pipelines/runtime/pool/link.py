"""The page's end of the link to Ray's driver, which is started again where it is lost."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from multiprocessing import Pipe
from queue import Empty, SimpleQueue
from typing import Any

from camera.errors import InputError
from pipelines.runtime.pool.messages import READY, pack, unpack, unpack_event
from pipelines.runtime.pool.needs import Facts
from pipelines.runtime.pool.replica import Event
from pipelines.runtime.pool.settings import AUTO, PoolSettings

DRIVER = "pipelines.runtime.pool.driver"
RESTART_SECONDS = 180.0
"""How long a cluster may take to come back before its shots fail."""
_ANSWER_SECONDS = 10.0
_LEAVE_SECONDS = 15.0
_log = logging.getLogger("reshoot")


class Lost(Exception):
    """A replica, its machine, the cluster or the driver went away."""


class Link:
    """Starts the driver, a module of Python, and talks with it. Raises `InputError` where the cluster cannot be joined."""

    def __init__(self, settings: PoolSettings, driver: str = DRIVER) -> None:
        self._settings, self._driver = settings, driver
        self._renewing = threading.Lock()
        self._process = self._start()

    def facts(self) -> Facts:
        """Joins the cluster again where it was lost. Raises `InputError` where it does not come back."""
        if (found := self._asked_facts()) is not None:
            return found
        self.renew()
        if (found := self._asked_facts()) is None:
            raise InputError(f"The Ray cluster at {self._settings.address} does not answer; try again later.")
        return found

    def shoot(self, asked: dict[str, Any], job: bytes) -> Iterator[Event]:
        """Events of a replica for a job's file; closing cancels it after its step. Raises `Lost`."""
        process = self._process
        number, answers = process.ask("shoot", asked, job)
        ended = False
        try:
            while True:
                kind, value, payload = answers.get()
                if kind in ("end", "lost", "broken"):
                    ended = True
                    break
                yield unpack_event(kind, value, payload)
        finally:
            process.forget(number)
            if not ended:
                process.send("cancel", number)
        if kind == "lost":
            raise Lost
        if kind == "broken":
            raise RuntimeError(value)

    def renew(self) -> None:
        """Nothing where the cluster answers; else waits until it does again and joins it by a new driver. Raises `InputError`
        after `RESTART_SECONDS`."""
        with self._renewing:
            if self._asked_facts() is not None:
                return
            _log.warning("the Ray cluster at %s does not answer; waiting for it to come back", self._settings.address)
            self._process.end()
            _wait_for(self._settings.address)
            self._process = self._start()

    def close(self) -> None:
        """Leaves the cluster; one that was started here ends."""
        self._process.close()

    def _asked_facts(self) -> Facts | None:
        """None where there is no answer in time."""
        process = self._process
        number, answers = process.ask("facts")
        try:
            kind, value, _ = answers.get(timeout=_ANSWER_SECONDS)
        except Empty:
            return None
        finally:
            process.forget(number)
        return Facts(**value) if kind == "facts" else None

    def _start(self) -> _Process:
        """A driver that has joined the cluster; Ray's own processes do not always come up, so a second one is tried."""
        for is_last in (False, True):
            process = _Process(self._driver, self._settings)
            kind, value, _ = process.ready.get()
            if kind == "ready":
                return process
            process.end()
            if kind == "refused":
                raise InputError(value)
            if not is_last:
                _log.warning("Ray did not start; it is tried once more")
        raise InputError("Ray did not start, twice; the log says why. Start the app again, or unset RESHOOT_RAY.")


class _Process:
    """One driver, and who waits for which of its answers; ``ready`` has the first one."""

    def __init__(self, module: str, settings: PoolSettings) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), json.dumps(asdict(settings))],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        self.ready: SimpleQueue = SimpleQueue()
        self._waiting: dict[int, SimpleQueue] = {READY: self.ready}
        self._numbers = count(1)
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._is_lost = False
        threading.Thread(target=self._read, daemon=True, name="ray driver").start()

    def ask(self, kind: str, value: Any = None, payload: bytes = b"") -> tuple[int, SimpleQueue]:
        """The number of a request, and where its answers come: kind, value and bytes; "lost" where the driver is gone."""
        number, answers = next(self._numbers), SimpleQueue()
        with self._lock:
            self._waiting[number] = answers
        if self._is_lost or not self._sent(pack(number, kind, value, payload)):
            answers.put(("lost", None, b""))
        return number, answers

    def send(self, kind: str, value: Any = None) -> None:
        """Nothing where the driver is gone."""
        self._sent(pack(0, kind, value))

    def forget(self, number: int) -> None:
        with self._lock:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Lets the driver leave the cluster."""
        self.send("leave")
        try:
            self._child.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()

    def end(self) -> None:
        self._child.kill()
        self._child.wait()

    def _sent(self, message: bytes) -> bool:
        try:
            with self._sending:
                self._connection.send_bytes(message)
        except OSError:
            return False
        return True

    def _read(self) -> None:
        try:
            while True:
                number, kind, value, payload = unpack(self._connection.recv_bytes())
                with self._lock:
                    if answers := self._waiting.get(number):
                        answers.put((kind, value, payload))
        except (EOFError, OSError):
            self._is_lost = True
            with self._lock:
                for answers in self._waiting.values():
                    answers.put(("lost", None, b""))


def _wait_for(address: str) -> None:
    """Until somebody listens at HOST:PORT; Ray's own attempt to connect takes a minute each."""
    if address == AUTO:
        return
    host, _, port = address.rpartition("://")[2].partition(":")
    end = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, int(port)), timeout=2):
                return
        except (OSError, ValueError):
            time.sleep(1)
    raise InputError(f"The Ray cluster at {address} is gone and did not come back; try again later.")
