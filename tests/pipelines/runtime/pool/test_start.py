"""Ray's driver does not always come up, and can be lost: started again, then said. A stand-in plays the driver."""

import textwrap

import pytest

from camera.errors import InputError
from pipelines.runtime.pool.link import Link, Lost
from pipelines.runtime.pool.settings import PoolSettings

POOL = PoolSettings("auto", 1, 1, True)
DRIVER = """
import os, sys
from multiprocessing.connection import Connection
from pathlib import Path
from pipelines.runtime.pool.messages import pack, unpack

starts = Path(__file__).with_suffix(".starts")
number = len(starts.read_text()) if starts.exists() else 0
starts.write_text("x" * (number + 1))
if number < {failures}:
    sys.exit("Ray's own words")
connection = Connection(int(sys.argv[1]))
connection.send_bytes(pack(0, {first!r}, "No Ray cluster answers."))
while True:
    number, kind, value, payload = unpack(connection.recv_bytes())
    if kind == "facts":
        facts = {{"nodes": os.getpid(), "gpus": 1, "gpus_free": 1, "memory": 1, "largest_memory": 1, "replicas": {{}}}}
        connection.send_bytes(pack(number, "facts", facts))
    elif kind == "shoot":
        connection.send_bytes(pack(number, "value", ["progress", {{"step": 1}}]))
        os._exit(139)  # as when Ray's own code ends the process
    else:
        break
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A module that fails so many times before it answers ``first``; its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def driver(failures=0, first="ready"):
        (tmp_path / "stand_in.py").write_text(textwrap.dedent(DRIVER.format(failures=failures, first=first)))
        return "stand_in"

    driver.starts = tmp_path / "stand_in.starts"
    return driver


def test_a_driver_that_does_not_come_up_is_started_again(driver):
    link = Link(POOL, driver(failures=1))
    assert link.facts().gpus == 1 and driver.starts.read_text() == "xx"
    link.close()


def test_two_failures_are_said_in_words(driver):
    with pytest.raises(InputError, match="Ray did not start, twice"):
        Link(POOL, driver(failures=2))
    assert driver.starts.read_text() == "xx"


def test_a_cluster_that_refuses_is_not_asked_twice(driver):
    with pytest.raises(InputError, match="No Ray cluster answers"):
        Link(POOL, driver(first="refused"))
    assert driver.starts.read_text() == "x"


def test_a_driver_that_ends_loses_its_shots_and_not_this_process(driver):
    link = Link(POOL, driver())
    process = link.facts().nodes
    stream = link.shoot({}, b"job")
    assert next(stream) == ("progress", {"step": 1})
    with pytest.raises(Lost):
        next(stream)
    with pytest.raises(Lost):
        next(link.shoot({}, b"job"))
    link.renew()
    assert link.facts().nodes != process and driver.starts.read_text() == "xx"
    link.close()
