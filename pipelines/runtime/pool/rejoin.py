"""Coming back to a cluster that was restarted: the connection of before is given up, and a new one made once it answers."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

from camera.errors import InputError
from pipelines.runtime.pool import cluster
from pipelines.runtime.pool.settings import AUTO, PoolSettings

RESTART_SECONDS = 180.0
"""How long a cluster may take to come back before its shots are told that it is gone."""
_ANSWER_SECONDS = 10.0
_lock = threading.Lock()
log = logging.getLogger("reshoot")


def rejoin(settings: PoolSettings) -> None:
    """Nothing where the cluster answers; else waits until it does again and joins it anew. Raises `InputError` after
    `RESTART_SECONDS`."""
    import ray

    with _lock:
        if _ends_in_time(_check_answer):
            return
        log.warning("the Ray cluster at %s does not answer; waiting for it to come back", settings.address)
        if not _ends_in_time(ray.shutdown):
            log.warning("the connection to the Ray cluster could not be closed")
        _wait_for(settings.address)
        cluster.connect(settings)


def _check_answer() -> None:
    """Raises or waits for ever where it does not."""
    from ray import serve

    serve.status()


def _ends_in_time(call: Callable[[], object]) -> bool:
    """Whether ``call`` ends without an error within `_ANSWER_SECONDS`; else it is left behind in its thread."""
    done: list[bool] = []

    def run() -> None:
        try:
            call()
            done.append(True)
        except Exception:
            done.append(False)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_ANSWER_SECONDS)
    return done == [True]


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
