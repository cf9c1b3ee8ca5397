"""Starts or joins Ray, and manages the deployments in it. Only the driver's process uses this module."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections import Counter
from typing import Any

from camera.errors import InputError
from pipelines import registry
from pipelines.runtime.pool.needs import Facts, Needs
from pipelines.runtime.pool.ranked import RankedReplica
from pipelines.runtime.pool.replica import SHOOT, Replica
from pipelines.runtime.pool.settings import AUTO, PoolSettings

_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on loopback only
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # otherwise threads left by Serve join any nearby cluster
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
_TOKEN_WORDS = (
    "The Ray cluster at {} requires a token: run `ray get-auth-token` on its first machine and set RAY_AUTH_TOKEN here "
    "to its output."
)
PREFIX = "reshoot-"
"""Prefix of Serve application names; the method's name follows."""
_IDLE_SECONDS = 300.0
_lock = threading.Lock()
_ours: list[str] = []
"""Deployments made by this process, least recently used first."""
_handles: dict[str, Any] = {}
"""Handles by name: requesting one from Serve's controller takes time between two shots."""


class NoAnswer(InputError):
    """No cluster answers, or it has not started yet."""


class TokenRequired(InputError):
    """The cluster requires a token."""


def connect(settings: PoolSettings) -> None:
    """Start Ray here, or join it, in one attempt; another attempt needs another process. Raises `InputError`, including
    `NoAnswer` and `TokenRequired`, if that fails."""
    if settings.address != AUTO:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "10")  # attempts to connect, by default 20
    try:
        import ray
        from ray import serve
        from ray.exceptions import AuthenticationError
    except ImportError as error:
        raise InputError("RESHOOT_RAY needs Ray: run `pip install 'ray[serve]'`, or unset it.") from error
    here: dict[str, Any] = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    options: dict[str, Any] = here if settings.address == AUTO else {"address": settings.address}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, AuthenticationError) as error:
        if "AuthenticationError" in "".join(traceback.format_exception(error)):
            raise TokenRequired(_TOKEN_WORDS.format(settings.address)) from error
        raise NoAnswer(f"No Ray cluster answers at {settings.address} ({error}).") from error
    serve.start(proxy_location="Disabled")


def leave() -> None:
    """Leave the cluster; a cluster that was started here ends with its replicas."""
    import ray

    ray.shutdown()


def facts() -> Facts:
    """The cluster's current resources."""
    import ray

    there, nodes = ray.cluster_resources(), [node for node in ray.nodes() if node["Alive"]]
    return Facts(
        nodes=len(nodes),
        gpus=there.get("GPU", 0.0),
        gpus_free=ray.available_resources().get("GPU", 0.0),
        memory=there.get("memory", 0.0),
        largest_memory=max((node["Resources"].get("memory", 0.0) for node in nodes), default=0.0),
        places=_running_replicas(),
    )


def deployment(name: str, most: int, needs: Needs, *, shoot: str = SHOOT, cpus: float = 1.0) -> Any:
    """A handle of the replicas of ``name``, at most ``most``; deploys them first if necessary."""
    from ray import serve

    with _lock:
        if handle := _handles.get(name):
            return handle
        if PREFIX + name not in serve.status().applications:
            asked = application(name, most=most, needs=needs, shoot=shoot, cpus=cpus)
            serve.run(asked, name=PREFIX + name, route_prefix=None, blocking=False)
            _ours[:] = [*(other for other in _ours if other != name), name]
        handle = serve.get_app_handle(PREFIX + name).options(stream=True, method_name="shoot")
        _handles[name] = handle
        return handle


