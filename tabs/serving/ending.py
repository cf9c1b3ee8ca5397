"""Shuts the server down on SIGTERM: accepts no new work, finishes or stops running work with a message, and leaves no files behind."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from camera.errors import InputError

GRACE_VARIABLE, GRACE_SECONDS = "RESHOOT_GRACE", 10.0
"""Environment variable: seconds that running work has to reach its next step after SIGTERM."""
ANSWER_SECONDS = 0.5
"""Time for sending the last answers."""
REFUSED = "This server is shutting down and accepts no new work; try again in a minute."
STOPPED = "The server is shutting down, so this was stopped after its current step; start it again in a minute."
_WORK = ("/queue/join", "/run/", "/call/", "/upload", "/api/")
log = logging.getLogger("reshoot")


class Work:
    """Counts running work, and knows whether shutdown has begun."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self._idle = threading.Condition()
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one piece of work, for which shutdown waits."""
        with self._idle:
            self._count += 1
        try:
            yield
        finally:
            with self._idle:
                self._count -= 1
                self._idle.notify_all()

    def steps(self, items: Generator[Any, Any, Any]) -> Generator[Any]:
        """The items of a running shot; on shutdown raises `InputError` after the current step."""
        with self.one(), closing(items):
            for item in items:
                yield item
                if self.ending.is_set():
                    raise InputError(STOPPED)

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; returns whether all work has ended."""
        with self._idle:
            return self._idle.wait_for(lambda: self._count == 0, seconds)


WORK = Work()
"""The work of this process."""


def grace() -> float:
    """Seconds from the environment; raises `InputError` for invalid values."""
    text = os.environ.get(GRACE_VARIABLE, "") or str(GRACE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 3600:
        raise InputError(f"{GRACE_VARIABLE} must be seconds between 0 and 3600; got {text!r}.")
    return seconds


def on_sigterm(*folders: Path) -> None:
    """Install a SIGTERM handler that exits with 0 once all work has ended, and removes ``folders``; a second SIGTERM exits at once."""
    seconds = grace()

    def begin(number: int, frame: Any) -> None:
        if WORK.ending.is_set():
            _end(folders)
        WORK.ending.set()
        threading.Thread(target=_drain, args=(seconds, folders), name="ending", daemon=True).start()

    signal.signal(signal.SIGTERM, begin)


def _drain(seconds: float, folders: tuple[Path, ...]) -> None:
    if not WORK.wait(seconds):
        log.warning("Running work did not reach its next step within %g s (%s).", seconds, GRACE_VARIABLE)
    time.sleep(ANSWER_SECONDS)
    _end(folders)


def _end(folders: tuple[Path, ...]) -> None:
    """Exit without waiting for computing threads, as Python's normal exit would."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class NoNewWork:
    """Middleware (ASGI): after shutdown has begun, requests that would start work get 503 and a sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and WORK.ending.is_set() and scope["method"] == "POST"
        if not (refused and any(part in scope["path"] for part in _WORK)):
            await self.app(scope, receive, send)
            return
        body = json.dumps({"detail": REFUSED}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"retry-after", b"60"))
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
