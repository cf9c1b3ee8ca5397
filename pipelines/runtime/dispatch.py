"""Chooses where a shot runs: in a sibling Space, on ZeroGPU, on a pool of replicas, or on this machine's own device.

Heavy modules are imported only when something runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from camera.errors import InputError
from pipelines.environment import on_zerogpu
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.settings import Settings
from pipelines.shot import Shot

if TYPE_CHECKING:
    from pipelines.runtime.forecast import Forecast
    from pipelines.runtime.progress_clock import Report


def generate(
    shot: Shot, *, headers: Mapping[str, str] | None = None, visitor: str = ""
) -> Iterator[Progress | Clip | Report]:
    """Shoot: yields `Progress`, one or more `Clip` (each replaces the one before), and last a `Report`.

    Runs in a sibling Space that has the method, on ZeroGPU, on the pool of ``RESHOOT_RAY``, on several GPUs of this machine if
    the options say so, or on this machine's device. ``headers`` of the visitor's request let a sibling charge the visitor's
    quota; ``visitor`` names their kind of account, see `pipelines.runtime.forecast.QUOTAS`. Closing the generator cancels.
    If the options correct turns, it requests a corrected path, see `pipelines.results.responses`. Raises `InputError`.
    """
    if shot.options.correct_turns:
        from pipelines.results.responses import generate_corrected

        return generate_corrected(shot, lambda asked: _run(asked, headers, visitor))
    return _run(shot, headers, visitor)


def _run(shot: Shot, headers: Mapping[str, str] | None, visitor: str) -> Iterator[Progress | Clip | Report]:
    from pipelines.runtime import remote

    if place := remote.siblings().get(shot.method.name):
        return remote.run(place, shot, headers=headers)
    if on_zerogpu():
        from pipelines.runtime import zerogpu

        if shot.options.gpus > 1:
            raise InputError("ZeroGPU lends one GPU to a shot; choose 1.")
        return zerogpu.run(shot, visitor=visitor)
    from pipelines.runtime.pool.settings import pool_settings

    if settings_of_pool := pool_settings():
        from pipelines.runtime.pool.dispatch import pool

        return pool(settings_of_pool).run(shot)
    if shot.options.gpus > 1:
        from pipelines.runtime.parallel import ranks

        return ranks.run(shot)
    from pipelines.runtime import runner

    return runner.default().run(shot)


def forecast(shot: Shot) -> Forecast:
    """Forecast of `generate`: memory and mode, time, ZeroGPU quota; its ``refusal`` says what would fit instead."""
    from pipelines.runtime import forecast as estimates
    from pipelines.runtime import remote

    if remote.siblings().get(shot.method.name) or on_zerogpu():
        return estimates.forecast_zerogpu(shot)
    from pipelines.runtime import runner

    return runner.default().forecast(shot)


def unavailable(kind: type[Settings]) -> frozenset[str]:
    """Names of the settings that are not available where `generate` runs shots, so that the page does not show them.

    Joins the pool of ``RESHOOT_RAY`` to learn its GPUs; if the pool cannot be reached, a shot reports it.
    """
    if kind is not RunOptions:
        return frozenset()
    from pipelines.runtime.pool.settings import pool_settings

    if settings_of_pool := pool_settings():
        from pipelines.runtime.pool.dispatch import pool

        with suppress(InputError):
            if pool(settings_of_pool).facts(wait=False).gpus > 1:
                return frozenset()
    return frozenset({"gpus"})
