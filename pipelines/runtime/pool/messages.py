"""Messages between the page's process and Ray's driver: a line of JSON and bytes. Nothing is pickled."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pipelines.runtime.pool.replica import Event

READY = 0
"""Number of the driver's first message, which says whether Ray was joined."""


def pack(number: int, kind: str, value: Any = None, payload: bytes = b"") -> bytes:
    """A message of request ``number``; ``value`` is anything that JSON holds."""
    return json.dumps([number, kind, value]).encode() + b"\n" + payload


def unpack(message: bytes) -> tuple[int, str, Any, bytes]:
    head, _, payload = message.partition(b"\n")
    number, kind, value = json.loads(head)
    return number, kind, value, payload


def pack_event(number: int, event: Event) -> bytes:
    """An event of a replica. Files and early frames (H,W,3 uint8) travel as bytes."""
    kind, value = event
    if isinstance(value, bytes):
        return pack(number, "bytes", kind, value)
    preview = value.get("preview") if isinstance(value, dict) else None
    if preview is None:
        return pack(number, "value", [kind, value])
    frame = np.ascontiguousarray(preview, np.uint8)
    return pack(number, "preview", [kind, value | {"preview": None}, frame.shape], frame.tobytes())


def unpack_event(kind: str, value: Any, payload: bytes) -> Event:
    if kind == "bytes":
        return value, payload
    if kind == "value":
        name, plain = value
        return name, plain
    name, plain, shape = value
    return name, plain | {"preview": np.frombuffer(payload, np.uint8).reshape(shape)}
