"""Every response carries the headers; only the page mentions the server's folders, memory or classes."""

from __future__ import annotations

import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

import app
from tabs.serving.first_page import strip_addresses
from tabs.serving.headers import FAULT, HEADERS, POLICY, SafeHeaders

ROOT = Path(__file__).parents[3]
PAGES = ("", "config", "gradio_api/runs", "?deep_link=none")
"""Gradio refers to files shown by the page by their folders, so these are not searched for folders."""
ASKED = ("gradio_api/info", "status", "metrics", "theme.css", "nothing-here", "gradio_api/file=/etc/passwd",
         "gradio_api/file=../../etc/passwd", "gradio_api/run/nothing", "files/browser/stage.py", "files/sessions/",
         "files/browser/..%2f..%2fapp.py", "files/plotly/a%00b")  # fmt: skip
POSTED = ("gradio_api/run/predict", "gradio_api/queue/join", "gradio_api/upload", "gradio_api/call/gen3c_draw")


@pytest.fixture(scope="module")
def url():
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESHOOT_METHODS", "gen3c")
        page = app.build()
        _, address, _ = app.launch(page, prevent_thread_lock=True, quiet=True, share=False)
    yield address
    page.close()


def answer(url: str, body: bytes | None = None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        got = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        got = error
    return got.headers, got.read().decode(errors="replace")


def unfit(text: str) -> list[str]:
    """Information that must not be disclosed to visitors."""
    found = re.findall(r"<[\w.]+ object at 0x\w+>|0x[0-9a-f]{9,}|Traceback \(most recent|/etc/passwd", text)
    return found + [
        place for place in (str(ROOT), tempfile.gettempdir() + "/", str(Path.home()) + "/") if place in text
    ]


@pytest.mark.parametrize("path", PAGES)
def test_the_page_has_the_headers_and_no_address_in_memory(url, path):
    headers, text = answer(url + path)
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert [found for found in unfit(text) if "0x" in found] == [] and "delete_callback" in text


@pytest.mark.parametrize("path", ASKED)
def test_every_answer_has_the_headers_and_no_folder_of_the_server(url, path):
    headers, text = answer(url + path)
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert unfit(text.replace("/etc/passwd", "") if "passwd" in path else text) == []


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b'{"fn_index": 0, "data": [{"path": "/etc/passwd"}]}',
        b"\xff{",
        b'{"fn_index": 1000000000, "data": []}',
    ],
)
def test_damaged_questions_learn_nothing(url, path, body):
    headers, text = answer(url + path, body)
    assert headers["x-content-type-options"] == "nosniff" and "content-security-policy" in headers
    assert [found for found in unfit(text) if found != "/etc/passwd"] == []


def test_a_fault_that_nothing_answers_has_the_headers_and_says_nothing_of_it():
    async def page(scope, receive, send):
        raise KeyError("/etc/passwd")

    got = TestClient(SafeHeaders(page)).get("/")
    assert got.status_code == 500 and got.json() == {"detail": FAULT} and got.headers["referrer-policy"]


def test_what_an_answer_says_itself_stays():
    async def page(scope, receive, send):
        await PlainTextResponse("x", headers={"referrer-policy": "no-referrer"})(scope, receive, send)

    headers = TestClient(SafeHeaders(page)).get("/").headers
    assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"


def test_spaces_may_show_the_app_in_a_frame_and_nothing_else_is_embedded():
    rules = {rule.partition(" ")[0]: rule.partition(" ")[2] for rule in POLICY.split("; ")}
    assert rules["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space https://*.huggingface.co"
    assert rules["object-src"] == "'none'" and rules["base-uri"] == "'self'"


def test_only_what_names_a_place_in_memory_is_left_out():
    body = b'{"a": "<function f at 0x7f0011223344>", "b": "\\u003cfunction f at 0x7f0011\\u003e", "c": "<b>at 0x1</b>"}'
    assert strip_addresses(body) == b'{"a": null, "b": null, "c": "<b>at 0x1</b>"}'


def test_what_is_unfit_is_found():
    assert {"<View object at 0x7f0011223344>", str(ROOT)} <= set(unfit(f"<View object at 0x7f0011223344> in {ROOT}/x"))
    assert unfit("a <View> at /x") == []
