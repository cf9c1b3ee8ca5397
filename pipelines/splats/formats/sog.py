"""SOG, PlayCanvas' format of splats as images: a zip of lossless WebP, about a fifth of a ``.ply``. Version 2.

Positions are 16 bits on a logarithmic scale, rotations the three smaller components in a byte each, scales and colours indices
into a codebook of 256, harmonics indices into a palette of up to 65,536. Layout from PlayCanvas' public description
(developer.playcanvas.com, "SOG format"). The available libraries are not suitable: gsply reads SOG with a large additional
image decoder, and does not write it; sogpy swaps colours and coefficients of the harmonics.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.content import read_member
from pipelines.splats.files import MOST_SPLATS
from pipelines.splats.splats import Splats

PALETTE = 1 << 16
"""Maximum number of palette entries for harmonics in a file; more Gaussians share them."""
_ROW = 64
"""Palette entries per row of its image."""
_BANDS = {1: 3, 2: 8, 3: 15}
_TAG = 252
"""Alpha value of a rotation, to which the index of its largest component is added."""
_MOST_BYTES = 1 << 31


def sog_bytes(splats: Splats) -> bytes:
    """The file, in the axes of ``splats``; colours are exact to one level in the displayable range, and to two outside it."""
    width = int(np.ceil(np.sqrt(len(splats)) / 4)) * 4
    height = int(np.ceil(len(splats) / width / 4)) * 4
    files: dict[str, bytes] = {}

    def keep(name: str, values: NDArray) -> list[str]:
        files[name] = _webp(values, width, height)
        return [name]

    logs = np.sign(splats.means) * np.log1p(np.abs(splats.means.astype(np.float64)))
    low, high = logs.min(axis=0), logs.max(axis=0)
    fixed = np.rint((logs - low) / np.where(high > low, high - low, 1) * 65535).astype(np.uint16)
    scale_book, scales = _book(splats.log_scales)
    colour_book, colours = _book(splats.sh[:, 0])
    alpha = np.rint(splats.opacities[:, None] * 255)
    meta: dict[str, Any] = {
        "version": 2,
        "asset": {"generator": "Reshoot"},
        "count": len(splats),
        "means": {
            "mins": low.tolist(), "maxs": high.tolist(),
            "files": keep("means_l.webp", fixed & 255) + keep("means_u.webp", fixed >> 8),
        },
        "scales": {"codebook": scale_book, "files": keep("scales.webp", scales)},
        "quats": {"files": keep("quats.webp", _smallest_three(splats.quaternions))},
        "sh0": {"codebook": colour_book, "files": keep("sh0.webp", np.concatenate([colours, alpha], axis=1))},
    }  # fmt: skip
    if splats.degree:
        meta["shN"], more = _harmonics(splats, width, height)
        files |= more
    return _zip_files(meta, files)


def read_sog(data: bytes, name: str = "scene.sog") -> Splats:
    """Splats of a SOG file of version 2, in its own axes. Raises `InputError`."""
    with reading(f"{name} is not a complete SOG file; export it again, or as .ply."):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise InputError(f"{name} unpacks to more than {_MOST_BYTES >> 30} GiB; use a smaller file.")
            files = {entry.filename: read_member(archive, entry) for entry in archive.infolist() if not entry.is_dir()}
        meta = json.loads(files["meta.json"])
        if meta.get("version") != 2:
            raise InputError(f"{name} is SOG of version {meta.get('version', 1)}; export it with a current version.")
        count = int(meta["count"])
        if not 0 < count <= MOST_SPLATS:
            raise InputError(f"{name} states {count} Gaussians; 1 to {MOST_SPLATS} are supported.")
        return _read(meta, files, count)


def _read(meta: dict[str, Any], files: dict[str, bytes], count: int) -> Splats:
    def pixels(part: str, number: int = 0) -> NDArray[np.uint8]:
        found = _picture(files[meta[part]["files"][number]]).reshape(-1, 4)
        if len(found) < count:
            raise ValueError(f"{part} has too few pixels")
        return found[:count]

    low, high = (np.asarray(meta["means"][end], np.float64) for end in ("mins", "maxs"))
    fixed = pixels("means")[:, :3].astype(np.int64) + (pixels("means", 1)[:, :3].astype(np.int64) << 8)
    logs = low + fixed / 65535 * (high - low)
    opacity = np.clip(pixels("sh0")[:, 3] / 255.0, 1e-4, 1 - 1e-4)
    constant = np.asarray(meta["sh0"]["codebook"], np.float32)[pixels("sh0")[:, :3]]
    sh = constant[:, None]
    if "shN" in meta:
        sh = np.concatenate([sh, _read_harmonics(meta["shN"], files, pixels("shN", 1))], axis=1)
    return Splats(
        (np.sign(logs) * np.expm1(np.abs(logs))).astype(np.float32),
        _quaternions(pixels("quats")),
        np.asarray(meta["scales"]["codebook"], np.float32)[pixels("scales")[:, :3]],
        np.log(opacity / (1 - opacity)).astype(np.float32),
        sh,
    )


def _book(values: NDArray[np.float32]) -> tuple[list[float], NDArray[np.uint8]]:
    """A codebook of 256 evenly spaced values, which bounds the error everywhere, and each value's index."""
    low, high = float(values.min()), float(values.max())
    step = (high - low) / 255 or 1.0
    return (low + step * np.arange(256)).tolist(), np.rint((values - low) / step).astype(np.uint8)


