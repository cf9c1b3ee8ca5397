"""A queue of one method's shots in order of arrival, with limits on running and waiting shots."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from camera.errors import InputError
from pipelines.method import Progress
from pipelines.runtime.monitor.tally import Tally

_WAIT_SECONDS = 0.5


class Line:
    """``at_once`` shots run and the rest of ``places`` wait; any further shot is refused at once."""

    def __init__(self, name: str, at_once: int, places: int) -> None:
        self.name, self.at_once, self.places = name, at_once, max(places, at_once)
        self.done = Tally()
        self.refused = self.lost = 0
        self._tickets: list[object] = []
        self._turn = threading.Condition()

    @property
    def length(self) -> int:
        """Number of running and waiting shots."""
        return len(self._tickets)

    @contextmanager
    def place(self) -> Iterator[object]:
        """A place in line until the end of the ``with`` block; raises `InputError` if the line is full."""
        ticket = object()
        with self._turn:
            if len(self._tickets) >= self.places:
                self.refused += 1
                raise InputError(
                    f"All {self.places} places for {self.name} are taken, you would be number {len(self._tickets) + 1}; "
                    "try again when some have finished."
                )
            self._tickets.append(ticket)
        try:
            yield ticket
        finally:
            with self._turn:
                self._tickets.remove(ticket)
                self._turn.notify_all()

    def wait(self, ticket: object) -> Iterator[Progress]:
        """Yield `Progress` with the place in line until it is this ticket's turn."""
        while (before := self._before(ticket)) > 0:
            jobs = "1 job" if before == 1 else f"{before} jobs"
            yield Progress("Waiting for the device", 0, 1, note=f"{jobs} before this one")

    def _before(self, ticket: object) -> int:
        """Number of shots that must end first; waits briefly if there are any."""
        with self._turn:
            if self._tickets.index(ticket) >= self.at_once:
                self._turn.wait(_WAIT_SECONDS)
            return max(0, self._tickets.index(ticket) - self.at_once + 1)
