"""Pictures and depth maps from people's files; pictures as PNG."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from camera.errors import InputError, damaged, reading
from pipelines.media import containers
from pipelines.media.budget import BUDGET

MAX_MEGAPIXELS = BUDGET.megapixels
WORKING_SIDE = 1920
"""Longest side a picture keeps: more than any of the methods sees."""

PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
"""What Pillow may read, by content and whatever the name: some of its other formats start programs."""

DepthMeaning = Literal["metres", "distance", "disparity"]
"""What the numbers of a depth map are: metres along z; any unit along z; or nearness (large is near)."""


@dataclass(frozen=True, eq=False)
class Picture:
    """``colour`` (H,W,3) uint8 RGB, upright; ``fov_degrees`` horizontal from EXIF, or None."""

    colour: NDArray[np.uint8]
    fov_degrees: float | None


def read_picture(path: str | os.PathLike) -> Picture:
    """Any picture file to upright RGB; transparency is laid on white, long sides are scaled to `WORKING_SIDE`.

    The size is checked before anything is decoded. Raises `InputError` for what cannot be used.
    """
    with _opened(path) as image:
        image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
        _load(image, path)
        fov = _exif_fov(image)
        image = ImageOps.exif_transpose(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        elif image.mode.startswith(("I", "F")):
            image = _scaled_to_bytes(image)
        image = image.convert("RGB")
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS)
        _check_size(*image.size, Path(path))
        return Picture(np.array(image), fov)


def png(picture: NDArray[np.uint8]) -> bytes:
    """RGB (H,W,3) as a PNG file: lossless, packed as quickly as it packs well."""
    import cv2

    done, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be written as PNG")
    return data.tobytes()


def read_depth(path: str | os.PathLike, meaning: DepthMeaning, *, scale: float = 1.0) -> NDArray[np.float32]:
    """A depth map (H,W) float32 along z from 8/16-bit PNG or TIFF, EXR or npy; NaN where there is none.

    ``scale`` multiplies the stored numbers (0.001 for millimetres). Disparity is turned into distance so that the
    nearest point lies at 1; its zero becomes "no depth".
    """
    values = _stored_depth(Path(path))
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan).astype(np.float32) * np.float32(scale)
    if not np.isfinite(values).any():
        raise InputError(f"{Path(path).name} holds no positive finite number, so it cannot be a depth map.")
    return from_disparity(values) if meaning == "disparity" else values


def from_disparity(
    disparity: NDArray[np.float32], *, nearest: float = 1.0, farthest: float = 40.0
) -> NDArray[np.float32]:
    """Nearness (H,W), any scale, to distance between ``nearest`` and at most ``farthest``; NaN stays NaN."""
    largest = np.nanmax(disparity)
    share = np.clip(disparity / largest, nearest / farthest, 1)
    return (nearest / share).astype(np.float32)


def _stored_depth(path: Path) -> NDArray[np.float32]:
    if path.suffix.lower() == ".npy":
        return _numpy_depth(path)
    if path.suffix.lower() == ".exr":
        return _exr_depth(path)
    with _opened(path) as image:
        _load(image, path)
        if image.mode in ("P", "RGB", "RGBA", "LA"):
            image = image.convert("L")
        values = np.array(image)
    return values.astype(np.float32)


def _numpy_depth(path: Path) -> NDArray[np.float32]:
    with reading(f"{path.name} is not a plain numpy array; save the depth with numpy.save as float32."):
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    values = (
        values.reshape(values.shape[-2:]) if values.ndim > 2 and values.size == np.prod(values.shape[-2:]) else values
    )
    if values.ndim != 2 or values.dtype.kind not in "fiu" or values.size > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"{path.name} must hold one depth map of shape (H,W); it holds {values.shape} of {values.dtype}."
        )
    return np.array(values, dtype=np.float32)


def _exr_depth(path: Path) -> NDArray[np.float32]:
    """Through PyAV, whose FFmpeg reads OpenEXR; the first channel is the depth."""

    with (
        reading(f"{path.name} cannot be read as an EXR picture; export it as 16-bit PNG or npy."),
        containers.opened(path, "exr") as container,
    ):
        frame = next(container.decode(video=0))
    _check_size(frame.width, frame.height, path)
    if "f16" in frame.format.name:
        return _half_plane(frame)
    values = frame.to_ndarray()
    return np.asarray(values if values.ndim == 2 else values[..., 0], dtype=np.float32)


def _half_plane(frame: Any) -> NDArray[np.float32]:
    """(H,W) of a picture in half precision, as ViPE writes it: grey, or the red of colours; PyAV itself converts none."""
    name = frame.format.name
    plane = frame.planes[2 if name.startswith("gb") else 0]
    values = np.frombuffer(memoryview(plane), "<f2" if name.endswith("le") else ">f2")
    return values.reshape(plane.height, -1)[:, : frame.width].astype(np.float32)


def _opened(path: str | os.PathLike) -> Image.Image:
    try:
        image = Image.open(path, formats=PICTURE_FORMATS)
    except damaged() as error:
        kind = " (HEIC is not read here)" if Path(path).suffix.lower() in (".heic", ".heif") else ""
        raise InputError(
            f"{Path(path).name} cannot be read as a picture{kind}; give a PNG, JPEG, WebP or AVIF file."
        ) from error
    _check_size(*image.size, Path(path))
    return image


def _load(image: Image.Image, path: str | os.PathLike) -> None:
    with reading(f"{Path(path).name} breaks off or is damaged; export it again."):
        image.load()


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"{path.name} has {width} x {height} pixels; scale it down to at most {MAX_MEGAPIXELS} megapixels."
        )
    if min(width, height) < 16:
        raise InputError(f"{path.name} is only {width} x {height} pixels; at least 16 a side are needed.")


def _scaled_to_bytes(image: Image.Image) -> Image.Image:
    values = np.array(image, dtype=np.float64)
    span = max(np.ptp(values), 1e-12)
    return Image.fromarray((255 * (values - values.min()) / span).astype(np.uint8))


def _exif_fov(image: Image.Image) -> float | None:
    """Horizontal field of view from the 35 mm equivalent focal length; the equivalence is of the diagonal."""
    focal_35mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    if not focal_35mm or not 5 <= float(focal_35mm) <= 1000:
        return None
    width, height = image.size
    if image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
        width, height = height, width
    half_width_mm = np.hypot(36, 24) / 2 * width / np.hypot(width, height)
    return float(np.degrees(2 * np.arctan(half_width_mm / float(focal_35mm))))