def _smallest_three(quaternions: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(N,4): three components of wxyz in bytes, and the index of the omitted one."""
    unit = quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)
    largest = np.abs(unit).argmax(axis=1)
    unit = unit * np.where(np.take_along_axis(unit, largest[:, None], 1) < 0, -1, 1)
    smallest = unit[np.arange(4) != largest[:, None]].reshape(-1, 3)
    return np.concatenate([np.rint((smallest / np.sqrt(2) + 0.5) * 255), largest[:, None] + _TAG], 1).astype(np.uint8)


def _quaternions(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    largest = pixels[:, 3].astype(np.int64) - _TAG
    if largest.min() < 0:
        raise ValueError("a rotation does not say which component is omitted")
    smallest = (pixels[:, :3] / 255.0 * 2 - 1) / np.sqrt(2)
    left = np.sqrt(np.maximum(1 - (smallest**2).sum(axis=1), 0))
    quaternions = np.empty((len(pixels), 4), np.float32)
    quaternions[np.arange(4) != largest[:, None]] = smallest.ravel()
    quaternions[np.arange(len(pixels)), largest] = left
    return quaternions


# --- harmonics: a palette of whole sets, each number a place in a codebook -------------------------------------------


def _harmonics(splats: Splats, width: int, height: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    sets = splats.sh[:, 1:].reshape(len(splats), -1)
    palette, places = (sets, np.arange(len(sets))) if len(sets) <= PALETTE else _share_sets(sets)
    book, values = _book(palette)
    rows = -(-len(palette) // _ROW)
    picture = np.zeros((rows * _ROW, splats.sh.shape[1] - 1, 3), np.uint8)
    picture[: len(palette)] = values.reshape(len(palette), -1, 3)
    labels = np.stack([places & 255, places >> 8, np.zeros_like(places)], axis=1)
    files = {
        "shN_centroids.webp": _webp(picture.reshape(-1, 3), _ROW * picture.shape[1], rows),
        "shN_labels.webp": _webp(labels, width, height),
    }
    return {"count": len(palette), "bands": splats.degree, "codebook": book, "files": list(files)}, files


def _share_sets(sets: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A palette of 4096 sets: means of clusters around randomly chosen sets; and each Gaussian's nearest."""
    rng = np.random.default_rng(0)
    palette = sets[rng.choice(len(sets), 4096, replace=False)]
    sample = sets[rng.choice(len(sets), PALETTE, replace=False)]
    for _ in range(4):
        nearest = _nearest(sample, palette)
        counts = np.bincount(nearest, minlength=len(palette))
        order = np.argsort(nearest, kind="stable")
        filled = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[filled]
        palette[filled] = np.add.reduceat(sample[order], starts, axis=0) / counts[filled, None]
    return palette, _nearest(sets, palette)


def _nearest(sets: NDArray[np.float32], palette: NDArray[np.float32]) -> NDArray[np.int64]:
    half = (palette**2).sum(axis=1) / 2
    return np.concatenate(
        [(half - part @ palette.T).argmin(axis=1) for part in np.array_split(sets, len(sets) // 4096 + 1)]
    )


def _read_harmonics(about: dict[str, Any], files: dict[str, bytes], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N,K,3) harmonics for labels (N,4)."""
    coefficients = _BANDS[about["bands"]]
    palette = _picture(files[about["files"][0]]).reshape(-1, coefficients, 4)[..., :3]
    places = labels[:, 0].astype(np.int64) + (labels[:, 1].astype(np.int64) << 8)
    return np.asarray(about["codebook"], np.float32)[palette[places]]


# --- pictures and the zip --------------------------------------------------------------------------------------------


def _webp(values: NDArray, width: int, height: int) -> bytes:
    """(N,3) or (N,4) bytes as an image, row by row; unused pixels are opaque, so that no decoder changes colours."""
    from PIL import Image

    pixels = np.zeros((width * height, 4), np.uint8)
    pixels[:, 3] = 255
    pixels[: len(values), : values.shape[1]] = values
    written = io.BytesIO()
    Image.fromarray(pixels.reshape(height, width, 4), "RGBA").save(written, "WEBP", lossless=True, exact=True)
    return written.getvalue()


def _picture(data: bytes) -> NDArray[np.uint8]:
    """(H,W,4) from a WebP image."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        return np.array(image.convert("RGBA"))


def _zip_files(meta: dict[str, Any], files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {"meta.json": json.dumps(meta).encode(), **files}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()
