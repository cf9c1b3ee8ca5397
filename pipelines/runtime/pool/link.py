"""The page's end of the link to Ray's driver; restarts the driver if it is lost."""

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
from concurrent.futures import Future
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
RESTART_SECONDS = 300.0
"""How long a cluster may take to come back before its shots fail."""
JOIN_SECONDS = 60.0
"""How long one driver may take to join before it is stopped and another is started."""
START_SECONDS = 180.0
"""The same limit for a driver that starts Ray here."""
TOKEN = {"RAY_AUTH_MODE": "token"}
"""A driver's environment for a cluster that requires a token. `ray start` requires one on every machine where a `ray.init`
has left one, and joining by address sends none without this setting."""
_ANSWER_SECONDS = 20.0
_WATCH_SECONDS = 5.0
_LEAVE_SECONDS = 15.0
_PAUSE_SECONDS = 1.0
_log = logging.getLogger("reshoot")


class ConnectionLost(Exception):
    """The connection to a replica, its machine, the cluster or the driver was lost."""


class Link:
    """Starts the driver, a Python module, and exchanges messages with it. Raises `InputError` if the cluster cannot be joined."""

    def __init__(
        self,
        settings: PoolSettings,
        driver: str = DRIVER,
        *,
        restart_seconds: float = RESTART_SECONDS,
        join_seconds: float | None = None,
    ) -> None:
        self._settings, self._driver = settings, driver
        self._restart_seconds = restart_seconds
        self._join_seconds = join_seconds or (START_SECONDS if settings.address == AUTO else JOIN_SECONDS)
        self._wants_token = False
        self._lock = threading.Lock()
        self._renewal: Future[Facts] | None = None
        self.is_restarting = False
        self._closed = threading.Event()
        self._start()

    def facts(self) -> Facts:
        """The cluster's resources; if the cluster was lost, waits until it is joined again. Raises `InputError` if that fails."""
        return self.renewal().result()

    def facts_now(self) -> Facts:
        """The cluster's resources; if the cluster was lost, raises `InputError` and starts to rejoin it."""
        found = None if self.is_restarting else self._request_facts()
        if found is None:
            self.renewal()
            raise InputError(f"The Ray cluster at {self._settings.address} does not answer; waiting for it.")
        return found

    def shoot(self, asked: dict[str, Any], job: bytes) -> Iterator[Event]:
        """Events of a replica for the bytes of a job file; closing cancels the shot after its current step. Raises `ConnectionLost`."""
        process = self._process
        number, answers = process.ask("shoot", asked, job)
        ended = False
        try:
            while True:
                kind, value, payload = self._next(answers)
                if kind in ("end", "lost", "broken"):
                    ended = True
                    break
                yield unpack_event(kind, value, payload)
        finally:
            process.forget(number)
            if not ended:
                process.send("cancel", number)
        if kind == "lost":
            raise ConnectionLost
        if kind == "broken":
            raise RuntimeError(value)

    def _next(self, answers: SimpleQueue) -> tuple[str, Any, bytes]:
        """The next answer; checks regularly that the cluster is alive, since Ray notices a loss late."""
        while True:
            try:
                return answers.get(timeout=_WATCH_SECONDS)
            except Empty:
                self.renewal()

    def renewal(self) -> Future[Facts]:
        """The cluster's resources as a future; if the cluster does not answer, a thread waits for it and joins it with a new driver.

        Concurrent callers share one future; `is_restarting` is true once the cluster is known not to answer. The future's error
        is an `InputError`, after `RESTART_SECONDS`.
        """
        with self._lock:
            if self._renewal is None or self._renewal.done():
                self._renewal = Future()
                threading.Thread(target=self._renew, args=(self._renewal,), daemon=True, name="ray renewal").start()
            return self._renewal

    def close(self) -> None:
        """Leave the cluster; a cluster that was started here is shut down."""
        self._closed.set()
        self._process.close()

    def _renew(self, renewal: Future[Facts]) -> None:
        try:
            if (found := self._request_facts()) is None:
                self.is_restarting = True
                _log.warning("the Ray cluster at %s does not answer; waiting for it", self._settings.address)
                self._process.end()
                found = self._join_again()
            self.is_restarting = False
            renewal.set_result(found)
        except BaseException as error:
            self.is_restarting = False
            renewal.set_exception(error)

    def _request_facts(self) -> Facts | None:
        """None if the cluster is gone: nothing listens at its address, or it does not answer in time."""
        address = self._settings.address
        if address != AUTO and not _listens(address):
            time.sleep(_PAUSE_SECONDS)
            if not _listens(address):
                return None
        return self._process.facts()

    def _start(self) -> None:
        """Start a driver that joins the cluster; tries a second one, because Ray's own processes sometimes fail to start."""
        for is_last in (False, True):
            kind, words = self._try_driver()
            if kind == "ready":
                return
            if kind != "lost":
                raise InputError(words)
            if not is_last:
                _log.warning("Ray did not start; trying once more")
        raise InputError(
            "Ray did not start, twice; see the log for the reason. Start the app again, or unset RESHOOT_RAY."
        )

    def _join_again(self) -> Facts:
        """Start drivers until one has joined the cluster; returns the cluster's resources."""
        end, address = time.monotonic() + self._restart_seconds, self._settings.address
        while time.monotonic() < end and not self._closed.is_set():
            if address == AUTO or _listens(address):
                kind, words = self._try_driver()
                if kind == "ready" and (found := self._process.facts()):
                    return found
                self._process.end()
                if kind == "refused":
                    raise InputError(words)
                _log.warning("the Ray cluster at %s was not joined (%s); trying again", address, words or kind)
            self._closed.wait(_PAUSE_SECONDS)
        seconds = f"{self._restart_seconds:g} seconds"
        raise InputError(f"The Ray cluster at {address} is gone and did not come back in {seconds}; try again later.")

    def _try_driver(self) -> tuple[str, str]:
        """Start a driver; returns its state and the reason: "ready", or ended as "refused" (permanently), "absent" (no cluster
        answered) or "lost" (Ray ended it, or it took too long)."""
        while True:
            self._process = process = _Process(self._driver, self._settings, token=self._wants_token)
            kind, words = process.begin(self._join_seconds)
            if kind != "ready":
                process.end()
            if kind != "token" or self._wants_token:
                return kind, words
            self._wants_token = True


