"""Chooses the replica for the next shot. Imported by Ray Serve in the driver, which routes requests."""

from __future__ import annotations

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class FreeReplicaRouter(FIFOMixin, RequestRouter):
    """Starts shots in order, each on a free replica.

    Serve's own router probes two random replicas at a time, with pauses, until one is free: with eight replicas of which one is
    free, it misses that one three times of four. `Line` sends no more shots than there are replicas, so one is free or about to be.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """All replicas in one list: Serve takes one that it knows is free, or probes each."""
        return [candidate_replicas]
