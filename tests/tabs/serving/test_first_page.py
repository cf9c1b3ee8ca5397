"""The page contains the same as Gradio's own in fewer bytes, is rendered once per address, and costs little per session."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
import tracemalloc
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import brotli
import pytest
from gradio.blocks import BlocksConfig
from gradio.routes import App
from gradio.state_holder import SessionState
from starlette.types import Message

import app
from tabs.serving.compact import FOR_PROGRAMS, compact_config, expand_config
from tabs.serving.first_page import FirstPage, render_page

PAGE_BYTES, SESSION_BYTES, SESSION_MS = 350_000, 150_000, 50


def got(url: str, **headers):
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers))
    return answer.read(), answer.headers


def without_what_programs_read(config: dict) -> dict:
    plain = json.loads(json.dumps(config))
    for component in plain["components"]:
        for key in FOR_PROGRAMS:
            component.pop(key, None)
    return plain


def test_nothing_is_lost_in_fewer_words(blocks):
    config = json.loads(json.dumps(blocks.config, default=str))
    sent = json.loads(json.dumps(compact_config(config)))
    assert expand_config(sent) == without_what_programs_read(config)
    assert len(json.dumps(sent)) < len(json.dumps(config)) / 5


def test_a_key_that_one_component_lacks_stays_lacking():
    parts = [{"id": 1, "type": "a", "props": {"x": 1, "only": 2}}, {"id": 2, "type": "a", "props": {"x": 1}}]
    config = {"components": parts, "dependencies": [], "page": {"other": {}}, "layout": {"id": 1}}
    assert expand_config(json.loads(json.dumps(compact_config(config)))) == config


def test_the_page_is_small_compressed_and_the_same_in_every_encoding(address):
    plain, headers = got(address)
    assert len(plain) <= PAGE_BYTES and "content-encoding" not in headers
    assert brotli.decompress(got(address, **{"Accept-Encoding": "gzip, br"})[0]) == plain
    packed, headers = got(address, **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip" and gzip.decompress(packed) == plain and len(packed) < 90_000
    assert b"</script><script>window.gradio_api_info" not in plain and b"structuredClone" in plain


def test_programs_get_the_whole_description_compressed(address):
    packed, headers = got(f"{address}gradio_api/info", **{"Accept-Encoding": "gzip"})
    info = json.loads(gzip.decompress(packed))
    assert headers["content-encoding"] == "gzip" and "/gen3c_open_example" in info["named_endpoints"]
    config = json.loads(got(f"{address}config")[0])
    assert any("api_info" in component for component in config["components"])


def test_each_address_gets_a_page_of_its_own(address):
    page = got(address, **{"X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Proto": "https"})[0]
    assert b"https://elsewhere.example" in page and b"elsewhere.example" not in got(address)[0]


def test_the_second_page_is_not_rendered_again(address, monkeypatch):
    got(address)
    monkeypatch.setattr("tabs.serving.first_page.render_page", lambda html: pytest.fail("rendered again"))
    got(address)
    head = urllib.request.urlopen(urllib.request.Request(address, method="HEAD"))
    assert head.status == 200 and head.read() == b""


def test_a_page_of_another_form_goes_out_whole(caplog):
    page = render_page(b"<html>another</html>")
    assert page.plain == b"<html>another</html>" and "another form" in caplog.text


def test_texts_cannot_end_the_script():
    config = {"components": [], "dependencies": [], "layout": {}, "page": {}, "title": "</script><b>\u2028"}
    html = f"<script>window.gradio_config = {json.dumps(config).replace('<', chr(92) + 'u003c')};</script>"
    html += "<script>window.gradio_api_info = {};</script>"
    assert len(re.findall("</script>", render_page(html.encode()).plain.decode())) == 1


def test_the_page_is_described_once_and_becomes_one_server(monkeypatch):
    made = []
    describe, create = BlocksConfig.get_config, App.create_app
    monkeypatch.setattr(BlocksConfig, "get_config", lambda self: made.append("described") or describe(self))

    def made_server(*given, **named):
        made.append("server")
        return create(*given, **named)

    monkeypatch.setattr(App, "create_app", staticmethod(made_server))
    page = app.build()
    assert made.count("server") == 0 and page.config["components"]
    whole = made.count("described")
    app.launch(page, prevent_thread_lock=True, quiet=True, share=False)
    page.close()
    assert made.count("server") == 1 and made.count("described") == whole


def test_what_is_added_to_a_page_is_described():
    page = app.build()
    with page:
        app.gr.Number(value=7, elem_id="late")
    assert "late" in [each["props"].get("elem_id") for each in page.get_config_file()["components"]]


def test_who_asks_for_the_endpoints_while_a_page_is_rendered_gets_them_all():
    """The server's list of endpoints is put away during rendering; a request for it waits until it is back."""
    served, order = App(), []
    served.page_api_info = {}

    async def gradio(scope, receive, send):
        order.append((scope["path"], dict(served.page_api_info)))
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html></html>"})

    async def ask(path):
        async def nothing() -> Message:
            return {}

        async def goes(message: Message) -> None:
            return None

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "app": served}
        await first(scope, nothing, goes)

    async def both():
        await asyncio.gather(ask("/"), ask("/gradio_api/info"))

    first = FirstPage(gradio)
    with ThreadPoolExecutor(1) as aside:  # Chromium's loop may run on the main thread
        aside.submit(asyncio.run, both()).result()
    (page, meanwhile), (info, whole) = order
    assert (
        (page, info) == ("/", "/gradio_api/info") and ("", False) in meanwhile and whole == {} == served.page_api_info
    )


def test_a_session_costs_little(blocks):
    SessionState(blocks)
    tracemalloc.start()
    before = time.process_time()
    kept = [SessionState(blocks) for _ in range(10)]
    seconds, (size, _) = time.process_time() - before, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / 10 <= SESSION_BYTES and 1e3 * seconds / 10 <= SESSION_MS
    assert next(iter(kept[0].components), None) is None
    assert kept[0].blocks_config.blocks.keys() == blocks.blocks.keys()
