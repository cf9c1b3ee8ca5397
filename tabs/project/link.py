"""A shot as text in a URL."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from camera.errors import InputError

LONGEST_LINK = 4000
"""Maximum number of characters that browsers and chat windows accept."""


def encode_link(shot: dict[str, Any]) -> str:
    """A shot as text for a URL; raises `InputError` if it is too long."""
    text = base64.urlsafe_b64encode(zlib.compress(json.dumps(shot, separators=(",", ":")).encode(), 9)).decode()
    if len(text) > LONGEST_LINK:
        raise InputError("This shot is too long for a link (its prompt, most likely); send the result's mp4 instead.")
    return text


def decode_link(text: str) -> dict[str, Any]:
    """The shot in a link; raises `InputError` for anything else."""
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(base64.urlsafe_b64decode((text or "")[:LONGEST_LINK].encode()), 64 * LONGEST_LINK)
        shot = json.loads(plain)
        if isinstance(shot, dict) and isinstance(shot.get("controls"), dict) and isinstance(shot.get("method"), str):
            return shot
    except (ValueError, zlib.error, RecursionError):
        pass
    raise InputError("This link is incomplete or damaged; ask the sender for it again.")
