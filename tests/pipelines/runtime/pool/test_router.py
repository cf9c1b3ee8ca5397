"""A shot is offered to all replicas at once, so that a free one gets it without a second try."""

import asyncio

from pipelines.runtime.pool.cluster import application
from pipelines.runtime.pool.needs import Needs
from pipelines.runtime.pool.router import FreeReplicaRouter


def test_all_replicas_are_candidates_of_every_shot():
    replicas = list("abcdefgh")
    assert asyncio.run(FreeReplicaRouter.choose_replicas(None, replicas)) == [replicas]  # type: ignore[arg-type]


def test_deployments_of_one_gpu_and_of_several_route_so():
    for needs in (Needs(1.0), Needs(1.0, ranks=2)):
        deployment = application("gen3c", most=8, needs=needs)._bound_deployment
        router = deployment._deployment_config.request_router_config
        assert router.get_request_router_class() is FreeReplicaRouter
        assert deployment.max_ongoing_requests == 1
