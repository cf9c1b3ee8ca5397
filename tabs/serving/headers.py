"""Security headers of every response, which restrict our pages and files in a browser."""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HUB = "https://huggingface.co https://*.hf.space https://*.huggingface.co"
"""Sites that may show the app in a frame, as Spaces do."""
POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: https://cdnjs.cloudflare.com",
        "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com",
        "font-src 'self' data: https://fonts.gstatic.com",
        "img-src 'self' data: blob: https:",
        "connect-src 'self' data: blob: https: wss: ws:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        f"frame-ancestors 'self' {HUB}",
    )
)
"""Gradio's page consists of inline scripts and compiles templates, hence the two unsafe sources; it loads its frame resizer from
that one address."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": POLICY,
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
FAULT = "This request failed; it may ask for something that does not exist."
log = logging.getLogger("reshoot")


class SafeHeaders:
    """Middleware (ASGI): adds `HEADERS` that the answer does not set itself. Logs unhandled exceptions and answers them here,
    because the server's own answer would have no headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, sent)
        except Exception:
            if begun:
                raise
            log.exception("A request to %s failed", scope["path"])
            await JSONResponse({"detail": FAULT}, status_code=500)(scope, receive, sent)
