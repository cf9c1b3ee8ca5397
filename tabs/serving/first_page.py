"""The page itself, rendered once per requested address and sent compressed."""

from __future__ import annotations

import asyncio
import ctypes
import gzip
import json
import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import brotli
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabs.serving.compact import EXPAND, compact_config

MOST_ADDRESSES = 16
"""Maximum number of cached pages: one for each name under which the server is reached."""
WORTH_COMPRESSING = 4096
_DESCRIPTION = re.compile(
    r"window\.gradio_config = (?P<config>\{.*?\});</script><script>window\.gradio_api_info = (?P<api>\{.*?\});</script>",
    re.DOTALL,
)
_ADDRESSES_IN_MEMORY = re.compile(rb'"(?:<|\\u003c)[^"<>]{1,200} at 0x[0-9a-f]+(?:>|\\u003e)"')
"""JSON texts such as "<function forget at 0x7f01>", with which Gradio describes the functions of a page's states; no script uses them."""
_NO_ENDPOINTS = {"named_endpoints": {}, "unnamed_endpoints": {}}
_ADDRESS = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
"""Headers from which Gradio builds the URL that it writes into the page."""
log = logging.getLogger("reshoot")


@dataclass(frozen=True)
class RenderedPage:
    """A page as bytes: uncompressed, and in both compressions that browsers accept."""

    plain: bytes
    gzip: bytes
    brotli: bytes

    def for_browser(self, accepts: str) -> tuple[bytes, str]:
        """The bytes to send and the name of their encoding."""
        for name, body in (("br", self.brotli), ("gzip", self.gzip)):
            if name in accepts:
                return body, name
        return self.plain, ""


class FirstPage:
    """Middleware (ASGI): answers GET / from memory, and compresses long JSON answers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.rendered: OrderedDict[tuple, RenderedPage] = OrderedDict()
        self.rendering = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _is_first_page(scope):
            await self._page(scope, receive, send)
        elif scope["method"] == "GET" and _contains_page_description(scope):
            await self._send_compressed(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers HEAD before rendering: Gradio requests it at startup and treats a slow answer as none."""
        headers = Headers(scope=scope)
        if scope["method"] == "HEAD":
            await _send_answer(send, b"", "text/html; charset=utf-8", "")
            return
        key = (scope.get("root_path", ""), scope.get("scheme"), *(headers.get(name, "") for name in _ADDRESS))
        page = self.rendered.get(key)
        if page is None:
            async with self.rendering:
                page = self.rendered.get(key) or await self._render(scope, receive, send)
            if page is None:
                return
            self.rendered[key] = page
        while len(self.rendered) > MOST_ADDRESSES:
            self.rendered.popitem(last=False)
        await _send_answer(send, *_choose_encoding(page, headers))

    async def _render(self, scope: Scope, receive: Receive, send: Send) -> RenderedPage | None:
        """Gradio's page in compact form; None if it answered otherwise, and that answer is sent."""
        with _without_endpoints(scope.get("app")):
            status, kind, body = await _collect_answer(self.app, scope, receive)
        if status != 200:
            await _send_answer(send, body, kind, "", status)
            return None
        page = await run_in_threadpool(render_page, strip_addresses(body))
        release_memory()
        return page

    async def _send_compressed(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.rendering:  # until then Gradio has another description of the endpoints
            status, kind, body = await _collect_answer(self.app, scope, receive)
        body, encoding = strip_addresses(body), ""
        if len(body) > WORTH_COMPRESSING and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            body, encoding = gzip.compress(body, 5), "gzip"
        await _send_answer(send, body, kind, encoding, status)


@contextmanager
def _without_endpoints(app: Any) -> Iterator[None]:
    """A context in which Gradio has an empty description of the endpoints, so that none is sent with the page."""
    original, of_page = getattr(app, "page_api_info", None), ("", False)
    if original is None or of_page in original:
        yield
        return
    original[of_page] = _NO_ENDPOINTS
    try:
        yield
    finally:
        original.pop(of_page, None)


def release_memory() -> None:
    """Return freed memory to the system; Linux's C library would otherwise keep it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def strip_addresses(body: bytes) -> bytes:
    """Replace JSON values that are only Python representations with a memory address by null."""
    return _ADDRESSES_IN_MEMORY.sub(b"null", body)


def render_page(html: bytes) -> RenderedPage:
    """Gradio's page with a compact description, see `tabs.serving.compact`."""
    text = html.decode()
    found = _DESCRIPTION.search(text)
    if found is None:
        log.warning("Gradio's page has another form than expected, so it is sent as long as it is.")
        plain = html
    else:
        sent = _script(compact_config(json.loads(found["config"])))
        none = _script(_NO_ENDPOINTS)
        script = f"window.gradio_config = {EXPAND.replace('CONFIG', sent, 1)};window.gradio_api_info = {none};</script>"
        plain = (text[: found.start()] + script + text[found.end() :]).encode()
    return RenderedPage(plain, gzip.compress(plain, 9), brotli.compress(plain, quality=9))


def _script(value: Any) -> str:
    """JSON that is safe inside a script of a page."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&'\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _is_first_page(scope: Scope) -> bool:
    """Whether this request gets the same page for everyone: no password, no saved state in the URL."""
    if scope["method"] not in ("GET", "HEAD") or scope["path"] not in ("/", ""):
        return False
    app = scope.get("app")
    open_to_all = getattr(app, "auth", None) is None and getattr(app, "auth_dependency", None) is None
    return open_to_all and b"deep_link" not in scope.get("query_string", b"")


def _contains_page_description(scope: Scope) -> bool:
    """Whether the answer contains Gradio's description of all components: for programs, in its history of runs, in a saved state."""
    path = scope["path"].rstrip("/")
    return path.endswith(("/config", "/info", "/runs")) or (
        path == "" and b"deep_link" in scope.get("query_string", b"")
    )


def _choose_encoding(page: RenderedPage, headers: Headers) -> tuple[bytes, str, str]:
    body, encoding = page.for_browser(headers.get("accept-encoding", ""))
    return body, "text/html; charset=utf-8", encoding


async def _collect_answer(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, str, bytes]:
    """Status, content type and body of the app's own answer."""
    status, kind, parts = 500, "text/html; charset=utf-8", []

    async def gather(message: Message) -> None:
        nonlocal status, kind
        if message["type"] == "http.response.start":
            status = message["status"]
            kind = Headers(raw=message["headers"]).get("content-type", kind)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, gather)
    return status, kind, b"".join(parts)


async def _send_answer(send: Send, body: bytes, kind: str, encoding: str, status: int = 200) -> None:
    headers = {
        "content-type": kind,
        "content-length": str(len(body)),
        "vary": "accept-encoding",
        "cache-control": "no-cache",
    }
    if encoding:
        headers["content-encoding"] = encoding
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
