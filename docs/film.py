"""Records the app for the README: ``python -m docs.film`` writes ``docs/app.webp``.

Starts the app, opens an example in Chromium, draws a move and plays it. Needs what the browser tests need.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from bench.browser.chromium import chromium

FILE = Path(__file__).parent / "app.webp"
SIZE, SHOWN = (1280, 860), (800, 538)
EXAMPLE, MOVE = "Fox", "arc 14 ease + dolly 0.15"
FRAMES, SECONDS = 24, 0.16


def main() -> None:
    """Write the picture; it appears under its name when it is whole."""
    import app

    _, address, _ = app.launch(app.build(), prevent_thread_lock=True, quiet=True, share=False)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.set_default_timeout(120_000)
        page.goto(address)
        pictures = [*_drawn(page), *_played(page)]
    part = FILE.with_suffix(".part")
    first, *others = pictures
    durations = [1200, *[round(1000 * SECONDS)] * (len(others) - 1), 1500]
    first.save(part, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, quality=60, method=6)
    part.replace(FILE)


def _drawn(page: Page) -> list[Image.Image]:
    """Open the example and write the move."""
    page.locator("#examples").get_by_text(EXAMPLE, exact=True).click()
    page.locator("#stage .stage-plot[data-frames]").wait_for()
    page.get_by_label("Film moves", exact=True).locator("visible=true").first.check()
    moves = page.locator("#film-moves textarea")
    moves.fill(MOVE)
    moves.evaluate("each => each.blur()")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(8000)
    return [_picture(page)]


def _played(page: Page) -> list[Image.Image]:
    """The move from its first frame to its last."""
    slider = page.locator("#stage input[type=range]")
    last = int(slider.get_attribute("max") or 0)
    pictures = []
    for frame in np.linspace(0, last, FRAMES).round().astype(int):
        slider.evaluate("(each, frame) => { each.value = frame; each.dispatchEvent(new Event('input')) }", int(frame))
        page.wait_for_timeout(1500)
        pictures.append(_picture(page))
    return pictures


def _picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
