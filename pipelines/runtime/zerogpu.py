"""ZeroGPU: one decorated generator, plain values in and out. The only file that imports `spaces`.

On a Space this module is imported first, before anything that could initialise CUDA, and `preload` is called on the main
thread before the page is launched: worker processes find on "cuda" what was there at that time. The worker is forked for
the first visitor and kept for the next ones; weights that it loads itself stay in it, invisible to the main process.
"""

from __future__ import annotations

import spaces  # isort: skip  (before torch)

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from camera.errors import InputError, log_failure
from pipelines import registry
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime import forecast
from pipelines.runtime.progress_clock import Report
from pipelines.shot import Shot

SIZE: Any = forecast.zerogpu_size()

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """An error as a value: ZeroGPU would show only its class name and discard the warm worker."""

    sentence: str


def seconds(shot: Shot) -> int:
    """GPU seconds to reserve for ``shot``."""
    return forecast.zerogpu_seconds(shot, size=SIZE)


@spaces.GPU(duration=seconds, size=SIZE)
def shoot(shot: Shot) -> Iterator[Progress | Clip | Report | Failure]:
    """Run one shot in the worker process."""
    from pipelines.runtime.runner import default

    try:
        yield from default().run(shot)
    except InputError as error:
        yield Failure(str(error))
    except Exception:
        yield Failure(log_failure(_log, "The run failed"))


def run(shot: Shot, *, visitor: str = "") -> Iterator[Progress | Clip | Report]:
    """Like `pipelines.generate`, on ZeroGPU. ``visitor``: one of the names in `estimates.QUOTAS` where it is known.

    Raises `InputError`, before asking for a GPU, if the method does not support the shot or the visitor's quota is too small.
    """
    shot.check()
    forecast.check_quota(seconds(shot), visitor or forecast.QUOTAS[-1].visitor, size=SIZE)
    items = shoot(shot)
    try:
        for item in items:
            if isinstance(item, Failure):
                raise InputError(item.sentence)
            yield item
    except Exception as error:
        if not type(error).__module__.startswith("gradio"):
            raise
        raise InputError(f"ZeroGPU did not run this: {getattr(error, 'message', error)}") from error
    finally:
        items.close()  # type: ignore[attr-defined]


def preload(names: Sequence[str], options: RunOptions) -> None:
    """Load methods and move their networks to the future GPU; on the main thread, before the page is launched."""
    from pipelines.runtime.memory import networks
    from pipelines.runtime.runner import default

    for name in names:
        loaded = default().load(registry.method(name), options)
        for network in networks(loaded.pipeline).values():
            network.to("cuda")
