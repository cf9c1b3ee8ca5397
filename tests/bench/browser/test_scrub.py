"""Scrubbing costs the server nothing: real pages that look at another frame five times a second ask it nothing."""

from __future__ import annotations

from bench.browser.scrub import MOST_SHARE, scrubbing


def test_two_visitors_who_scrub_ask_the_server_nothing():
    found = scrubbing(2, 4.0)
    assert found.requests == 0 and found.looks >= 4
    assert found.share <= MOST_SHARE