def application(name: str, *, most: int, needs: Needs, shoot: str = SHOOT, cpus: float = 1.0) -> Any:
    """The Serve application of a method: at most ``most`` replicas with their ``needs`` and ``cpus`` cores per process.

    They start on demand and stop after five idle minutes, so that methods share the GPUs.
    """
    from ray import serve
    from ray.serve.config import RequestRouterConfig

    router: dict[str, Any] = {
        "request_router_class": f"{__package__}.router.FreeReplicaRouter",
        "initial_backoff_s": 0.02, "backoff_multiplier": 1.5, "max_backoff_s": 0.1,
    }  # fmt: skip
    shared: dict[str, Any] = {
        "name": name,
        "max_ongoing_requests": 1,
        "health_check_period_s": 1,
        "request_router_config": RequestRouterConfig(**router),
        "graceful_shutdown_timeout_s": 5,
        "autoscaling_config": {
            "min_replicas": 0, "max_replicas": most, "target_ongoing_requests": 1,
            "upscale_delay_s": 0, "downscale_delay_s": _IDLE_SECONDS, "downscale_to_zero_delay_s": _IDLE_SECONDS,
        },
    }  # fmt: skip
    memory = {"memory": needs.memory_bytes} if needs.memory_bytes else {}
    if needs.ranks == 1:
        actor = {"num_cpus": cpus, "num_gpus": needs.gpus, **memory}
        return serve.deployment(Replica, ray_actor_options=actor, **shared).bind(shoot)
    each = {"CPU": cpus, "GPU": needs.gpus, **memory}
    kind = serve.deployment(
        RankedReplica,
        ray_actor_options={"num_cpus": cpus, "num_gpus": 0},
        placement_group_bundles=[{"CPU": cpus}, *[{key: value for key, value in each.items() if value}] * needs.ranks],
        placement_group_strategy="PACK",
        **shared,
    )
    return kind.bind(needs.ranks, cpus, needs.gpus)


def make_room(name: str, needs: Needs, busy: set[str]) -> list[str]:
    """If no GPU is free for one more replica of ``name``, remove deployments of this process that are not ``busy``, least
    recently used first; returns the removed names."""
    import ray
    from ray import serve

    with _lock:
        if name in _ours:
            _ours.remove(name)
            _ours.append(name)
        left: list[str] = []
        for other in [other for other in _ours if other != name and other not in busy]:
            if ray.available_resources().get("GPU", 0.0) >= needs.gpus * needs.ranks:
                break
            _ours.remove(other)
            _handles.pop(other, None)
            serve.delete(PREFIX + other)
            left.append(other)
        return left


def build(arguments: dict[str, str]) -> Any:
    """The application of a Serve config file: ``args`` has ``method`` and may have ``replicas``, ``gpus`` and ``cpus``.

    For shots over ``gpus`` GPUs, say 2, the file calls it reshoot-METHOD-2-gpus.
    Raises `InputError` for an unknown method or argument.
    """
    asked = dict(arguments)
    name = asked.pop("method", "")
    if name not in registry.NAMES:
        raise InputError(f"Unknown method {name!r} in the Serve config; known are {', '.join(registry.NAMES)}.")
    most, gpus, cpus = int(asked.pop("replicas", 1)), float(asked.pop("gpus", 1)), float(asked.pop("cpus", 1))
    if asked:
        raise InputError(f"Unknown argument {sorted(asked)[0]!r} of {name} in the Serve config.")
    needs = Needs(gpus) if gpus <= 1 else Needs(1.0, ranks=int(gpus))
    return application(needs.line(name), most=most, needs=needs, cpus=cpus)


def _running_replicas() -> dict[str, dict[str, int]]:
    """Running replicas, by method and machine address. Drops handles of removed deployments."""
    import ray
    from ray.serve.schema import ReplicaState, ServeInstanceDetails  # pyright: ignore[reportPrivateImportUsage]

    controller: Any = ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")  # Ray's dashboard uses the same source
    details = ray.get(controller.get_serve_instance_details.remote())
    applications = ServeInstanceDetails.model_validate(details).applications
    with _lock:
        for name in [name for name in _handles if PREFIX + name not in applications]:
            del _handles[name]
    found: dict[str, dict[str, int]] = {}
    for name, application in applications.items():
        if name.startswith(PREFIX):
            replicas = [each for deployment in application.deployments.values() for each in deployment.replicas]
            running = [each.node_ip or "?" for each in replicas if each.state == ReplicaState.RUNNING]
            found[name.removeprefix(PREFIX)] = dict(Counter(running))
    return found


def losses() -> tuple[type[BaseException], ...]:
    """Exceptions that mean that a replica or its machine was lost."""
    from ray import exceptions as lost

    return (lost.RayActorError, lost.WorkerCrashedError, lost.ObjectLostError, lost.NodeDiedError)
