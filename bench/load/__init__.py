"""`python -m bench load`: cost of the page, a session and many visitors, compared with a one-button Gradio page in the same run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import Row, Scale, long_subject

ROOT = Path(__file__).parents[2]
OURS = "import app; app.launch(app.build(), share=False)"
ONE_BUTTON = (
    "import gradio as gr\nwith gr.Blocks() as page:\n    gr.Button('Go').click(lambda: 'gone', None, gr.Textbox(), api_name='go')\n"
    "page.launch(share=False, quiet=False)"
)
PAGES, SESSIONS = 20, 100
WARMING = 1_600
"""Calls of a long run before the measurement: enough to fill the kept sessions (`app.SESSIONS`), and a third more."""
EXAMPLE = "reading_room"


@dataclass
class Server:
    """A server in a separate process."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@contextmanager
def serving(code: str) -> Iterator[Server]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "GRADIO_ANALYTICS_ENABLED": "False", "SHARE": ""}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )  # fmt: skip
    try:
        assert process.stdout is not None
        output: list[str] = []
        while not (address := re.search(r"http://[\d.]+:\d+", "".join(output[-1:]))):
            output.append(process.stdout.readline())
            if not output[-1]:
                raise RuntimeError("the app did not start:\n" + "".join(output))
        yield Server(address[0], process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


@long_subject
def load(scale: Scale) -> list[Row]:
    """Starts, page, session, opened example, 200 visitors (20 with --quick) for a minute (10 s), and fairness between visitors."""
    from bench.browser.page import start
    from bench.load.fairness import fairness
    from bench.load.first_use import first_use

    size = SMALL if scale.height < 400 else FULL
    rows = [*start(scale), *first_use(size.starts)]
    return rows + _measure_served(size) + fairness(size.frames)


@dataclass(frozen=True)
class Size:
    """Amounts: starts beside busy processes, sessions that hold a scene, calls of the long run, visitors and their seconds, frames of
    a rehearsal."""

    starts: int
    holding: int
    calls: int
    visitors: int
    seconds: float
    frames: int


FULL = Size(starts=20, holding=300, calls=20_000, visitors=200, seconds=60.0, frames=61)
SMALL = Size(starts=2, holding=40, calls=4_000, visitors=20, seconds=10.0, frames=25)


def _measure_served(size: Size) -> list[Row]:
    from bench.load.visitors import measure_visits

    with serving(ONE_BUTTON) as plain, serving(OURS) as ours:
        rows = _pages(ours, plain)
        endpoints = Endpoints.of(ours)
        warm_up(ours, endpoints, plain)
        rows += [_sessions(ours, endpoints), _examples(ours, endpoints, size.holding)]
        rows.append(_long_run(ours, endpoints, size.calls))
        return rows + measure_visits(ours, plain, endpoints, size.visitors, size.seconds)


def _pages(ours: Server, plain: Server) -> list[Row]:
    body = httpx.get(ours.address, headers={"accept-encoding": "identity"}).content
    with httpx.stream("GET", ours.address) as answer:
        wire = len(b"".join(answer.iter_raw()))
    mine, other = (_cpu_per_page(server) for server in (ours, plain))
    words = f"{len(body) / 1e3:.0f} KB, {wire / 1e3:.0f} KB on the wire"
    met = len(body) <= 350_000 and mine <= 60 and mine <= 6 * other
    return [Row("GET /, processor time, against a page of one button", mine, other, words, "<= 350 KB, 60 ms, 6x", met)]


def _cpu_per_page(server: Server) -> float:
    httpx.get(server.address)
    before = server.cpu_seconds()
    for _ in range(5 * PAGES):
        httpx.get(server.address).raise_for_status()
    return 1e3 * (server.cpu_seconds() - before) / (5 * PAGES)


@dataclass(frozen=True)
class Endpoints:
    """Ids and inputs of the events that visitors cause."""

    config: dict = field(repr=False)
    opens: int
    draws: int
    looks: int

    @staticmethod
    def of(server: Server) -> Endpoints:
        config = httpx.get(f"{server.address}/config").json()
        stage = next(
            c["id"] for c in config["components"] if c["props"].get("elem_id") == "stage"
        )  # fmt: skip
        named = {d["api_name"]: d["id"] for d in config["dependencies"]}
        looks = next(
            d["id"] for d in config["dependencies"] if [stage, "select"] in [list(target) for target in d["targets"]]
        )
        return Endpoints(config, named["gen3c_open_example"], named["gen3c_draw"], looks)

    def body(self, number: int, session: str, changed: dict[int, object] | None = None, event: object = None) -> dict:
        """The browser's request body; ``changed``: values by index of the input."""
        values = {c["id"]: c["props"].get("value") for c in self.config["components"]}
        inputs = next(d["inputs"] for d in self.config["dependencies"] if d["id"] == number)
        data = [values.get(i) for i in inputs]
        for place, value in (changed or {}).items():
            data[place] = value
        return {"fn_index": number, "data": data, "session_hash": session, "event_data": event}


def _post(server: Server, body: dict) -> None:
    answer = httpx.post(f"{server.address}/gradio_api/run/predict", json=body, timeout=120)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")


def warm_up(server: Server, endpoints: Endpoints, idle: Server) -> None:
    """Before measuring: one visitor does everything once, so that the page is rendered and the renderers compiled; then wait until the
    server takes no more CPU time than an ``idle`` one, whose event loops alone cost up to a tenth of a core on some machines."""
    httpx.get(server.address, timeout=60)
    for number in (endpoints.opens, endpoints.draws, endpoints.looks):
        _post(server, step(endpoints, number, "first"))
    while True:
        before = server.cpu_seconds() - idle.cpu_seconds()
        time.sleep(2)
        if server.cpu_seconds() - idle.cpu_seconds() - before < 0.1:
            return


def step(endpoints: Endpoints, number: int, session: str, frame: int = 0) -> dict:
    if number == endpoints.opens:
        return endpoints.body(number, session, {-1: EXAMPLE})
    if number == endpoints.looks:
        still = {"frame": frame, "turn": [0, 0, 0], "move": [0, 0, 0], "at": frame, "id": 1}
        return endpoints.body(number, session, event=still)
    return endpoints.body(number, session)


def _sessions(server: Server, endpoints: Endpoints) -> Row:
    memory, before = server.megabytes(), server.cpu_seconds()
    # an answer that reports missing inputs still creates the session
    for number in range(SESSIONS):
        httpx.post(
            f"{server.address}/gradio_api/run/predict",
            json=step(endpoints, endpoints.draws, f"new{number}"),
            timeout=60,
        )
    each = 1e3 * (server.cpu_seconds() - before) / SESSIONS
    megabytes_each = (server.megabytes() - memory) / SESSIONS
    return Row(
        "first event of a session",
        each,
        None,
        f"{megabytes_each:.3f} MB each",
        "<= 50 ms, <= 0.15 MB",
        each <= 50 and megabytes_each <= 0.15,
    )


def _examples(server: Server, endpoints: Endpoints, holding: int) -> Row:
    memory, before = server.megabytes(), server.cpu_seconds()
    for number in range(holding):
        for event in (endpoints.opens, endpoints.draws, endpoints.looks):
            _post(server, step(endpoints, event, f"new{number}"))
    each = 1e3 * (server.cpu_seconds() - before) / holding
    grown = server.megabytes() - memory
    words = f"{grown / holding:.2f} MB each, {holding} sessions +{grown:.0f} MB"
    met = grown / holding <= 0.3 and 300 * grown / holding <= 400
    return Row("example opened, drawn and looked at", each, None, words, "<= 0.3 MB, 300 sessions <= 400 MB", met)


def _long_run(server: Server, endpoints: Endpoints, calls: int) -> Row:
    """Four calls in each of the given number of new sessions; the first `WARMING` calls fill the caches and are not counted."""
    address = f"{server.address}/gradio_api/run/predict"
    memory, before = 0.0, server.cpu_seconds()
    with httpx.Client(timeout=60) as client:
        for number in range(calls):
            if number == WARMING:
                memory = server.megabytes()
            client.post(address, json=step(endpoints, endpoints.draws, f"long{number // 4}"))
    each = 1e3 * (server.cpu_seconds() - before) / calls
    grown = (server.megabytes() - memory) / ((calls - WARMING) / 1000)
    words = f"{calls:,} calls in {calls // 4:,} sessions: {grown:+.2f} MB a thousand"
    return Row("a call of a long run", each, None, words, "<= 1 MB a thousand", grown <= 1)
