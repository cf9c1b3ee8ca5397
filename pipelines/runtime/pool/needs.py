"""Resources that a replica needs, resources of the cluster, and how many replicas fit."""

from __future__ import annotations

from dataclasses import dataclass, field

from camera.errors import InputError
from pipelines.runtime.pool.settings import PoolSettings
from pipelines.shot import Shot


@dataclass(frozen=True)
class Facts:
    """Resources of the cluster: machines, GPUs, free GPUs, memory in bytes of all machines and of the largest one, and
    running replicas by method and machine address."""

    nodes: int
    gpus: float
    gpus_free: float
    memory: float
    largest_memory: float
    places: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def replicas(self) -> dict[str, int]:
        """Number of running replicas by method."""
        return {name: sum(machines.values()) for name, machines in self.places.items()}


@dataclass(frozen=True)
class Needs:
    """``ranks`` processes that share one shot, each with ``gpus`` GPUs and ``memory_bytes`` of its machine's memory (0: not
    reserved)."""

    gpus: float = 0.0
    ranks: int = 1
    memory_bytes: int = 0

    def line(self, name: str) -> str:
        """The name of its line and deployment."""
        return name if self.ranks == 1 else f"{name}-{self.ranks}-gpus"


def needs_of(shot: Shot, facts: Facts) -> Needs:
    """Resources of a replica for ``shot`` in a cluster with ``facts``.

    Weights are loaded into the machine's memory, and stay there in the offloading modes. The replica reserves the memory that
    the method's record forecasts, so that a machine gets no more replicas than it can load. Raises `InputError` if the shot
    asks for more GPUs than there are.
    """
    gpus, ranks = facts.gpus, shot.options.gpus
    if gpus and gpus < ranks:
        raise InputError(f"The pool has {gpus:g} GPUs, fewer than the {ranks} requested for one shot.")
    if not gpus or shot.options.weights == "tiny":
        return Needs(float(gpus > 0), ranks)
    wanted = int(max(shot.estimate().gigabytes.values()) * 1e9)
    return Needs(1.0, ranks, min(wanted, int(facts.largest_memory) // ranks))


def replicas(settings: PoolSettings, needs: Needs, facts: Facts) -> int:
    """Maximum number of replicas: from the settings, or as many as GPUs and memory allow, at least one."""
    if settings.replicas:
        return settings.replicas
    most = facts.gpus // (needs.gpus * needs.ranks) if needs.gpus else 1
    if needs.memory_bytes:
        most = min(most, facts.memory // (needs.memory_bytes * needs.ranks))
    return max(1, int(most))
