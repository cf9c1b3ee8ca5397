"""The pool on this machine's two cores: one Ray for all tests, its replicas shared by all five methods."""

import importlib
import io
import json
import os
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from camera.errors import InputError
from pipelines import method
from pipelines.cli.bench import default_shot
from pipelines.method import Clip, Progress
from pipelines.options import RunOptions
from pipelines.runtime.clip_file import clip_of_bytes, report_of
from pipelines.runtime.device import Device
from pipelines.runtime.job_file import write_job
from pipelines.runtime.monitor.status import pool_status
from pipelines.runtime.pool.cluster import PREFIX, build
from pipelines.runtime.pool.dispatch import Pool
from pipelines.runtime.pool.line import Line
from pipelines.runtime.pool.settings import PoolSettings, pool_settings
from pipelines.runtime.runner import Runtime
from pipelines.shot import Shot

SHOTS = {
    "gen3c": {"size": "128x64", "frames": 9},
    "genxd": {"size": "128x128"},
    "dimensionx": {"frames": 9},
    "i2v3d": {"size": "128x64", "frames": 4},
    "dualcamctrl": {"size": "128x64", "frames": 5},
}
TINY = RunOptions(weights="tiny")


@pytest.fixture(scope="module")
def pool():
    pool = Pool(PoolSettings("auto", 2, 4, True), shoot="tests.pipelines.runtime.pool.pool_stand_in:shoot", cpus=0.1)
    yield pool
    pool.close()


def sleeping(log: Path, name: str, *, steps: int = 3, seconds: float = 0.2) -> bytes:
    return json.dumps({"log": str(log), "name": name, "steps": steps, "seconds": seconds}).encode()


@pytest.mark.parametrize("name", SHOTS)
def test_a_clip_from_the_pool_is_the_plain_one_to_the_bit(pool, name):
    known = method(name)
    scene, path, settings = default_shot(known, steps=2, **SHOTS[name])
    if name == "i2v3d":
        settings = replace(settings, video_steps=2)
    job = write_job(io.BytesIO(), Shot(known, scene, path, settings, TINY)).getvalue()
    told = list(pool.stream("shots", job))
    *_, clip = [clip_of_bytes(value, scene) for kind, value in told if kind == "clip"]
    items = list(Runtime(Device("cpu")).run(Shot(known, scene, path, settings, TINY)))
    *_, plain = [item for item in items if isinstance(item, Clip)]
    assert np.array_equal(clip.frames, plain.frames)
    assert clip.extras.keys() == plain.extras.keys()
    assert all(np.array_equal(clip.extras[key], frames) for key, frames in plain.extras.items())
    assert clip.files.keys() == plain.files.keys() and clip.notes == plain.notes
    steps = [(value["phase"], value["step"]) for kind, value in told if kind == "progress"]
    assert [(item.phase, item.step) for item in items if isinstance(item, Progress)] == [
        step for step in steps if step[0] != "Waiting for the device"
    ]
    assert report_of(told[-1][1]).method == name


def test_a_second_shot_begins_while_the_first_runs(pool, tmp_path):
    log = tmp_path / "log"
    first = pool.stream("shots", sleeping(log, "a", steps=500))
    assert next(kind for kind, value in first if value["phase"] == "Sleeping")
    list(pool.stream("shots", sleeping(log, "b", steps=2)))
    first.close()
    assert "b ended" in log.read_text() and "a ended" not in log.read_text()


def test_closing_stops_after_the_step_and_frees_the_replica(pool, tmp_path):
    log = tmp_path / "log"
    stream = pool.stream("shots", sleeping(log, "a", steps=50))
    assert next(kind for kind, value in stream if value["phase"] == "Sleeping")
    stream.close()
    time.sleep(1.0)
    noted = log.read_text()
    time.sleep(0.6)
    assert log.read_text() == noted and "ended" not in noted and len(noted.splitlines()) <= 4
    assert pool.line("shots").length == 0


