"""Background trainings: each runs in its own thread, and is followed and stopped by its code."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pipelines.method import Progress
from pipelines.training import Sample, TrainedWeights, TrainingStep

LOOK_SECONDS = 0.5
"""Interval between status updates of a training; steps of tiny networks are faster."""
REMEMBERED = 20
"""Number of finished trainings whose state is kept."""
LAST_SECONDS = 60.0
"""Seconds that trainings get to save when the program ends."""


class Background:
    """One training and its visible state.

    ``losses``: of every step since the start in this process. ``stays``: whether it continues when the page that started it closes.
    """

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        """``start()`` yields the items of `pipelines.runtime.training.job.run_training`; closing that generator ends the training."""
        self.losses: list[float] = []
        self.samples: list[Sample] = []
        self.progress: Progress | None = None
        self.made: TrainedWeights | None = None
        self.stays = False
        self._error: BaseException | None = None
        self._news = threading.Condition()
        self._version = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(start,), name="training", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self, seconds: float | None = 0.0) -> None:
        """Stop the training after the current step and save it; waits up to ``seconds``, or as long as it takes if None."""
        self._stopping.set()
        self._thread.join(seconds)

    def follow(self) -> Iterator[bool]:
        """Yield whether there is a new item, repeatedly until the training ends; closing this does not affect the training.

        Raises what the training raised.
        """
        last_version, over = -1, False
        while not over:
            over = self.is_over
            with self._news:
                new, last_version = self._version != last_version, self._version
            yield new
            self._thread.join(LOOK_SECONDS)
        if self._error is not None:
            raise self._error

    def _work(self, start: Callable[[], Iterator[Any]]) -> None:
        try:
            steps: Any = start()
            try:
                for item in steps:
                    self._record(item)
                    if self._stopping.is_set():
                        break
            finally:
                steps.close()
        except BaseException as error:  # passed to all followers
            self._error = error

    def _record(self, item: Any) -> None:
        with self._news:
            if isinstance(item, Sample):
                self.samples.append(item)
            elif isinstance(item, TrainedWeights):
                self.made = item
            else:
                self.progress = item
                if isinstance(item, TrainingStep):
                    self.losses.append(item.loss)
            self._version += 1


_running: dict[str, Background] = {}
_lock = threading.Lock()


def begin(code: str, start: Callable[[], Iterator[Any]]) -> Background:
    """The running training with this ``code``, or a new one; if one is being stopped, a new one after it has ended."""
    with _lock:
        training = _running.get(code)
        if training is not None and training.is_stopping:
            training.stop(None)
        if training is None or training.is_over:
            training = _running[code] = Background(start)
        for old in [code for code, each in _running.items() if each.is_over][:-REMEMBERED]:
            del _running[old]
        return training


def find_training(code: str) -> Background | None:
    """The training with this code that is running or ended recently."""
    return _running.get(code)


def stop(code: str) -> bool:
    """Request a training to stop; returns whether one with this code was running."""
    training = _running.get(code)
    if training is None or training.is_over:
        return False
    training.stop()
    return True


@atexit.register
def _stop_all() -> None:
    for training in list(_running.values()):
        training.stop()
    for training in list(_running.values()):
        training.stop(LAST_SECONDS)
