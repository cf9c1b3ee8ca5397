"""A real server and a real Chromium, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
import pytest

from bench.browser.chromium import FLAGS, find_chromium

PATIENCE = 120_000
"""Milliseconds before waiting fails. Software WebGL on a busy machine is slow."""
ALONE = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
"""Chromium connects only to the app."""
PLAIN_PAGE = ["--disable-gpu-compositing", "--disable-gpu-rasterization"]
"""The page around WebGL is not drawn by the software graphics card, which keeps an idle page busy. Chromium then logs
stalls where pixels are read back."""


@contextmanager
def served(methods: str = "") -> Iterator[tuple[gr.Blocks, str]]:
    """The app, and its address in this process; ``methods`` as in RESHOOT_METHODS."""
    import app

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHOOT_METHODS", methods)
        page = app.build()
        _, url, _ = app.launch(page, prevent_thread_lock=True, quiet=True, server_port=None, share=False)
    yield page, url
    page.close()


@pytest.fixture(scope="session")
def whole_app():
    """The whole app, and its address."""
    with served() as (page, url):
        yield page, url


@pytest.fixture(scope="session")
def address(whole_app):
    return whole_app[1]


@pytest.fixture(scope="session")
def blocks(whole_app):
    """The whole app's `gr.Blocks`, for inspection."""
    return whole_app[0]


@pytest.fixture(scope="session")
def gen3c_alone():
    """An app with this method only, for features that all tabs have: it loads in a fraction of the time."""
    with served("gen3c") as (_, url):
        yield url


@pytest.fixture(scope="session")
def launch_options(playwright):
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    return {"executable_path": find_chromium(), "args": [*FLAGS, *ALONE, *PLAIN_PAGE]}


@pytest.fixture(scope="session")
def chromium(playwright, launch_options):
    browser = playwright.chromium.launch(**launch_options)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def first_profile(playwright, launch_options, tmp_path_factory):
    """A profile on disk: Chromium compiles the page's scripts for the first visits only, which halves the time to open it."""
    folder = tmp_path_factory.mktemp("profile")
    profile = playwright.chromium.launch_persistent_context(folder, accept_downloads=True, **launch_options)
    yield profile
    profile.close()


@pytest.fixture(scope="session")
def second_profile(chromium):
    """The profile of another visitor at the same time."""
    return chromium.new_context(accept_downloads=True)


@pytest.fixture
def visit(request, address, first_profile):
    """``visit(width, height)`` opens the app, or the address ``at``, each time as a different visitor, with the light or dark
    ``scheme``; with ``options`` it uses a new profile, in which Chromium compiles all scripts again. Script errors in the page
    fail the test, and so does anything that the content security policy blocks."""
    pages, closing, faults = [], [], []

    def open_page(width: int = 1100, height: int = 900, *, at: str = address, scheme: str | None = None, **options):
        if options:
            context = request.getfixturevalue("chromium").new_context(accept_downloads=True, **options)
            closing.append(context)
        else:
            context = request.getfixturevalue("second_profile") if pages else first_profile
        page = context.new_page()
        pages.append(page)
        closing.insert(0, page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.emulate_media(color_scheme=scheme)
        page.on("pageerror", lambda error: faults.append(error.stack or error.message))
        page.on("console", lambda words: faults.extend([words.text] if "Content Security Policy" in words.text else []))
        page.goto(at)
        return page

    yield open_page
    for each in closing:
        each.close()
    assert faults == []
