"""Runs the two guidance branches on two GPUs: each computes one of them, and only their outputs are exchanged.

This sends far less than splitting the tokens of each branch (megabytes instead of gigabytes per step, see
``python -m bench context_parallel``), so two GPUs do this whenever a step has two branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from pipelines.runtime.parallel.exchange import Group, gather_shares


def run_each(network: nn.Module, calls: Sequence[Callable[[], Tensor]]) -> list[Tensor]:
    """Outputs, all of one shape, of ``calls`` of ``network``: computed one after another, or one per process."""
    beside: _Beside | None = getattr(network, "beside", None)
    if beside is None or len(calls) != beside.group.size:
        return [call() for call in calls]
    return list(beside.own(calls[beside.group.rank]).unbind(0))


def run_rows(network: nn.Module, count: int, call: Callable[[slice], Tensor]) -> Tensor:
    """(count,...): the output of ``call`` for all rows of a batch together, or for one row per process."""
    beside: _Beside | None = getattr(network, "beside", None)
    if beside is None or count != beside.group.size:
        return call(slice(0, count))
    place = slice(beside.group.rank, beside.group.rank + 1)
    return beside.own(lambda: call(place)[0])


class _Beside:
    """A network that is split (within ``enter()``) except for calls that are branches."""

    def __init__(self, network: Any, enter: Callable[[], AbstractContextManager[Any]], group: Group) -> None:
        self.group = group
        self._enter, self._inside = enter, ExitStack()
        self._is_split = self._is_branch = False
        self._network, self._forward = network, network.forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Replaces the network's forward: splits it first unless the call is a branch."""
        if self._is_split or self._is_branch:
            return self._forward(*args, **kwargs)
        self._inside.enter_context(self._enter())
        self._is_split = True
        return self._network(*args, **kwargs)  # through its hooks, which may have just been added

    def own(self, call: Callable[[], Tensor]) -> Tensor:
        """(processes,...): the outputs of all processes; this one computes ``call``."""
        self.end()
        self._is_branch = True
        try:
            answer = call()
        finally:
            self._is_branch = False
        return gather_shares(answer[None], 0, self.group.size, self.group)

    def end(self) -> None:
        self._inside.close()
        self._is_split = False


@contextmanager
def side_by_side(network: Any, enter: Callable[[], AbstractContextManager[Any]], group: Group) -> Iterator[None]:
    """A context in which `run_each` and `run_rows` distribute branches over processes; all other calls are split as within ``enter()``."""
    before = network.__dict__.get("forward")
    beside = network.beside = _Beside(network, enter, group)
    network.forward = beside.forward
    try:
        yield
    finally:
        beside.end()
        del network.beside
        if before is None:
            del network.forward
        else:
            network.forward = before
