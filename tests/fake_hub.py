"""A small real HTTP server with the endpoints that huggingface_hub uses to inspect and download a repository."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CHUNK = 1 << 16


@dataclass
class Repository:
    """Files by name. ``gated``: refuses without the token "good". ``private``: pretends not to exist without it."""

    files: dict[str, bytes]
    gated: bool = False
    private: bool = False
    wrong: set[str] = field(default_factory=set)
    """Files that arrive with one byte changed, as many as announced."""
    cut: dict[str, list[int]] = field(default_factory=dict)
    """By file: the number of bytes after which each further response is cut off."""


@dataclass
class Hub:
    """The files on the server, and every request it received: (verb, path, first byte requested)."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    bytes_sent: int = 0
    url: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve the hub on a free loopback port; ``hub.url`` is its endpoint."""

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        first = int(re.sub(r"bytes=(\d+)-.*", r"\1", self.headers.get("Range", "0")))
        self.state.requests.append((self.command, path, first))
        if check := re.fullmatch(r"/api/models/([^/]+/[^/]+)/auth-check", path):
            self._access(check[1])
        elif listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._listing(*listing.groups())
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*file.groups(), first=first)
        else:
            self._error(404, "", "no such endpoint")

    def _repository(self, name: str) -> Repository | None:
        repository = self.state.repositories.get(name)
        trusted = self.headers.get("Authorization") == "Bearer good"
        if repository is None or (repository.private and not trusted):
            self._error(401, "RepoNotFound", "Repository not found")
            return None
        return repository

    def _access(self, name: str) -> None:
        if (repository := self._repository(name)) is None:
            return
        if repository.gated and self.headers.get("Authorization") != "Bearer good":
            self._error(403, "GatedRepo", f"Access to model {name} is restricted.")
        else:
            self._send(b"{}")

    def _listing(self, name: str, revision: str | None) -> None:
        if (repository := self._repository(name)) is None:
            return
        if revision not in (None, "main", COMMIT):
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        siblings = [
            {
                "rfilename": file,
                "size": len(data),
                "blobId": hashlib.sha1(data).hexdigest(),
                "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134},
            }
            for file, data in repository.files.items()
        ]
        self._send(json.dumps({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _file(self, name: str, revision: str, file: str, *, first: int) -> None:
        if (repository := self._repository(name)) is None:
            return
        if repository.gated and self.headers.get("Authorization") != "Bearer good":
            self._error(401, "GatedRepo", f"Access to model {name} is restricted.")
            return
        if file not in repository.files:
            self._error(404, "EntryNotFound", "Entry not found")
            return
        data = repository.files[file]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Accept-Ranges": "bytes"}
        if file in repository.wrong:
            data = bytes([data[0] ^ 1]) + data[1:]
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self._send(data[first:], headers, status=206 if first else 200, cuts=repository.cut.get(file))

    def _send(
        self,
        data: bytes,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
        cuts: list[int] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cuts:
            data = data[: cuts.pop(0)]
            self.close_connection = True
        for start in range(0, len(data), _CHUNK):
            self.wfile.write(data[start : start + _CHUNK])
            self.state.bytes_sent += len(data[start : start + _CHUNK])

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._send(json.dumps({"error": message}).encode(), headers, status=status)
