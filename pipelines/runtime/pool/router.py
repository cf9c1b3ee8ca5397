"""Which replica gets the next shot. Imported by Ray Serve, where the driver routes."""

from __future__ import annotations

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class FreeReplicaRouter(FIFOMixin, RequestRouter):
    """Shots begin in order, each on a replica that is free.

    Serve's own router asks two replicas at random until one is free, with pauses: of eight where one just ended, it misses that
    one three times of four. A line of ours sends no more shots than there are replicas, so one is free or about to be.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """All in one list: Serve takes from it whichever is known to be free, and asks each where none is."""
        return [candidate_replicas]
