"""Addresses of our own files that name no folder of the server: the page's scripts, and what a session's project shows."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import plotly
from gradio.route_utils import API_PREFIX
from starlette.types import ASGIApp, Receive, Scope, Send

from tabs.project import folders

_PREFIX = "files/"
FOLDERS = {
    "plotly": Path(plotly.__path__[0]) / "package_data",
    "browser": Path(__file__).parents[1] / "browser",
    "sessions": folders.ROOT,
}
"""By the name that stands for them. What of them is sent, Gradio decides: static paths and allowed paths."""


def address_of(file: Path) -> str:
    """The address of a file relative to the page's; outside `FOLDERS` it is Gradio's, which says where the file is."""
    for name, folder in FOLDERS.items():
        if file.is_relative_to(folder):
            return f"{_PREFIX}{name}/{quote(file.relative_to(folder).as_posix())}"
    return f"{API_PREFIX.strip('/')}/file={file}"


def file_of(path: str) -> Path | None:
    """The file that a (decoded) path of the server names; None where it is no such address."""
    name, _, rest = path.strip("/").removeprefix(_PREFIX).partition("/")
    return FOLDERS[name] / rest if path.strip("/").startswith(_PREFIX) and name in FOLDERS else None


class NamedFiles:
    """Middleware (ASGI): asks Gradio for the file that an address names; Gradio checks, as always, whether it may be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (file := file_of(scope["path"])):
            path = f"{API_PREFIX}/file={file}"
            scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        await self.app(scope, receive, send)
