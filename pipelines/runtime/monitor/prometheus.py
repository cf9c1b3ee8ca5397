"""The status in Prometheus' text form, through its own client library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from camera.errors import InputError
from pipelines.runtime.monitor.status import Status


def metrics(status: Status) -> bytes:
    """Every number of ``status``. Raises `InputError` where ``prometheus_client`` is not installed."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        raise InputError("/metrics needs the package prometheus_client; install requirements-extras.txt.") from error
    registry = CollectorRegistry()
    registry.register(_Collector(status))
    return generate_latest(registry)


class _Collector:
    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Any]:
        """Called by the registry."""
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import GaugeMetricFamily as Gauge

        now = self.status
        yield Gauge("reshoot_nodes", "Machines in the pool.", now.nodes)
        if now.gpus is not None:
            yield Gauge("reshoot_gpus", "GPUs of all machines.", now.gpus)
            yield Gauge("reshoot_gpus_free", "GPUs that no replica or shot holds.", now.gpus_free)
        queues = now.queues
        yield _family(Gauge, "reshoot_shots_running", "Running shots.", {q.name: q.running for q in queues})
        yield _family(Gauge, "reshoot_shots_waiting", "Waiting shots.", {q.name: q.waiting for q in queues})
        yield _family(
            Counter,
            "reshoot_shots_refused",
            "Shots refused because the queue was full.",
            {q.name: q.refused for q in queues},
        )
        yield _family(
            Counter, "reshoot_replicas_lost", "Replicas that died during a shot.", {q.name: q.lost for q in queues}
        )
        pooled = {q.name: q.replicas for q in queues if q.replicas is not None}
        yield _family(Gauge, "reshoot_replicas", "Running replicas.", pooled)
        yield _family(Counter, "reshoot_shots_done", "Finished shots.", {d.method: d.total for d in now.done})
        yield _family(
            Gauge, "reshoot_loaded", "1 for methods whose weights are in memory.", dict.fromkeys(now.loaded, 1)
        )
        placed = Gauge("reshoot_replicas_on_machine", "Running replicas by machine.", labels=["queue", "machine"])
        for name, machines in now.places.items():
            for machine, count in machines.items():
                placed.add_metric([name, machine], count)
        yield placed


def _family(kind: Any, name: str, words: str, values: dict[str, int]) -> Any:
    family = kind(name, words, labels=["queue"])
    for queue, value in values.items():
        family.add_metric([queue], value)
    return family