def test_what_a_replica_refuses_is_told_as_it_says_it(pool):
    with pytest.raises(InputError, match="damaged or of another version"):
        list(pool.stream("shots", b"PK nothing"))


def test_a_job_whose_replica_is_killed_runs_once_more_and_the_person_reads_so(pool, tmp_path):
    log, killed, notes = tmp_path / "log", [], []
    for kind, value in pool.stream("shots", sleeping(log, "a")):
        if kind == "progress" and value["phase"] == "Sleeping" and not killed:
            killed.append(int(value["note"]))
            os.kill(killed[0], signal.SIGKILL)
        if kind == "progress" and value["phase"] == "Beginning again":
            notes.append(value["note"])
    assert notes == ["The machine of this shot was lost; shooting again on another."]
    assert log.read_text().count("ended") == 1


def test_a_second_loss_is_an_error_in_words(pool, tmp_path):
    def kill_all():
        for kind, value in pool.stream("shots", sleeping(tmp_path / "log", "a")):
            if kind == "progress" and value["phase"] == "Sleeping":
                os.kill(int(value["note"]), signal.SIGKILL)

    with pytest.raises(InputError, match="lost twice"):
        kill_all()
    assert "ended" not in (tmp_path / "log").read_text()
    assert pool.line("shots").length == 0


def test_of_500_shots_20_find_a_place_and_480_read_which_number_they_would_be():
    line, refused = Line("GEN3C", 2, 20), []
    with ExitStack() as places:
        for _ in range(500):
            try:
                places.enter_context(line.place())
            except InputError as error:
                refused.append(str(error))
    assert len(refused) == 480 == line.refused and "number 21" in refused[0] and line.length == 0


def test_turns_come_in_the_order_of_arrival():
    line, begun = Line("GEN3C", 1, 20), []

    def shoot(number, ticket, place):
        list(line.wait(ticket))
        begun.append(number)
        place.close()

    threads = []
    for number in range(10):
        place = ExitStack()
        threads.append(threading.Thread(target=shoot, args=(number, place.enter_context(line.place()), place)))
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == list(range(10))


def test_the_environment_asks_for_the_pool(monkeypatch):
    monkeypatch.delenv("RESHOOT_RAY", raising=False)
    assert pool_settings() is None
    monkeypatch.setenv("RESHOOT_RAY", "ray://head:10001")
    assert pool_settings() == PoolSettings("ray://head:10001", 0, 20, False)
    monkeypatch.setenv("RESHOOT_PLACES", "many")
    with pytest.raises(InputError, match="RESHOOT_PLACES"):
        pool_settings()


def test_the_status_counts_replicas_of_the_pool_and_what_was_done(pool, tmp_path):
    list(pool.stream("shots", sleeping(tmp_path / "log", "a", steps=1)))
    now = pool_status(pool)
    [shots] = [queue for queue in now.queues if queue.name == "shots"]
    assert now.nodes == 1 and (shots.running, shots.waiting) == (0, 0) and shots.replicas >= 1
    assert {done.method: done.total for done in now.done}["shots"] >= 1 and "shots" in now.loaded
    assert shots.replicas == now.places["shots"]["127.0.0.1"]


def test_the_manifest_is_a_serve_config_whose_applications_can_be_built():
    from ray.serve.schema import ServeDeploySchema

    manifest = yaml.safe_load((Path(__file__).parents[4] / "docs" / "cluster.yaml").read_text())
    config = ServeDeploySchema.model_validate(yaml.safe_load(manifest["spec"]["serveConfigV2"]))
    for asked in config.applications:
        module, function = asked.import_path.split(":")
        built = getattr(importlib.import_module(module), function)(asked.args)
        assert asked.name == f"{PREFIX}{asked.args['method']}" and built is not None
    with pytest.raises(InputError, match="Unknown argument 'gpu'"):
        build({"method": "gen3c", "gpu": "2"})
    with pytest.raises(InputError, match="Unknown method 'sora'"):
        build({"method": "sora"})
