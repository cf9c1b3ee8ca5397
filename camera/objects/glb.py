"""Contents of a GLB file: JSON description, arrays, pictures and materials. Also joins several files into one GLB.

Opens nothing outside the file and validates all sizes against the actual data.
Source: Khronos glTF 2.0 specification, sections 3.6, 3.9 and 4; extensions KHR_texture_transform, KHR_mesh_quantization,
EXT_texture_webp.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, damage_errors, reading
from camera.objects.material import PLAIN, Material, material

_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
FOLLOWED = (
    "KHR_texture_transform", "KHR_mesh_quantization", "EXT_texture_webp", "EXT_mesh_gpu_instancing", "KHR_node_visibility",
    "KHR_materials_unlit", "KHR_materials_pbrSpecularGlossiness", "KHR_materials_emissive_strength",
)  # fmt: skip
"""Supported extensions. A file that requires another one is refused; one that only uses it is noted."""
TEXTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF")
"""Formats that Pillow may read, detected by content: some of its other formats start programs."""
LARGEST_TEXTURE = 64_000_000
"""In pixels per texture."""
MOST_NUMBERS = 1 << 28
"""Per array."""


@dataclass(frozen=True, eq=False)
class GltfFile:
    """A file's description and its binary part; created by `open_glb`."""

    name: str
    about: dict[str, Any]
    binary: bytes

    def view(self, number: int) -> bytes:
        view = self.about["bufferViews"][number]
        start = view.get("byteOffset", 0)
        return self.binary[start : start + view["byteLength"]]

    def array(self, number: int) -> NDArray[Any]:
        """(N,width): an accessor's array; normalised integers become 0..1 or -1..1."""
        accessor = self.about["accessors"][number]
        kind, width, count = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]], accessor["count"]
        if "bufferView" in accessor:
            raw = self._raw(accessor["bufferView"], accessor.get("byteOffset", 0), kind, width, count)
        else:
            if not 0 < count * width <= MOST_NUMBERS:
                raise InputError(
                    f"{self.name} announces an array of {count} values that it does not contain; export it again."
                )
            raw = np.zeros((count, width), kind)
        if "sparse" in accessor:
            raw = self._fill_sparse(raw, accessor["sparse"])
        if accessor.get("normalized"):
            return np.maximum(raw / np.iinfo(kind).max, -1.0)
        return raw

    def _raw(self, view: int, offset: int, kind: np.dtype, width: int, count: int) -> NDArray[Any]:
        about = self.about["bufferViews"][view]
        start = about.get("byteOffset", 0) + offset
        stride = about.get("byteStride", kind.itemsize * width)
        whole = start >= 0 and stride >= kind.itemsize * width
        if count < 1 or not whole or start + (count - 1) * stride + kind.itemsize * width > len(self.binary):
            raise InputError(f"{self.name} is cut off: an array reaches beyond its end; export it again.")
        return np.ndarray((count, width), kind, self.binary, start, (stride, kind.itemsize))

    def _fill_sparse(self, raw: NDArray[Any], sparse: dict[str, Any]) -> NDArray[Any]:
        """Apply the values of a sparse accessor."""
        count, indices, values = sparse["count"], sparse["indices"], sparse["values"]
        kind = np.dtype(_TYPES[indices["componentType"]])
        positions = self._raw(indices["bufferView"], indices.get("byteOffset", 0), kind, 1, count)[:, 0].astype(
            np.int64
        )
        if positions.min() < 0 or positions.max() >= len(raw):
            raise InputError(f"{self.name} has a sparse array with indices out of range; export it again.")
        whole = raw.copy()
        whole[positions] = self._raw(values["bufferView"], values.get("byteOffset", 0), raw.dtype, raw.shape[1], count)
        return whole

    def material(self, number: int | None) -> Material:
        if number is None:
            return PLAIN
        try:
            return material(self.about["materials"][number], self.about.get("textures", []), self._image)
        except InputError as error:
            raise InputError(f"In {self.name}: {error}") from error

    def _image(self, number: int) -> NDArray[np.uint8]:
        return _picture(self.view(self.about["images"][number]["bufferView"]), self.name)


