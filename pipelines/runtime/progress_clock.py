"""Measures time and memory of a run: the remaining seconds for the page, and the final report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from pipelines.method import Progress
from pipelines.options import RunOptions


@dataclass(frozen=True)
class Phase:
    """One phase of a run; ``steps``: number of steps that the pipeline reported, 0 if it reported none."""

    name: str
    seconds: float
    peak_gigabytes: float
    steps: int

    @property
    def seconds_per_step(self) -> float | None:
        return self.seconds / self.steps if self.steps else None


@dataclass(frozen=True)
class Report:
    """The report of a run: what was chosen and why, and the time and memory used.

    ``revisions``: the commit of every repository whose weights were read, or "local folder".
    """

    method: str
    options: dict[str, Any]
    mode: str
    words: str
    device: str
    phases: tuple[Phase, ...]
    revisions: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    @property
    def peak_gigabytes(self) -> float:
        return max((phase.peak_gigabytes for phase in self.phases), default=0.0)

    @property
    def longest(self) -> Phase | None:
        """The phase of several steps that took longest: denoising, almost always."""
        counted = [phase for phase in self.phases if phase.steps > 1]
        return max(counted, key=lambda phase: phase.seconds, default=None)

    def sentence(self) -> str:
        """The sentence that the page shows under the result."""
        pace = f", {self.longest.seconds_per_step:.2f} s per step" if self.longest else ""
        return f"{self.seconds:.1f} s on {self.device}{pace}, peak {self.peak_gigabytes:.2f} GB in memory mode {self.mode}."

    def values(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class Meter(Protocol):
    """The device interface that the clock needs."""

    @property
    def label(self) -> str: ...
    def start_peak(self) -> None: ...
    def peak_bytes(self) -> int: ...
    def finish(self) -> None: ...
    def tidy(self) -> None: ...


class Clock:
    """Follows the `Progress` of one run.

    The time before a `Progress` belongs to its phase, since pipelines report after each step. A step 0 announces a phase, so
    the time before it belongs to the previous phase.
    """

    def __init__(self, device: Meter) -> None:
        self.device = device
        self.phase = ""
        self._seconds: dict[str, float] = {}
        self._peak: dict[str, int] = {}
        self._steps: dict[str, int] = {}
        self._stepping: dict[str, float] = {}
        self._last = time.monotonic()
        device.start_peak()

    def timed(self, progress: Progress) -> Progress:
        """Record the step, and estimate how long the phase will still take."""
        spent_in = self.phase if progress.step == 0 and self.phase else progress.phase
        spent = self._note(spent_in)
        self.phase = progress.phase
        if progress.step > 0:
            self._steps[progress.phase] = progress.step
            self._stepping[progress.phase] = self._stepping.get(progress.phase, 0.0) + spent
        if progress.seconds_left is not None or progress.step <= 0:
            return progress
        pace = self._stepping[progress.phase] / progress.step
        return replace(progress, seconds_left=pace * max(progress.steps - progress.step, 0))

    def report(
        self, *, method: str, options: RunOptions, mode: str, words: str, revisions: Mapping[str, str]
    ) -> Report:
        self._note(self.phase or "Run")
        phases = tuple(
            Phase(name, seconds, self._peak[name] / 1e9, self._steps.get(name, 0))
            for name, seconds in self._seconds.items()
        )
        return Report(method, options.values(), mode, words, self.device.label, phases, dict(revisions))

    def _note(self, phase: str) -> float:
        self.device.finish()
        now = time.monotonic()
        spent, self._last = now - self._last, now
        self._seconds[phase] = self._seconds.get(phase, 0.0) + spent
        self._peak[phase] = max(self._peak.get(phase, 0), self.device.peak_bytes())
        self.device.start_peak()
        return spent
