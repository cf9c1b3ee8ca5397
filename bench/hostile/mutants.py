"""Damaged copies of a file: bytes, numbers in text, zip members, JSON values. The same number always gives the same copy."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from typing import Any

NUMBERS = (b"nan", b"1e400", b"-1", b"0", b"99999999999", b"1e-320", b"null", b"0x7f", b"-0", b"")
VALUES: tuple[Any, ...] = (None, {}, [], "x", "", -1, 0, 1e30, 10**30, True, [[]], [None], {"a": 1}, "\ud83d\ude00")
WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\x01\0\0\0\0\0\0\x80", b"\n\n", b"\xc3\x28")


def mutant(data: bytes, number: int) -> bytes:
    """The damaged copy with that number."""
    return _damage(data, random.Random(number))


def _damage(data: bytes, rng: random.Random) -> bytes:
    if data.startswith(b"PK\x03\x04") and rng.random() < 0.7:
        return _damage_member(data, rng)
    if data[:1] in b"{[" and data[:1] and rng.random() < 0.5:
        return _damage_value(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data = rng.choice(_CHANGES)(data, rng)
    return data


def with_false_size(archive: bytes, at: int, size: int) -> bytes:
    """A zip whose member number ``at`` is ``size`` zeros, while its directory says ten bytes."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        files = [(entry.filename, whole.read(entry)) for entry in whole.infolist()]
    files[at] = (files[at][0], bytes(size))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        for name, content in files:
            written.writestr(name, content)
        written.infolist()[at].file_size = 10
    return stream.getvalue()


def _damage_member(data: bytes, rng: random.Random) -> bytes:
    """Damage, drop, duplicate or rename one file of a zip, with a matching checksum."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    at = rng.randrange(len(files))
    name, content = files[at]
    how = rng.random()
    if how < 0.06:
        del files[at]
    elif how < 0.1:
        files[at] = (rng.choice(("x", name + "/", name.upper(), "../" + name, name[::-1])), content)
    else:
        files[at] = (name, _damage(content, rng))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for member, content in files:
            archive.writestr(member, content)
    return stream.getvalue()


def _damage_value(data: bytes, rng: random.Random) -> bytes:
    try:
        root = {"": json.loads(data)}
    except ValueError:
        return data
    places = _places(root)
    holder, key = rng.choice(places)
    if rng.random() < 0.2 and isinstance(holder, dict) and key:
        del holder[key]
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(root[""]).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def _flip_bit(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    at, changed = rng.randrange(len(data)), bytearray(data)
    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    """Overwrite bytes, more often near the beginning, where sizes are stored."""
    at = int(len(data) * rng.random() ** 3)
    word = rng.choice((*WORDS, rng.randbytes(4)))
    return data[:at] + word + data[at + len(word) :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: int(len(data) * rng.random())]


def _drop_part(data: bytes, rng: random.Random) -> bytes:
    begin, end = sorted(int((len(data) + 1) * rng.random()) for _ in range(2))
    return data[:begin] + data[min(end, begin + 64) :]


def _repeat_part(data: bytes, rng: random.Random) -> bytes:
    begin, end = sorted(int((len(data) + 1) * rng.random()) for _ in range(2))
    end = min(end, begin + 64)
    return data[:end] + data[begin:end] + data[end:]


def _change_number(data: bytes, rng: random.Random) -> bytes:
    """Change a number in text, or in the header of a binary file."""
    numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", data[:20_000]))
    if not numbers:
        return _flip_bit(data, rng)
    place = rng.choice(numbers)
    return data[: place.start()] + rng.choice(NUMBERS) + data[place.end() :]


_CHANGES = (_flip_bit, _overwrite, _cut, _drop_part, _repeat_part, _change_number)