def open_glb(data: bytes, name: str) -> GltfFile:
    """Open a self-contained GLB file of version 2. Raises `InputError`; damaged contents raise Python's own exceptions."""
    about, binary = chunks(data, name)
    for part in (*about.get("buffers", []), *about.get("images", [])):
        if "uri" in part and not str(part["uri"]).startswith("data:"):
            raise InputError(
                f"{name} refers to files outside itself; export it as one binary GLB, or give all its files together."
            )
    for needed in about.get("extensionsRequired", []):
        if needed not in FOLLOWED:
            raise InputError(f"{name} needs {needed}, which is not read here; export it without that extension.")
    if any("uri" in part for part in (*about.get("buffers", []), *about.get("images", []))):
        binary = _join_buffers(about, binary, name, {})
    return GltfFile(name, about, binary)


def check_picture(data: bytes, name: str) -> None:
    """Raise `InputError` for data that is not a picture, or for a picture that is too large."""
    from PIL import Image

    with (
        reading(f"A texture of {name} cannot be read; export it with PNG or JPEG textures."),
        Image.open(io.BytesIO(data), formats=TEXTURE_FORMATS) as image,
    ):
        if image.width * image.height > LARGEST_TEXTURE:
            raise InputError(f"A texture of {name} is {image.width} x {image.height}; scale it down to 8192 a side.")


@lru_cache(maxsize=8)
def _picture(data: bytes, name: str) -> NDArray[np.uint8]:
    from PIL import Image

    check_picture(data, name)
    with (
        reading(f"A texture of {name} cannot be read; export it with PNG or JPEG textures."),
        Image.open(io.BytesIO(data), formats=TEXTURE_FORMATS) as image,
    ):
        return np.array(image.convert("RGB"))


def chunks(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """The description and the binary part of a GLB file. Raises `InputError`."""
    wrong = InputError(f"{name} is not a binary glTF 2 file; export it as GLB.")
    if len(data) < 20 or struct.unpack_from("<II", data) != (_MAGIC, 2):
        raise wrong
    parts, at = {}, 12
    while at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        parts.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length
    try:
        about = json.loads(parts[_JSON])
    except damage_errors() as error:
        raise wrong from error
    if not isinstance(about, dict):
        raise wrong
    return about, parts.get(_BINARY, b"")


# --- several files ---------------------------------------------------------------------------------------------------


def one_glb(text: bytes, name: str, files: Mapping[str, bytes]) -> bytes:
    """Convert a ``.gltf`` with its buffers and pictures, from ``files`` by name or embedded in the text, to one GLB.

    Raises `InputError` for a file that is missing.
    """
    with reading(f"{name} is not a whole glTF file; export it again."):
        about = json.loads(text)
        binary = _join_buffers(about, b"", name, files)
    return pack_glb(about, binary)


def _join_buffers(about: dict[str, Any], own: bytes, name: str, files: Mapping[str, bytes]) -> bytes:
    """Join all buffers and pictures into one binary part, and make ``about`` refer to it. ``own``: the GLB's own binary part."""
    binary, starts = bytearray(), []
    for buffer in about.get("buffers", []):
        starts.append(len(binary))
        data = (_read_uri(buffer["uri"], name, files) if "uri" in buffer else own)[: buffer["byteLength"]]
        binary += data + b"\0" * (-len(data) % 4)
    views = about.setdefault("bufferViews", [])
    for view in views:
        view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
        view["buffer"] = 0
    for image in about.get("images", []):
        if "uri" not in image:
            continue
        data = _read_uri(image.pop("uri"), name, files)
        image["bufferView"] = len(views)
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        binary += data + b"\0" * (-len(data) % 4)
    about["buffers"] = [{"byteLength": len(binary)}]
    return bytes(binary)


def pack_glb(about: dict[str, Any], binary: bytes) -> bytes:
    """Pack a description and a binary part into a GLB."""
    head = json.dumps(about).encode()
    head += b" " * (-len(head) % 4)
    body = struct.pack("<II", len(head), _JSON) + head + struct.pack("<II", len(binary), _BINARY) + binary
    return struct.pack("<III", _MAGIC, 2, 12 + len(body)) + body


def _read_uri(uri: str, name: str, files: Mapping[str, bytes]) -> bytes:
    if uri.startswith("data:"):
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise InputError(f"{name} holds damaged data; export it again.") from error
    wanted = PurePath(unquote(uri).replace("\\", "/")).name
    for known, data in files.items():
        if PurePath(known).name == wanted:
            return data
    raise InputError(f"{name} needs {wanted}, which was not given; give it too, or export one binary GLB.")
