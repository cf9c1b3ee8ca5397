"""Headless Chromium for benchmarks, tests and the documentation's film."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def find_chromium() -> str:
    """The path of the program. Raises `RuntimeError` if there is none."""
    file = next(filter(None, map(shutil.which, BROWSERS)), None)
    if file is None:
        raise RuntimeError("Chromium is missing; make test installs it.")
    return file


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser with this machine's Chromium. Raises `RuntimeError` if there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()