class _Process:
    """One driver, and the queues of its pending requests."""

    def __init__(self, module: str, settings: PoolSettings, *, token: bool) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), json.dumps(asdict(settings))],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | (TOKEN if token else {}),
            )  # fmt: skip
        self._ready: SimpleQueue = SimpleQueue()
        self._waiting: dict[int, SimpleQueue] = {READY: self._ready}
        self._numbers = count(1)
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._is_lost = False
        threading.Thread(target=self._read, daemon=True, name="ray driver").start()

    def begin(self, seconds: float) -> tuple[str, str]:
        """Wait ``seconds`` for the driver's first message: its kind and reason; "lost" if it ends or sends nothing."""
        try:
            kind, words, _ = self._ready.get(timeout=seconds)
        except Empty:
            return "lost", f"no answer in {seconds:g} seconds"
        return kind, words or ""

    def ask(self, kind: str, value: Any = None, payload: bytes = b"") -> tuple[int, SimpleQueue]:
        """Send a request; returns its number and the queue of its answers: kind, value and bytes; "lost" if the driver has ended."""
        number, answers = next(self._numbers), SimpleQueue()
        with self._lock:
            self._waiting[number] = answers
        if self._is_lost or not self._sent(pack(number, kind, value, payload)):
            answers.put(("lost", None, b""))
        return number, answers

    def facts(self) -> Facts | None:
        """The cluster's resources; None if there is no answer in time."""
        number, answers = self.ask("facts")
        try:
            kind, value, _ = answers.get(timeout=_ANSWER_SECONDS)
        except Empty:
            return None
        finally:
            self.forget(number)
        return Facts(**value) if kind == "facts" else None

    def send(self, kind: str, value: Any = None) -> None:
        """Send a request; does nothing if the driver has ended."""
        self._sent(pack(0, kind, value))

    def forget(self, number: int) -> None:
        with self._lock:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Let the driver leave the cluster."""
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


def _listens(address: str) -> bool:
    """Whether a process listens at HOST:PORT; True if that cannot be determined."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return True
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except OSError:
        return False
