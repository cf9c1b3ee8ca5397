"""Opens picture files safely: format by content, from a fixed list, with a size limit."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path

from PIL import ExifTags, Image

from camera.errors import InputError, damage_errors, reading
from camera.formats.content import LOOKED_AT, kind_of_bytes
from pipelines.media.budget import BUDGET

MAX_MEGAPIXELS = BUDGET.megapixels
LEAST_SIDE = 16
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "HEIF")
"""Formats that Pillow may open, by content regardless of the name: some of its other formats start programs."""


def open_picture_file(path: str | os.PathLike, *, least: int = LEAST_SIDE) -> Image.Image:
    """Open a picture file without decoding it; raises `InputError` if it is not a picture, has a side below ``least`` pixels or is too large."""
    if not Path(path).is_file():
        raise InputError(f"There is no file {Path(path).name}.")
    _register_heif()
    try:
        image = Image.open(path, formats=PICTURE_FORMATS)
    except damage_errors() as error:
        raise InputError(
            f"{Path(path).name} cannot be read as a picture{_describe_content(Path(path))}; use a PNG, JPEG, WebP, AVIF or HEIC file."
        ) from error
    check_size(*image.size, Path(path), least=least)
    return image


_OTHERS = {
    ".npz": "an npz of arrays; open it as depth map or views", ".npy": "an npy array; open it as depth map",
    ".exr": "an EXR file; open it as depth map", ".pfm": "a float map; open it as depth map",
    ".mp4": "a video; open it as clip", ".mov": "a video; open it as clip", ".webm": "a video; open it as clip",
    ".avi": "a video; open it as clip", ".zip": "a zip; open it as views", ".json": "text", ".txt": "text", ".xml": "XML or SVG",
    ".glb": "a mesh", ".obj": "a mesh", ".ply": "a mesh", ".tif": "a raw or damaged TIFF file", "": "of an unknown kind",
}  # fmt: skip
"""Descriptions of files that are not pictures, and where they belong."""


def _describe_content(path: Path) -> str:
    """A description of the content, for the end of a sentence."""
    with path.open("rb") as source:
        head = source.read(LOOKED_AT)
    if not head:
        return " because it is empty"
    kind = kind_of_bytes(path.read_bytes() if head.startswith(b"PK") else head)
    return f" because it is {_OTHERS[kind]}" if kind in _OTHERS else ""


@lru_cache(maxsize=1)
def _register_heif() -> None:
    """Register libheif for HEIC. Other contents of such a file (thumbnails, depth, gain maps) are ignored."""
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def load(image: Image.Image, path: str | os.PathLike) -> None:
    """Decode; raises `InputError` for a damaged file."""
    with reading(f"{Path(path).name} is truncated or damaged; export it again."):
        image.load()


def scale_towards(image: Image.Image, side: int) -> Image.Image:
    """A decoded picture, shrunk by a whole factor if its longest side is at least twice ``side``, but never below ``side``.

    Works in stripes, so that no second copy of the picture's size is needed; averages weight colours by their opacity.
    """
    factor = max(image.size) // side
    if factor < 2:
        return image
    width, height = (math.ceil(each / factor) for each in image.size)
    rows = max(1, _STRIPE_PIXELS // (image.width * factor)) * factor
    scaled = None
    for top in range(0, image.height, rows):
        stripe = image.crop((0, top, image.width, min(top + rows, image.height)))
        stripe = _averageable(stripe).reduce(factor)
        scaled = scaled or Image.new(stripe.mode, (width, height))
        scaled.paste(stripe, (0, top // factor))
    assert scaled is not None
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    scaled.info = {key: value for key, value in image.info.items() if key != "transparency"} | {"exif": tags.tobytes()}
    return scaled


_STRIPE_PIXELS = 1 << 18
"""Number of pixels that are scaled at once."""


def _averageable(image: Image.Image) -> Image.Image:
    """Convert to a mode whose values may be averaged: no palette, no transparent colour, no 16-bit integers."""
    if image.mode.startswith("I;"):
        return image.convert("I")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert({"1": "L", "P": "RGB", "PA": "RGBA"}.get(image.mode, image.mode))


def check_size(width: int, height: int, path: Path, *, least: int = LEAST_SIDE) -> None:
    """Raise `InputError` for more than `MAX_MEGAPIXELS` and for sides below ``least`` pixels."""
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise InputError(
            f"{path.name} has {width} x {height} pixels; scale it down to at most {MAX_MEGAPIXELS} megapixels."
        )
    if min(width, height) < least:
        raise InputError(f"{path.name} is only {width} x {height} pixels; both sides need at least {least}.")
