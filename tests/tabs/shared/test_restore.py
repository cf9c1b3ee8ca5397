"""A link contains a shot: its settings are restored from the address, and an invalid link is reported once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from playwright.sync_api import expect
from test_page import told

import app
from camera.errors import InputError
from tabs.project.link import LONGEST_LINK, decode_link, encode_link

SHOT = {
    "method": "gen3c",
    "example": "street_at_dusk",
    "controls": {"moves_from": "Film moves", "film_moves": "arc 12 ease", "frames": 17, "prompt": "präm 山"},
}


def request(text: str) -> SimpleNamespace:
    return SimpleNamespace(query_params={"s": text})


def test_a_shot_survives_the_address():
    assert decode_link(encode_link(SHOT)) == SHOT
    assert app._linked_tab(request(encode_link(SHOT))).selected == "gen3c"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["x", "%00", encode_link(SHOT)[:-9], encode_link({"method": "gen3c"}), "A" * LONGEST_LINK]
)
def test_what_is_no_link_is_refused(text):
    with pytest.raises(InputError, match="incomplete or damaged"):
        decode_link(text)


def test_too_much_for_a_link_and_a_method_that_is_elsewhere_are_said(monkeypatch):
    noise = "".join(map(chr, range(300, 6000)))
    with pytest.raises(InputError, match="too long for a link"):
        encode_link({**SHOT, "controls": {"prompt": noise}})
    monkeypatch.setenv("RESHOOT_METHODS", "genxd")
    with pytest.raises(InputError, match="a shot with gen3c, which this app does not offer"):
        app._linked_tab(request(encode_link(SHOT)))  # type: ignore[arg-type]


def test_a_link_opens_the_example_and_the_move(visit, address):
    page = visit(at=f"{address}?s={encode_link(SHOT)}")
    expect(page.locator("#film-moves textarea")).to_have_value("arc 12 ease")
    told(page, "Street at dusk")
    expect(page.locator("#stage .stage-plot")).to_have_attribute("data-frames", "17")
