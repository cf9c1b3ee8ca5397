"""axe-core finds nothing serious in the page in use: with keys, an open section and the drawer; light, dark and on a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

GRAVE = ("serious", "critical")


@pytest.fixture(params=[(1440, "light"), (1440, "dark"), (390, "light")], ids=["light", "dark", "phone"])
def page(request, visit, gen3c_alone):
    width, scheme = request.param
    page = visit(width, 900, at=gen3c_alone, scheme=scheme)
    page.locator("#examples button").first.click()
    page.get_by_role("button", name="Make keys of this move").click()
    expect(page.locator(".tl-key-mark")).to_have_count(2)
    page.locator(".tl-key-mark").first.click()
    page.get_by_text("Target, limits").click()
    page.get_by_text("All other settings").locator("visible=true").click()
    return page


def test_axe_finds_nothing_serious(page: Page):
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = {each["id"]: [node["target"] for node in each["nodes"]] for each in found if each["impact"] in GRAVE}
    assert grave == {}
