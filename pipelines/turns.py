"""Fair scheduling of many visitors' work on one CPU: a visitor with many requests does not delay the others.

Fair queueing (Demers, Keshav, Shenker, "Analysis and Simulation of a Fair Queueing Algorithm", SIGCOMM 1989): the next turn
goes to the visitor with the least service so far; a new visitor starts with the smallest service of those present. A turn
ends after `TURN_SECONDS`, between two steps, if someone else waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Hashable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from pipelines.method import Progress

T = TypeVar("T")
TURN_SECONDS = 1.0
MOST_BEGUN = 8
"""Maximum number of started pieces of work, which hold memory, at once."""
_LOOK_SECONDS = 0.5
"""After this time a waiting caller is notified again, so that it can give up."""


@dataclass(eq=False)
class _Ticket:
    """``began``: start of its current turn, whose duration is added to the visitor's service at the end."""

    visitor: Hashable
    begun: bool = False
    began: float = 0.0


class Turns:
    """``together``: how many turns run at once, at most one per visitor; safe for any number of threads."""

    def __init__(self, together: int = 1, *, turn_seconds: float = TURN_SECONDS, most_begun: int = MOST_BEGUN) -> None:
        self.together, self.turn_seconds, self.most_begun = together, turn_seconds, most_begun
        self._change = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._running: list[_Ticket] = []
        self._had: dict[Hashable, float] = {}
        """Seconds of service of every visitor who is present."""

    def shared(self, visitor: Hashable, steps: Generator[T, None, None]) -> Generator[T | Progress, None, None]:
        """The items of ``steps``, computed in turns with other visitors' work; turns change after a `Progress`.

        While it waits, it yields a `Progress` with the number of visitors ahead, or the last `Progress` again. Closing it closes
        ``steps`` and ends the turn.
        """
        ticket = _Ticket(visitor)
        self._arrive(ticket)
        try:
            with closing(steps):
                yield from self._turn(ticket)
                for item in steps:
                    yield item
                    if isinstance(item, Progress) and self._is_over(ticket):
                        yield from self._turn(ticket, item)
        finally:
            self._leave(ticket)

    def _arrive(self, ticket: _Ticket) -> None:
        with self._change:
            self._had.setdefault(ticket.visitor, min(self._had.values(), default=0.0))
            self._waiting.append(ticket)

    def _turn(self, ticket: _Ticket, last: Progress | None = None) -> Iterator[Progress]:
        """Wait for the ticket's turn; yield regularly, so that it can be closed."""
        while (before := self._before(ticket)) is not None:
            words = f"{before} before this one"
            yield last or Progress("Waiting for other rehearsals", 0, 1, note=words)

    def _before(self, ticket: _Ticket) -> int | None:
        """How many have their turn before the ticket, after waiting up to `_LOOK_SECONDS`; None when it has its turn now."""
        with self._change:
            if not self._is_next(ticket):
                self._change.wait(_LOOK_SECONDS)
            if not self._is_next(ticket):
                return len(self._running) + self._order().index(ticket)
            self._waiting.remove(ticket)
            self._running.append(ticket)
            ticket.begun, ticket.began = True, time.monotonic()
            self._change.notify_all()  # another one may start now
            return None

    def _is_next(self, ticket: _Ticket) -> bool:
        return len(self._running) < self.together and self._may_begin(ticket) and self._order()[0] is ticket

    def _may_begin(self, ticket: _Ticket) -> bool:
        """Whether work may start: not beside other work of the same visitor, and only within the memory limit."""
        begun = sum(each.begun for each in (*self._waiting, *self._running))
        alone = all(each.visitor != ticket.visitor for each in self._running)
        return alone and (ticket.begun or begun < self.most_begun)

    def _order(self) -> list[_Ticket]:
        """Waiting callers in order: first those with started work that may continue, then by least service, then by arrival."""
        return sorted(self._waiting, key=lambda each: (not self._may_begin(each), self._had[each.visitor]))

    def _is_over(self, ticket: _Ticket) -> bool:
        """Whether the ticket's turn is over, as another visitor waits."""
        if time.monotonic() - ticket.began < self.turn_seconds:
            return False
        with self._change:
            if all(each.visitor == ticket.visitor for each in self._waiting):
                return False
            self._stop(ticket)
            self._waiting.append(ticket)
        return True

    def _stop(self, ticket: _Ticket) -> None:
        self._running.remove(ticket)
        self._had[ticket.visitor] += time.monotonic() - ticket.began
        self._change.notify_all()

    def _leave(self, ticket: _Ticket) -> None:
        with self._change:
            if ticket in self._running:
                self._stop(ticket)
            else:
                self._waiting.remove(ticket)
            if all(each.visitor != ticket.visitor for each in (*self._waiting, *self._running)):
                del self._had[ticket.visitor]
            self._change.notify_all()
