"""A cluster of several machines, here simulated as nodes of one: joined by address, no shared disk; lost nodes; shots on two GPUs."""

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from camera.errors import InputError
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime.device import Device
from pipelines.runtime.dispatch import unavailable
from pipelines.runtime.monitor.status import pool_status
from pipelines.runtime.pool.dispatch import Pool
from pipelines.runtime.pool.needs import Needs, needs_of, replicas
from pipelines.runtime.pool.settings import PoolSettings
from pipelines.runtime.progress_clock import Report
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
STAND_IN = "tests.pipelines.runtime.pool.pool_stand_in:shoot"
BOTH = RunOptions(weights="tiny", gpus=2)


@pytest.fixture(scope="module")
def machines():
    """A cluster: a head node without GPUs and two machines with one logical GPU each."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ |= RAY
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[4]), *sys.path[1:]])
    head = {"num_cpus": 2, "num_gpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, num_gpus=1, node_ip_address="127.0.0.1")
    yield cluster
    switch_off(cluster)
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(scope="module")
def pool(machines):
    pool = Pool(PoolSettings(machines.address, 0, 20, False), shoot=STAND_IN, cpus=0.1)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shot():
    known = method("dualcamctrl")
    return Shot(known, *default_shot(known, steps=2, size="128x64", frames=5), BOTH)


def sleeping(log: Path, name: str, *, steps: int = 6) -> bytes:
    return json.dumps({"log": str(log), "name": name, "steps": steps, "seconds": 0.2}).encode()


def test_a_shot_over_two_gpus_is_the_clip_of_one(pool, shot):
    *items, report = pool.run(shot)
    *_, clip = [item for item in items if isinstance(item, Clip)]
    alone = Runtime(Device("cpu")).run(replace(shot, options=RunOptions(weights="tiny")))
    *_, plain = [item for item in alone if isinstance(item, Clip)]
    assert isinstance(report, Report) and any(isinstance(item, Progress) and item.step == 2 for item in items)
    assert np.abs(clip.frames.astype(int) - plain.frames).max() <= 1
    assert pool_status(pool).gpus_free == 0


def test_its_processes_stop_together_after_a_step_and_shoot_the_next_one_without_loading_again(pool, shot):
    long = replace(shot, settings=replace(shot.settings, steps=30))
    run = pool.run(long)
    assert next(item for item in run if isinstance(item, Progress) and (item.step, item.steps) == (2, 30))
    before = ranks_of(pool)
    run.close()
    *items, _ = pool.run(shot)
    assert ranks_of(pool) == before and len(before) == 2
    assert not any("oad" in item.phase for item in items if isinstance(item, Progress))


def test_where_one_of_its_processes_is_lost_it_is_shot_once_more(pool, shot):
    killed, notes, clips = False, [], 0
    for item in pool.run(replace(shot, settings=replace(shot.settings, steps=12))):
        if isinstance(item, Progress) and (item.step, item.steps) == (2, 12) and not killed:
            ranks_of(pool)[1].kill()
            killed = True
        notes += [item.note] if isinstance(item, Progress) and item.phase == "Beginning again" else []
        clips += isinstance(item, Clip)
    assert killed and clips == 1 and notes == ["The machine of this shot was lost; shooting again on another."]


def test_more_gpus_than_there_are_are_refused(pool, shot):
    with pytest.raises(InputError, match="The pool has 2 GPUs, fewer than the 3 requested"):
        next(pool.run(replace(shot, options=RunOptions(weights="tiny", gpus=3))))


def test_the_page_asks_for_gpus_where_the_pool_has_several(pool, machines, monkeypatch):
    monkeypatch.setenv("RESHOOT_RAY", machines.address)
    assert unavailable(RunOptions) == frozenset()
    monkeypatch.delenv("RESHOOT_RAY")
    assert unavailable(RunOptions) == {"gpus"}


def test_replicas_are_as_many_as_gpus_and_memory_allow(pool, shot):
    facts = pool.facts()
    real = replace(shot, options=RunOptions())
    asked = int(max(real.estimate().gigabytes.values()) * 1e9)
    needs = needs_of(real, facts)
    assert (needs.gpus, needs.ranks) == (1.0, 1) and 0 < needs.memory_bytes <= asked
    assert (facts.nodes, facts.gpus) == (3, 2) and 0 < facts.largest_memory < facts.memory
    most = partial(replicas, facts=facts)
    assert most(pool.settings, Needs(1.0)) == 2 and most(pool.settings, Needs(1.0, ranks=2)) == 1
    assert most(pool.settings, Needs(1.0, memory_bytes=int(0.9 * facts.memory))) == 1
    assert most(replace(pool.settings, replicas=5), Needs(1.0)) == 5


def test_another_method_gets_the_gpus_of_one_that_is_idle(pool, tmp_path):
    told = list(pool.stream("shots", sleeping(tmp_path / "log", "a", steps=1)))
    assert any(value["phase"] == "Making room" for kind, value in told if kind == "progress")
    assert told[-1][0] == "clip"


def test_a_job_whose_machine_is_taken_away_runs_once_more_on_another(pool, machines, tmp_path):
    log, taken, notes = tmp_path / "log", [], []
    for kind, value in pool.stream("shots", sleeping(log, "a", steps=40)):  # its processes notice within seconds
        if kind == "progress" and value["step"] == 3 and not taken:
            raylets = {node.all_processes["raylet"][0].process.pid: node for node in machines.worker_nodes}
            taken.append(raylets[psutil.Process(int(value["note"])).ppid()])
            machines.remove_node(taken[0], allow_graceful=False)
        notes += [value["note"]] if kind == "progress" and value["phase"] == "Beginning again" else []
    assert notes == ["The machine of this shot was lost; shooting again on another."]
    assert log.read_text().count("a ended") == 1 and log.read_text().count("a began") == 2


def switch_off(cluster):
    """Like a power failure: no process of any machine can report it."""
    for node in [*cluster.worker_nodes, *filter(None, [cluster.head_node])]:
        node.kill_all_processes(check_alive=False, allow_graceful=False)


def ranks_of(pool):
    """Processes of the actors that share a shot, in the order in which they started."""
    found = [one for one in psutil.process_iter(["cmdline"]) if "ray::Rank" in " ".join(one.info["cmdline"] or ())]
    return sorted(found, key=lambda one: one.pid)
