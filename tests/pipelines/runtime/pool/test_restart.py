"""A cluster started by Ray's own command, which requires a token, and which ends and restarts during a shot."""

from contextlib import closing

import pytest

from bench.runs.pool import SHOOT, make_job
from bench.runs.pool_restart import Head
from pipelines.runtime.pool.dispatch import RESTARTING, Pool
from pipelines.runtime.pool.settings import PoolSettings


@pytest.fixture
def head(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("r")
    token = folder / "token"
    token.write_text("0" * 64)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    head = Head(folder)
    head.start()
    yield head
    head.stop()


def test_a_shot_is_shot_once_more_after_the_cluster_was_restarted(head, tmp_path):
    log, phases, stopped = tmp_path / "log", [], False
    with closing(Pool(PoolSettings(head.address, 0, 20, False), shoot=SHOOT, cpus=0.1)) as pool:
        for kind, value in pool.stream("restart", make_job(log, "a", 4, 0.25)):
            phases += [value["phase"]] if kind == "progress" else []
            if phases[-1] == "Sleeping" and not stopped:
                head.stop()
                stopped = True
            elif phases[-1] == RESTARTING and stopped and "started" not in phases:
                head.start()
                phases.append("started")
        assert pool.line("restart").lost == 1
    assert phases.index(RESTARTING) < phases.index("started") < phases.index("Beginning again")
    assert log.read_text().split("\n")[-2:] == ["a ended", ""] and log.read_text().count("a ended") == 1
