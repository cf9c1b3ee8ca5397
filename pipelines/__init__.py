"""Everything with weights: one folder per method, and what they share.

The public face: `NAMES` and `method` (records, cheap to import: no torch), `generate` and `forecast`; rehearsals are in `preview`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from camera._moved import install
from pipelines import _moved
from pipelines.method import Clip, Method, Progress

if TYPE_CHECKING:
    from camera.path import CameraPath
    from camera.view import Scene
    from pipelines.options import RunOptions
    from pipelines.runtime.forecast import Forecast
    from pipelines.runtime.progress_clock import Report
    from pipelines.settings import Settings

install("pipelines", _moved.MODULES, _moved.NAMES)

NAMES = ("gen3c", "genxd", "dimensionx", "i2v3d", "dualcamctrl")


def method(name: str) -> Method:
    """The record of one method; raises `KeyError` for an unknown name."""
    if name not in NAMES:
        raise KeyError(name)
    return import_module(f"pipelines.methods.{name}.method").METHOD


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
    from pipelines.environment import on_zerogpu
    from pipelines.options import RunOptions
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
    from pipelines.environment import on_zerogpu
    from pipelines.options import RunOptions
    from pipelines.runtime import forecast as estimates
    from pipelines.runtime import remote

    options = options or RunOptions()
    if remote.siblings().get(name) or on_zerogpu():
        return estimates.forecast_zerogpu(method(name), scene, path, settings, options)
    from pipelines.runtime import runner

    return runner.default().forecast(method(name), scene, path, settings, options)
