"""ZeroGPU without a GPU: the real `spaces` package (its decorator, worker processes, queues and client) on a CPU.

Only two parts are replaced: the service that allocates GPUs (by a real HTTP server on loopback, below) and the CUDA
emulation, which needs a CUDA build of torch: workers start with nothing to move.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import ModuleType
from urllib.parse import parse_qs, urlsplit


@dataclass
class Service:
    """``left``: quota of every visitor in seconds. ``longest``: longer durations are illegal. ``log``: the requests."""

    left: int = 10_000
    longest: int = 3600
    log: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def names(self) -> list[str]:
        return [name for name, _ in self.log]

    def answer(self, name: str, query: dict[str, str]) -> tuple[int, object]:
        with self.lock:
            self.log.append((name, query))
            if name == "schedule":
                return self._schedule(int(query["durationSeconds"]))
            if name == "release":
                self.busy.discard(query["allowToken"])
        return 200, {}

    def _schedule(self, seconds: int) -> tuple[int, object]:
        if seconds > self.longest:
            return 429, {"left": self.left, "wait": -1}
        if seconds > self.left:
            return 429, {"left": self.left, "wait": 3600}
        token = f"token-{len(self.log)}"
        idle = not self.busy
        self.busy.add(token)
        return 200, {"idle": idle, "nvidiaIndex": 0, "nvidiaUUID": "MIG-0", "allowToken": token}


@contextmanager
def zerogpu() -> Iterator[tuple[ModuleType, Service]]:
    """`pipelines.runtime.zerogpu` as it is on a ZeroGPU Space, and the service behind it."""
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    sys.modules.setdefault("spaces.zero.torch", _no_cuda())
    import spaces
    import spaces.zero as zero
    from spaces.config import Config

    zero.torch = sys.modules["spaces.zero.torch"]
    assert spaces.GPU
    Config.zero_gpu, Config.zero_device_api_url = True, f"http://127.0.0.1:{server.server_address[1]}"
    try:
        name = "pipelines.runtime.zerogpu"
        module = importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)
        yield module, service
    finally:
        Config.zero_gpu, Config.zero_device_api_url = False, None
        server.shutdown()
        server.server_close()
        importlib.reload(module)


def _no_cuda() -> ModuleType:
    module = ModuleType("spaces.zero.torch")

    def nothing(*arguments: object, **options: object) -> int:
        return 0

    for name in ("enter_mode", "patch", "unpatch", "pack", "init", "size", "move", "is_in_bad_fork"):
        setattr(module, name, nothing)
    return module


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            status, body = service.answer(url.path.strip("/"), query)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
