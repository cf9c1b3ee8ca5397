"""CPU time of the server for visitors who scrub through a move, each in a real Chromium page, against the same pages at rest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import Row, Scale, long_subject
from bench.browser.chromium import chromium
from bench.load import OURS, Server, serving

MOST_SHARE = 0.05
"""Maximum share of one core that scrubbing may take on the server, beyond the open pages."""
SCRUB = """(every) => {
    const slider = document.querySelector("#stage input[type=range]");
    let frame = 0;
    window.scrubbed = 0;
    window.scrubbing = setInterval(() => {
        slider.value = (frame += 3) % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        window.scrubbed += 1;
    }, every);
}"""
EVERY_MS = 200


@dataclass(frozen=True)
class ScrubCost:
    """CPU seconds of the server over ``seconds``, with pages open: ``idle`` at rest, ``busy`` while scrubbing. ``requests`` during
    scrubbing; ``looks``: number of scrub steps of all pages."""

    seconds: float
    idle: float
    busy: float
    requests: int
    looks: int

    @property
    def share(self) -> float:
        """Share of one core beyond the idle pages."""
        return (self.busy - self.idle) / self.seconds


@long_subject
def scrub(scale: Scale) -> list[Row]:
    """50 visitors scrub for a minute (3 for five seconds with --quick)."""
    visitors, seconds = (3, 5.0) if scale.height < 400 else (50, 60.0)
    cost = scrubbing(visitors, seconds)
    words = f"{cost.looks} looks, {cost.requests} requests, {cost.share:+.1%} of a core"
    met = cost.share <= MOST_SHARE and cost.requests == 0
    return [
        Row(
            f"{visitors} visitors scrub for {seconds:.0f} s, server's processor time per second", 1e3 * cost.busy / seconds,
            1e3 * cost.idle / seconds, words, "<= 5 % of a core more than idle, no request", met,
        )
    ]  # fmt: skip


def scrubbing(visitors: int, seconds: float) -> ScrubCost:
    """Open the app in a separate process and ``visitors`` pages with an example, then measure."""
    with chromium() as browser, serving(OURS) as server:
        pages = [_visitor(browser, server.address) for _ in range(visitors)]
        requests: list[str] = []
        for page in pages:
            page.on("request", lambda request: requests.append(request.url))
        _wait_until_idle(server)
        idle = _cpu_seconds(server, pages, seconds)
        requests.clear()
        for page in pages:
            page.evaluate(SCRUB, EVERY_MS)
        busy = _cpu_seconds(server, pages, seconds)
        looks = sum(page.evaluate("clearInterval(window.scrubbing), window.scrubbed") for page in pages)
    return ScrubCost(seconds, idle, busy, len(requests), looks)


def _visitor(browser: Any, address: str) -> Any:
    page = browser.new_context(viewport={"width": 1000, "height": 700}).new_page()
    page.set_default_timeout(300_000)
    page.goto(address)
    page.locator("#examples button").first.click()
    page.wait_for_selector("#stage .stage-plot[data-frames]")
    page.wait_for_function("document.querySelector('.kept p')?.textContent.includes('Kept')")
    return page


def _wait_until_idle(server: Server, most: float = 120.0) -> None:
    """Wait until the server has finished the work that the visits started."""
    began = time.monotonic()
    while time.monotonic() - began < most:
        before = server.cpu_seconds()
        time.sleep(2)
        if server.cpu_seconds() - before < 0.1:
            return


def _cpu_seconds(server: Server, pages: Sequence[Any], seconds: float) -> float:
    """CPU seconds of the server while the pages stay open."""
    before, until = server.cpu_seconds(), time.monotonic() + seconds
    while time.monotonic() < until:
        pages[0].wait_for_timeout(100)
    return server.cpu_seconds() - before
