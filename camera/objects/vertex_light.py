"""Converts vertex colours of our own GLB files to linear colours on an unlit material, as glTF defines them.

Mesh writers store sRGB colours in bytes; viewers that follow the specification then show them too bright, and a part without a
material as one-sided metal. Source: Khronos glTF 2.0 specification, sections 3.7.2.1 and 3.9.6; KHR_materials_unlit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.objects.glb import chunks, pack_glb
from camera.objects.material import linear_from_srgb

UNLIT = "KHR_materials_unlit"
_BYTE, _SHORT = 5121, 5123
_MATERIAL = {
    "name": "vertex colours", "doubleSided": True, "extensions": {UNLIT: {}},
    "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
}  # fmt: skip


def with_light_colours(data: bytes, name: str = "the GLB") -> bytes:
    """Convert 8-bit sRGB vertex colours of our own GLB to 16-bit linear colours on an unlit, two-sided material.

    Parts with a picture keep their material.
    """
    about, binary = chunks(data, name)
    replaced: dict[int, bytes] = {}
    for part in [part for mesh in about.get("meshes", []) for part in mesh["primitives"]]:
        number = part["attributes"].get("COLOR_0")
        if number is None:
            continue
        accessor = about["accessors"][number]
        if accessor["componentType"] == _BYTE:
            replaced[accessor["bufferView"]] = _to_light(about, binary, accessor).tobytes()
            accessor |= {"componentType": _SHORT, "normalized": True, "byteOffset": 0}
            for key in ("min", "max"):
                accessor.pop(key, None)
        if not any(name.startswith("TEXCOORD") for name in part["attributes"]):
            part["material"] = _add_plain_material(about)
    return pack_glb(about, _replace_views(about, binary, replaced))


def _to_light(about: dict[str, Any], binary: bytes, accessor: dict[str, Any]) -> NDArray[np.uint16]:
    """(V,3 or 4): linear colours; opacity is unchanged."""
    view, width = about["bufferViews"][accessor["bufferView"]], int(accessor["type"][-1])
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", width)
    stored = np.ndarray((accessor["count"], width), np.uint8, binary, start, (stride, 1)) / 255
    lit = np.concatenate([linear_from_srgb(stored[:, :3]), stored[:, 3:]], axis=1)
    padded = np.zeros((len(lit), 4), "<u2")  # rows are aligned to four bytes
    padded[:, :width] = np.rint(lit * 65535)
    view["byteStride"] = 8
    return padded


def _add_plain_material(about: dict[str, Any]) -> int:
    """The index of the material for vertex colours, which is added if there is none."""
    materials = about.setdefault("materials", [])
    if _MATERIAL not in materials:
        materials.append(_MATERIAL)
        about["extensionsUsed"] = sorted({*about.get("extensionsUsed", []), UNLIT})
    return materials.index(_MATERIAL)


def _replace_views(about: dict[str, Any], binary: bytes, replaced: dict[int, bytes]) -> bytes:
    """The binary part with some buffer views replaced."""
    result = bytearray()
    for number, view in enumerate(about["bufferViews"]):
        start = view.get("byteOffset", 0)
        data = replaced.get(number, binary[start : start + view["byteLength"]])
        view["byteOffset"], view["byteLength"] = len(result), len(data)
        result += data + b"\0" * (-len(data) % 4)
    about["buffers"] = [{"byteLength": len(result)}]
    return bytes(result)
