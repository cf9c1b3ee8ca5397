"""Where a shot runs: in a sibling Space, on ZeroGPU, on a pool of replicas, or on this machine's own device.

Imports nothing heavy before something is to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines import registry
from pipelines.environment import on_zerogpu
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions

if TYPE_CHECKING:
    from camera.path import CameraPath
    from camera.view import Scene
    from pipelines.runtime.forecast import Forecast
    from pipelines.runtime.progress_clock import Report
    from pipelines.settings import Settings


def generate(
    name: str,
    scene: Scene,
    path: CameraPath,
    settings: Settings,
    *,
    options: RunOptions | None = None,
    headers: Mapping[str, str] | None = None,
    visitor: str = "",
    after: Clip | None = None,
) -> Iterator[Progress | Clip | Report]:
    """Shoot ``path`` through ``scene``: yields `Progress`, one or more `Clip`, and last a `Report`.

    Runs where this process runs things: in a sibling Space that carries the method, on ZeroGPU, on the pool of
    ``RESHOOT_RAY``, or on this machine's own device. ``headers`` of the visitor's request let their own quota pay in a sibling; ``visitor`` names their kind of
    account, see `pipelines.runtime.forecast.QUOTAS`. ``after``: a clip that ``path`` begins with; only the rest is shot, by
    methods that can go on. Closing the generator cancels. Raises `InputError`.
    """
    from pipelines.runtime import remote

    options = options or RunOptions()
    if place := remote.siblings().get(name):
        return remote.run(place, name, scene, path, settings, options=options, headers=headers, after=after)
    if on_zerogpu():
        from pipelines.runtime import zerogpu

        return zerogpu.run(name, scene, path, settings, options=options, visitor=visitor, after=after)
    from pipelines.runtime.pool.settings import wanted

    if settings_of_pool := wanted():
        from pipelines.runtime.job_file import Job
        from pipelines.runtime.pool.dispatch import pool

        return pool(settings_of_pool).run(Job(name, scene, path, settings, options, after))
    from pipelines.runtime import runner

    return runner.run(name, scene, path, settings, options=options, after=after)


def forecast(
    name: str, scene: Scene, path: CameraPath, settings: Settings, *, options: RunOptions | None = None
) -> Forecast:
    """What `generate` would need: memory and mode, time, ZeroGPU quota; its ``refusal`` says what would fit instead."""
    from pipelines.runtime import forecast as estimates
    from pipelines.runtime import remote

    options = options or RunOptions()
    if remote.siblings().get(name) or on_zerogpu():
        return estimates.forecast_zerogpu(registry.method(name), scene, path, settings, options)
    from pipelines.runtime import runner

    return runner.default().forecast(registry.method(name), scene, path, settings, options)
