"""Ray's driver does not always start, and can be lost: it is restarted, then the error is reported. A substitute plays the driver."""

import textwrap

import pytest

from camera.errors import InputError
from pipelines.runtime.pool.dispatch import RESTARTING, Pool
from pipelines.runtime.pool.link import ConnectionLost, Link
from pipelines.runtime.pool.settings import PoolSettings

POOL = PoolSettings("auto", 1, 1, True)
DRIVER = """
import json, os, sys, time
from multiprocessing.connection import Connection
from pathlib import Path
from pipelines.runtime.pool.messages import pack, unpack

starts = Path(__file__).with_suffix(".starts")
number = len(starts.read_text()) if starts.exists() else 0
starts.write_text((starts.read_text() if number else "") + ("t" if os.environ.get("RAY_AUTH_MODE") == "token" else "x"))
first = {plan!r}[number]
if first == "fails":
    sys.exit("Ray's own words")
if first == "hangs":
    time.sleep(1000)
connection = Connection(int(sys.argv[1]))
connection.send_bytes(pack(0, "ready" if first == "dies" else first, "No Ray cluster answers."))
while True:
    number, kind, value, payload = unpack(connection.recv_bytes())
    if kind == "facts":
        facts = {{"nodes": os.getpid(), "gpus": 1, "gpus_free": 1, "memory": 1, "largest_memory": 1, "places": {{}}}}
        connection.send_bytes(pack(number, "facts", facts))
    elif kind == "shoot":
        connection.send_bytes(pack(number, "value", ["progress", {{"phase": "Sleeping", "step": 1}}]))
        if first == "dies":
            os._exit(139)  # as when Ray's own code ends the process
        connection.send_bytes(pack(number, "end"))
    elif kind == "leave":
        break
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A module that plays the driver; its starts follow the named plan and are recorded ("t" with a token)."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)

    def driver(*plan):
        (tmp_path / "stand_in.py").write_text(textwrap.dedent(DRIVER.format(plan=plan)))
        return "stand_in"

    driver.starts = tmp_path / "stand_in.starts"
    return driver


def test_a_driver_that_does_not_come_up_is_started_again(driver):
    link = Link(POOL, driver("fails", "ready"))
    assert link.facts().gpus == 1 and driver.starts.read_text() == "xx"
    link.close()


def test_two_failures_are_said_in_words(driver):
    with pytest.raises(InputError, match="Ray did not start, twice"):
        Link(POOL, driver("fails", "fails"))
    assert driver.starts.read_text() == "xx"


@pytest.mark.parametrize("how", ["refused", "absent"])
def test_a_cluster_that_refuses_is_not_asked_twice(driver, how):
    with pytest.raises(InputError, match="No Ray cluster answers"):
        Link(POOL, driver(how))
    assert driver.starts.read_text() == "x"


def test_a_cluster_that_asks_for_a_token_is_offered_the_one_that_is_here(driver):
    link = Link(POOL, driver("token", "ready", "ready"))
    assert driver.starts.read_text() == "xt"
    link.close()


def test_a_cluster_that_does_not_take_the_token_is_said_in_words(driver):
    with pytest.raises(InputError, match="No Ray cluster answers"):
        Link(POOL, driver("token", "token"))
    assert driver.starts.read_text() == "xt"


def test_a_driver_that_ends_loses_its_shots_and_not_this_process(driver):
    link = Link(POOL, driver("dies", "ready"))
    process = link.facts().nodes
    stream = link.shoot({}, b"job")
    assert next(stream) == ("progress", {"phase": "Sleeping", "step": 1})
    with pytest.raises(ConnectionLost):
        next(stream)
    with pytest.raises(ConnectionLost):
        next(link.shoot({}, b"job"))
    assert link.renewal().result().nodes != process and driver.starts.read_text() == "xx"
    link.close()


def test_drivers_are_started_until_one_joins_and_what_hangs_is_ended(driver):
    link = Link(POOL, driver("dies", "fails", "hangs", "absent", *["ready"] * 9), join_seconds=15)
    list(lost(link))
    assert link.facts().gpus == 1 and len(driver.starts.read_text()) >= 5
    link.close()


def test_a_cluster_that_stays_away_is_said_in_words(driver):
    link = Link(POOL, driver("dies", *["absent"] * 99), restart_seconds=0.5)
    list(lost(link))
    with pytest.raises(InputError, match="did not come back in 0"):
        link.facts()
    link.close()


def test_a_shot_reads_that_the_cluster_restarts_and_is_shot_once_more(driver):
    pool = Pool(POOL, link=Link(POOL, driver("dies", "absent", "ready")))
    told = [value for _, value in pool.stream("shots", b"job")]
    assert [value["phase"] for value in told if value["phase"] != RESTARTING] == [
        "Sleeping",
        "Beginning again",
        "Sleeping",
    ]
    assert {value["note"] for value in told if value["phase"] == RESTARTING} == {
        "The Ray cluster is restarting; waiting for it."
    }
    assert [value["note"] for value in told if value["phase"] == "Beginning again"] == [
        "The cluster was restarted; shooting again."
    ]
    pool.close()


def test_a_shot_that_a_restart_ends_twice_is_an_error_in_words(driver):
    pool = Pool(POOL, link=Link(POOL, driver("dies", "dies", "ready")))
    with pytest.raises(InputError, match="lost twice"):
        list(pool.stream("shots", b"job"))
    assert pool.line("shots").length == 0
    pool.close()


def test_status_does_not_wait_for_a_cluster_that_restarts(driver):
    pool = Pool(POOL, link=Link(POOL, driver("dies", "hangs"), join_seconds=60))
    assert pool.facts(wait=False).gpus == 1
    with pytest.raises(InputError, match="waiting for it"):
        for _ in pool.stream("shots", b"job"):
            pool.facts(wait=False)
    pool.close()


def lost(link):
    """The events of a shot whose driver dies."""
    with pytest.raises(ConnectionLost):
        yield from link.shoot({}, b"job")
