"""URLs for our own files that reveal no folder of the server: the page's scripts, and the files of a session's project."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import plotly
from gradio.route_utils import API_PREFIX
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabs.project import folders

_PREFIX = "files/"
FOLDERS = {
    "plotly": Path(plotly.__path__[0]) / "package_data",
    "browser": Path(__file__).parents[1] / "browser",
    "sessions": folders.ROOT,
}
"""Folders by their public name. Gradio decides which of their files are sent: static paths and allowed paths."""


def address_of(file: Path) -> str:
    """The URL of a file relative to the page's; outside `FOLDERS` it is Gradio's, which reveals the file's path."""
    for name, folder in FOLDERS.items():
        if file.is_relative_to(folder):
            return f"{_PREFIX}{name}/{quote(file.relative_to(folder).as_posix())}"
    return f"{API_PREFIX.strip('/')}/file={file}"


def file_of(path: str) -> Path | None:
    """The file of a (decoded) URL path of the server; None for other paths."""
    name, _, rest = path.strip("/").removeprefix(_PREFIX).partition("/")
    if not path.strip("/").startswith(_PREFIX) or name not in FOLDERS or "\0" in rest:
        return None
    file = Path(os.path.normpath(FOLDERS[name] / rest.lstrip("/")))
    return file if file.is_relative_to(FOLDERS[name]) else None


class NamedFiles:
    """Middleware (ASGI): passes requests for such files to Gradio, which checks, as always, whether the file may be sent. If not,
    Gradio's answer would reveal the file's path; here the answer is the same as for a missing file."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = file_of(scope["path"]) if scope["type"] == "http" else None
        if file is None:
            await self.app(scope, receive, send)
            return
        path, refused = f"{API_PREFIX}/file={file}", False

        async def sent(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                refused = message["status"] in (403, 404)
            if not refused:
                await send(message)

        await self.app({**scope, "path": path, "raw_path": quote(path).encode()}, receive, sent)
        if refused:
            await JSONResponse({"detail": "Not Found"}, status_code=404)(scope, receive, send)
