"""Time until the page shows a scene, and its frame rate while scrubbing, compared with pictures from the server in the same
browser and run. Without a graphics card the CPU renders both."""

from __future__ import annotations

from typing import Any

from bench import Row, Scale, long_subject
from bench.browser.chromium import chromium
from bench.load import OURS, serving

FASTER, SOONEST_MS = 6.0, 500.0
"""Targets: the ratio to the server's frame rate, and the time from the scene's arrival to the first picture."""
ARRIVAL = """(() => {
    const fetched = window.fetch;
    window.fetch = function (url, ...rest) {
        if (/points-[0-9a-f]+/.test(String(url?.url ?? url))) window.arrived ??= performance.now();
        return fetched.call(this, url, ...rest);
    };
    const look = () => {
        if (window.arrived && document.querySelector("#stage figcaption")?.textContent) return (window.sighted = performance.now());
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})()"""
BLIND = """(() => {
    const given = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        return kind === "webgl2" && this.closest(".stage-eye") ? null : given.call(this, kind, ...rest);
    };
})()"""
LOOKS = """async (seconds) => {
    const stage = document.querySelector("#stage .stage").stage;
    const image = document.querySelector("#stage .stage-eye img");
    const byServer = document.querySelector("#stage .stage-eye canvas").hidden;
    const screen = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const began = performance.now();
    let count = 0;
    while (performance.now() - began < 1000 * seconds) {
        const before = image.src;
        stage.seek((3 * ++count) % 121);
        do await screen(); while (byServer && image.src === before && performance.now() - began < 2000 * seconds);
    }
    return [byServer, count / ((performance.now() - began) / 1000)];
}"""


@long_subject
def pace(scale: Scale) -> list[Row]:
    """Time to the first picture of an example, and pictures per second while scrubbing for ten seconds (three with --quick)."""
    seconds = 3.0 if scale.height < 400 else 10.0
    with chromium() as browser, serving(OURS) as server:
        first, ours = _visit(browser, server.address, seconds, blind=False)
        _, theirs = _visit(browser, server.address, seconds, blind=True)
    words = f"{ours:.1f} pictures a second, the server's {theirs:.1f}"
    return [
        Row("first sight of a scene that has arrived", first, None, "", "<= 0.5 s", first <= SOONEST_MS),
        Row(
            "a picture while scrubbing, drawn by the page",
            1e3 / ours,
            1e3 / theirs,
            words,
            ">= 6x",
            ours >= FASTER * theirs,
        ),
    ]


def _visit(browser: Any, address: str, seconds: float, *, blind: bool) -> tuple[float, float]:
    """Milliseconds from a scene's arrival to its first picture, and pictures per second."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(BLIND if blind else ARRIVAL)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto(address)
    page.wait_for_selector("#examples button")
    page.wait_for_timeout(5000)  # like a visitor who looks at the page first
    page.locator("#examples button").first.click()
    page.wait_for_selector("#stage .stage-plot[data-frames]")
    page.wait_for_function("/%/.test(document.querySelector('#stage figcaption')?.textContent ?? '')")
    first = 0.0 if blind else page.evaluate("window.sighted - window.arrived")
    by_server, rate = page.evaluate(LOOKS, seconds)
    assert by_server == blind, "the measured renderer must draw the page"
    context.close()
    return first, rate
