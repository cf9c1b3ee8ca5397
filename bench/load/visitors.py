"""`python -m bench visitors`: 200 simultaneous visitors, and the machine's load during it.

The visitors must be light, because they run on the server's computer: requests are prepared in advance and sent over plain sockets.
Each request has its own connection, because a browser's is closed during the seconds that a visitor thinks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import orjson

from bench import Row, Scale, long_subject
from bench.load import ONE_BUTTON, OURS, Endpoints, Server, serving, step, warm_up

THINK_SECONDS, LONGEST_SECONDS = 5.0, 30.0
MOST_PREVIEW, MOST_PAGE, MOST_SHARE = 150.0, 400.0, 0.6
"""Limits: milliseconds at the 95th percentile, and share of one core."""
QUIET_LOAD = 0.5
"""Maximum load average at the start for the machine to count as quiet."""
LOOKS_AT = 18
"""Number of different frames that a visitor requests."""


@dataclass
class Observations:
    """Measurements of all visitors: seconds by kind of request, and counts of failures."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {"page": [], "open": [], "preview": [], "plain": []}
    )
    faults: Counter[str] = field(default_factory=Counter)

    async def ask(self, kind: str, server: Server, request: bytes) -> None:
        """Send ``request`` and wait for the complete answer."""
        began = time.perf_counter()
        try:
            status = await asyncio.wait_for(_answer(server, request), LONGEST_SECONDS)
            if status != 200:
                self.faults[f"{kind} answered {status}"] += 1
        except (OSError, asyncio.TimeoutError, ValueError) as error:
            after = time.perf_counter() - began
            self.faults[f"{kind}: {type(error).__name__} after {after:.1f} s"] += 1
        self.seconds[kind].append(time.perf_counter() - began)

    def p95_ms(self, kind: str) -> float:
        return 1e3 * float(np.quantile(self.seconds[kind] or [np.nan], 0.95))


async def _answer(server: Server, request: bytes) -> int:
    """The status of an answer, after reading it to the end."""
    address = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        status = int((await reader.readline()).split()[1])
        while await reader.read(1 << 16):
            pass
        return status
    except IndexError:
        raise ValueError("the connection was closed without an answer") from None
    finally:
        writer.close()


def _request(server: Server, path: str, body: dict | None = None) -> bytes:
    data = b"" if body is None else orjson.dumps(body)
    method = "GET" if body is None else "POST"
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {urlsplit(server.address).netloc}",
        "connection: close",
        "accept-encoding: gzip, br",
    ]
    lines += [f"content-type: application/json\r\ncontent-length: {len(data)}"] if data else []
    return "\r\n".join([*lines, "", ""]).encode() + data


class Visitor:
    """One session with all its requests, prepared before the measurement."""

    def __init__(self, number: int, ours: Server, plain: Server, endpoints: Endpoints) -> None:
        def posted(event: int, frame: int = 0) -> bytes:
            return _request(ours, "/gradio_api/run/predict", step(endpoints, event, f"visitor{number}", frame))

        self.ours, self.plain = ours, plain
        self.page, self.plain_page = _request(ours, "/"), _request(plain, "/")
        self.begins = [posted(endpoints.opens), posted(endpoints.draws)]
        self.looks = [posted(endpoints.looks, 7 * index % 120) for index in range(LOOKS_AT)]

    async def visit(self, observations: Observations, after: float, seconds: float) -> None:
        await asyncio.sleep(after)
        await observations.ask("page", self.ours, self.page)
        for request in self.begins:
            await observations.ask("open", self.ours, request)
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            await asyncio.sleep(THINK_SECONDS)
            await observations.ask("preview", self.ours, self.looks[count % LOOKS_AT])
            await observations.ask("plain", self.plain, self.plain_page)
            count += 1


@long_subject
def visitors(scale: Scale) -> list[Row]:
    """Only the visitors: 200 for a minute (20 for ten seconds with --quick), three minutes in all on a quiet machine."""
    quick = scale.height < 400
    print(f"load average before: {_load()}", flush=True)
    with serving(ONE_BUTTON) as plain, serving(OURS) as ours:
        endpoints = Endpoints.of(ours)
        warm_up(ours, endpoints, plain)
        return measure_visits(ours, plain, endpoints, *((20, 10.0) if quick else (200, 60.0)))


def measure_visits(ours: Server, plain: Server, endpoints: Endpoints, count: int, seconds: float) -> list[Row]:
    """The rows for ``count`` visitors who arrive within `THINK_SECONDS` and stay for ``seconds``."""
    all_visitors = [Visitor(number, ours, plain, endpoints) for number in range(count)]
    observations, load = Observations(), os.getloadavg()[0]
    memory, cpu, own, began = ours.megabytes(), ours.cpu_seconds(), time.process_time(), time.perf_counter()

    async def all_visits() -> None:
        await asyncio.gather(
            *(each.visit(observations, THINK_SECONDS * i / count, seconds) for i, each in enumerate(all_visitors))
        )

    asyncio.run(all_visits())
    lasted = time.perf_counter() - began
    share, client = (ours.cpu_seconds() - cpu) / lasted, (time.process_time() - own) / lasted
    grown = ours.megabytes() - memory
    for fault, times in observations.faults.most_common():
        print(f"{times} times {fault}", flush=True)
    faults, quiet = observations.faults.total(), "" if load <= QUIET_LOAD else ", not a quiet machine"
    print(
        f"load average at the start {load:.1f}{quiet}, at the end {_load()}; visitors took {client:.0%} of one core",
        flush=True,
    )
    words = f"{faults} errors, {share:.0%} of one core, {grown:+.0f} MB, load {load:.1f}"
    preview, page, opened = (observations.p95_ms(kind) for kind in ("preview", "page", "open"))
    return [
        Row(f"{count} visitors: preview, 95th percentile", preview, observations.p95_ms("plain"), words, "<= 150 ms, 0 errors, 60 %",
            preview <= MOST_PREVIEW and not faults and share <= MOST_SHARE),
        Row(f"{count} visitors: page, 95th percentile", page, observations.p95_ms("plain"), "", "<= 400 ms", page <= MOST_PAGE),
        Row(f"{count} visitors: example opened and drawn, 95th percentile", opened, None, f"visitors {client:.0%} of one core"),
    ]  # fmt: skip


def _load() -> str:
    return ", ".join(f"{each:.1f}" for each in os.getloadavg())
