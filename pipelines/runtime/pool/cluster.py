"""Ray itself: started here or joined, and the deployments in it."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from camera.errors import InputError
from pipelines import registry
from pipelines.runtime.pool.replica import SHOOT, Replica
from pipelines.runtime.pool.settings import AUTO, PoolSettings

os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # on loopback only
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
PREFIX = "reshoot-"
"""Serve applications are called this and the method's name."""
_IDLE_SECONDS = 300.0
_lock = threading.Lock()


def connect(settings: PoolSettings) -> None:
    """Start Ray here, or join; nothing where that was done. Raises `InputError` where it cannot be."""
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise InputError("RESHOOT_RAY needs Ray: run `pip install 'ray[serve]'`, or unset it.") from error
    with _lock:
        if not ray.is_initialized():
            here: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            options: dict[str, Any] = here if settings.address == AUTO else {"address": settings.address}
            try:
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
            except (ConnectionError, ValueError) as error:
                raise InputError(f"No Ray cluster answers at {settings.address} ({error}).") from error
        serve.start(proxy_location="Disabled")


def replicas(settings: PoolSettings) -> int:
    """The most replicas of a method: as told, or one a GPU."""
    import ray

    return settings.replicas or max(1, int(ray.cluster_resources().get("GPU", 0)))


def deployment(name: str, settings: PoolSettings, *, shoot: str = SHOOT, cpus: float = 1.0) -> Any:
    """A handle on the replicas of ``name``, deployed now if they are not."""
    import ray
    from ray import serve

    with _lock:
        if PREFIX + name not in serve.status().applications:
            gpus = int(ray.cluster_resources().get("GPU", 0) > 0)
            asked = application(name, most=replicas(settings), gpus=gpus, shoot=shoot, cpus=cpus)
            serve.run(asked, name=PREFIX + name, route_prefix=None, blocking=False)
        return serve.get_app_handle(PREFIX + name).options(stream=True, method_name="shoot")


def application(name: str, *, most: int, gpus: float, shoot: str = SHOOT, cpus: float = 1.0) -> Any:
    """The Serve application of a method: at most ``most`` replicas of ``gpus`` GPUs and ``cpus`` cores each.

    They come when asked for and leave after five idle minutes, so that methods share the GPUs.
    """
    from ray import serve

    kind = serve.deployment(
        Replica,
        name=name,
        max_ongoing_requests=1,
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        health_check_period_s=1,
        graceful_shutdown_timeout_s=5,
        autoscaling_config={
            "min_replicas": 0, "max_replicas": most, "target_ongoing_requests": 1,
            "upscale_delay_s": 0, "downscale_delay_s": _IDLE_SECONDS, "downscale_to_zero_delay_s": _IDLE_SECONDS,
        },
    )  # fmt: skip
    return kind.bind(shoot)


def build(arguments: dict[str, str]) -> Any:
    """The application of a Serve config file: ``args`` has ``method`` and may have ``replicas``, ``gpus`` and ``cpus``.

    Raises `InputError` for an unknown method or argument.
    """
    asked = dict(arguments)
    name = asked.pop("method", "")
    if name not in registry.NAMES:
        raise InputError(f"Unknown method {name!r} in the Serve config; known are {', '.join(registry.NAMES)}.")
    most, gpus, cpus = int(asked.pop("replicas", 1)), float(asked.pop("gpus", 1)), float(asked.pop("cpus", 1))
    if asked:
        raise InputError(f"Unknown argument {sorted(asked)[0]!r} of {name} in the Serve config.")
    return application(name, most=most, gpus=gpus, cpus=cpus)


def running_replicas() -> dict[str, int]:
    """Replicas that run, by method."""
    from ray import serve
    from ray.serve.schema import ReplicaState  # pyright: ignore[reportPrivateImportUsage]

    found = {}
    for name, application in serve.status().applications.items():
        if name.startswith(PREFIX):
            states = [deployment.replica_states for deployment in application.deployments.values()]
            found[name.removeprefix(PREFIX)] = sum(state.get(ReplicaState.RUNNING, 0) for state in states)
    return found


def losses() -> tuple[type[BaseException], ...]:
    """Errors that mean that a replica or its machine went away."""
    from ray import exceptions as lost

    return (lost.RayActorError, lost.WorkerCrashedError, lost.ObjectLostError, lost.NodeDiedError)
