"""Splats as binary glTF with ``KHR_gaussian_splatting`` (Khronos, review draft): exact, and points where it is not known.

glTF is y up, the world here y down: the node turns all by half a turn about x, and the Gaussians stay as they are.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.reconstruct.gaussians.splats import Splats

EXTENSION = "KHR_gaussian_splatting"
FLOAT, BYTE, POINTS = 5126, 5121, 0
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}


def glb_bytes(splats: Splats) -> bytes:
    """The file of ``splats``: kernel ``ellipse``, colours of sRGB as trained, all in float32."""
    unit = splats.quaternions / np.linalg.norm(splats.quaternions, axis=1, keepdims=True)
    shown = np.concatenate([splats.colours, splats.opacities[:, None]], axis=1)
    arrays: dict[str, NDArray] = {
        "POSITION": splats.means,
        "COLOR_0": np.rint(shown * 255).astype(np.uint8),
        f"{EXTENSION}:ROTATION": np.roll(unit, -1, axis=1).astype(np.float32),
        f"{EXTENSION}:SCALE": splats.log_scales,
        f"{EXTENSION}:OPACITY": splats.opacities,
    }
    for degree in range(splats.degree + 1):
        for number in range(2 * degree + 1):
            arrays[f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{number}"] = splats.sh[:, degree**2 + number]
    return _packed(arrays)


def _packed(arrays: dict[str, NDArray]) -> bytes:
    views: list[dict[str, int]] = []
    accessors: list[dict[str, Any]] = []
    body: list[bytes] = []
    start = 0
    for name, values in arrays.items():
        data = np.ascontiguousarray(values).tobytes()
        accessor: dict[str, Any] = {
            "bufferView": len(views),
            "componentType": BYTE if values.dtype == np.uint8 else FLOAT,
            "count": len(values),
            "type": _TYPES[1 if values.ndim == 1 else values.shape[1]],
        }
        if values.dtype == np.uint8:
            accessor["normalized"] = True
        if name == "POSITION":
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        views.append({"buffer": 0, "byteOffset": start, "byteLength": len(data)})
        accessors.append(accessor)
        body.append(data)
        start += len(data)
    how = {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    document = {
        "asset": {"version": "2.0", "generator": "Reshoot"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "splats", "mesh": 0, "rotation": [1.0, 0.0, 0.0, 0.0]}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {name: index for index, name in enumerate(arrays)},
                        "mode": POINTS,
                        "extensions": {EXTENSION: how},
                    }
                ]
            }
        ],
        "buffers": [{"byteLength": start}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    body.append(b"\0" * (-start % 4))
    data = b"".join(body)
    whole = struct.pack("<III", 0x46546C67, 2, 12 + 8 + len(text) + 8 + len(data))
    return whole + struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
