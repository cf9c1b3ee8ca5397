"""Scrubbing causes no server requests, with real pages that change the displayed frame five times a second."""

from __future__ import annotations

from bench.browser.scrub import MOST_SHARE, scrubbing


def test_two_visitors_scrub_without_server_requests():
    found = scrubbing(2, 4.0)
    assert found.requests == 0 and found.looks >= 4
    assert found.share <= MOST_SHARE
