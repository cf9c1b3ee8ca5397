"""Counts how many shots of a kind ended, in total and in the last hour."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

HOUR = 3600.0


class Tally:
    """A thread-safe counter. ``now`` gives seconds; tests pass another clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self._now = now
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one shot that ended now."""
        with self._lock:
            self.total += 1
            self._recent.append(self._now())
            self._forget()

    @property
    def last_hour(self) -> int:
        with self._lock:
            self._forget()
            return len(self._recent)

    def _forget(self) -> None:
        while self._recent and self._recent[0] <= self._now() - HOUR:
            self._recent.popleft()
