"""``GET /metrics`` for Prometheus and ``GET /status`` for people: running, waiting and finished work, without visitors' data."""

from __future__ import annotations

import html

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from camera.errors import InputError
from pipelines.runtime.monitor.prometheus import metrics
from pipelines.runtime.monitor.status import Status, in_words, status

METRICS, STATUS = "/metrics", "/status"
_REFRESH_SECONDS = 5
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class StatusPages:
    """Middleware (ASGI) that answers the two addresses and passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and (answer := _answer(Request(scope).url.path)):
            await (await run_in_threadpool(answer))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _answer(path: str):
    return {METRICS: _metrics, STATUS: _status}.get(path)


def _metrics() -> Response:
    try:
        return Response(metrics(status()), media_type=_PROMETHEUS)
    except InputError as error:
        return PlainTextResponse(str(error), status_code=503)


def _status() -> Response:
    try:
        return HTMLResponse(page(status()))
    except InputError as error:
        return PlainTextResponse(str(error), status_code=503)


def page(now: Status) -> str:
    """A small page that reloads itself every few seconds."""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in in_words(now))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="{_REFRESH_SECONDS}"><title>Reshoot: status</title>'
        "<style>body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
        f"</style><h1>Status</h1><ul>{lines}</ul></html>"
    )
