"""Ray's own processes do not always come up: tried once more, then said."""

import pytest
import ray
from ray import serve

from camera.errors import InputError
from pipelines.runtime.pool.cluster import connect
from pipelines.runtime.pool.settings import PoolSettings

POOL = PoolSettings("auto", 1, 1, True)


@pytest.fixture
def failing(monkeypatch):
    """Makes Ray fail so many times; what was tried."""
    tried = []

    def fail(times):
        def init(**options):
            tried.append(options["address"])
            if len(tried) <= times:
                raise Exception("The current node timed out during startup.")

        monkeypatch.setattr(ray, "init", init)
        monkeypatch.setattr(serve, "start", lambda **_: tried.append("serve"))
        return tried

    return fail


def test_ray_is_started_again_where_its_processes_did_not_come_up(failing):
    tried = failing(1)
    connect(POOL)
    assert tried == ["local", "local", "serve"]


def test_two_failures_are_said_in_words(failing):
    tried = failing(2)
    with pytest.raises(InputError, match=r"^Ray did not start \(The current node timed out"):
        connect(POOL)
    assert tried == ["local", "local"]
