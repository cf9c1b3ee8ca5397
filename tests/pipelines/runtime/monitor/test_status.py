"""Counts and sentences of the status, and its metrics as read by Prometheus' own parser."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.cli.bench import default_shot
from pipelines.options import RunOptions
from pipelines.runtime.device import Device
from pipelines.runtime.monitor.prometheus import metrics
from pipelines.runtime.monitor.status import FinishedShots, Queue, Status, device_status, in_words
from pipelines.runtime.monitor.tally import Tally
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot
from tests.toy_method import TOY

ROOT = Path(__file__).parents[4]
TINY = RunOptions(weights="tiny")
POOL = Status(
    device="pool", nodes=2, gpus=8, gpus_free=3, queues=(Queue("gen3c", 4, 11, 4, 480, 1), Queue("genxd", 0, 0, 1)),
    done=(FinishedShots("gen3c", 70, 12),), loaded=("gen3c", "genxd"), places={"gen3c": {"10.0.0.2": 3, "10.0.0.1": 1}},
)  # fmt: skip


def test_an_hour_later_a_shot_is_counted_in_the_total_only():
    seconds = [0.0]
    tally = Tally(now=lambda: seconds[0])
    tally.add()
    seconds[0] = 3599.0
    assert (tally.last_hour, tally.total) == (1, 1)
    seconds[0] = 3600.0
    assert (tally.last_hour, tally.total) == (0, 1)


def test_a_device_says_what_it_runs_what_it_did_and_what_is_loaded():
    runtime = Runtime(Device("cpu"))
    scene, path, settings = default_shot(TOY)
    assert device_status(runtime).loaded == ()
    shot = runtime.run(Shot(TOY, scene, path, settings, TINY))
    next(shot)
    assert device_status(runtime).queues == (Queue("all methods", 1, 0),)
    list(shot)
    now = device_status(runtime)
    assert now.queues == (Queue("all methods", 0, 0),)
    assert now.done == (FinishedShots(TOY.name, 1, 1),) and now.loaded == (TOY.name,)


def test_a_cancelled_shot_is_not_done():
    runtime = Runtime(Device("cpu"))
    shot = runtime.run(Shot(TOY, *default_shot(TOY), TINY))
    next(shot)
    shot.close()  # type: ignore[attr-defined]
    assert device_status(runtime).done == ()


def test_asking_before_the_first_shot_brings_no_torch():
    asked = "import sys; from pipelines.runtime.monitor.status import in_words, status; from pipelines.runtime.monitor import prometheus"
    said = "print(in_words(status())[0]); prometheus.metrics(status()); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{asked}; {said}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["this computer: 1 machine, GPUs are counted at the first shot", "False"]


def test_the_pool_in_words():
    assert in_words(POOL) == [
        "pool: 2 machines, 3 of 8 GPUs free",
        "gen3c: 4 running, 11 waiting, 4 replicas, 480 refused, 1 replicas lost",
        "genxd: 0 running, 0 waiting, 1 replicas, 0 refused, 0 replicas lost",
        "gen3c: 70 shots done, 12 in the last hour",
        "loaded: gen3c (1 on 10.0.0.1, 3 on 10.0.0.2), genxd",
    ]


def test_prometheus_reads_every_number():
    families = text_string_to_metric_families(metrics(POOL).decode())
    found = {(s.name, s.labels.get("queue", "")): s.value for family in families for s in family.samples}
    assert found["reshoot_nodes", ""] == 2 and found["reshoot_gpus_free", ""] == 3
    assert found["reshoot_shots_waiting", "gen3c"] == 11 and found["reshoot_shots_refused_total", "gen3c"] == 480
    assert found["reshoot_replicas_lost_total", "gen3c"] == 1 and found["reshoot_shots_done_total", "gen3c"] == 70
    placed = text_string_to_metric_families(metrics(POOL).decode())
    assert {s.labels["machine"]: s.value for family in placed for s in family.samples if "machine" in s.labels} == {
        "10.0.0.1": 1,
        "10.0.0.2": 3,
    }
    assert found["reshoot_replicas", "genxd"] == 1 and found["reshoot_loaded", "genxd"] == 1


@pytest.mark.parametrize("kind", ["counter", "gauge"])
def test_every_family_says_what_it_is(kind):
    assert f" {kind}\n" in metrics(POOL).decode() and "# HELP reshoot_shots_done_total" in metrics(POOL).decode()
