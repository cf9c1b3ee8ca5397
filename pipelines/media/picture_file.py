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
"""What Pillow may read, by content and whatever the name: some of its other formats start programs."""


def open_picture_file(path: str | os.PathLike, *, least: int = LEAST_SIDE) -> Image.Image:
    """Open a picture file without decoding it; raises `InputError` if it is not a picture, has a side below ``least`` pixels or is too large."""
    if not Path(path).is_file():
        raise InputError(f"There is no file {Path(path).name}.")
    _register_heif()
    try:
        image = Image.open(path, formats=PICTURE_FORMATS)
    except damage_errors() as error:
        raise InputError(
            f"{Path(path).name} cannot be read as a picture{_describe_content(Path(path))}; give a PNG, JPEG, WebP, AVIF or HEIC file."
        ) from error
    check_size(*image.size, Path(path), least=least)
    return image


_OTHERS = {
    ".npz": "an npz of arrays, which goes to the depth map or to the views", ".npy": "an npy array, which goes to the depth map",
    ".exr": "an EXR file, which goes to the depth map", ".pfm": "a float map, which goes to the depth map",
    ".mp4": "a video, which goes to the clip", ".mov": "a video, which goes to the clip", ".webm": "a video, which goes to the clip",
    ".avi": "a video, which goes to the clip", ".zip": "a zip, which goes to the views", ".json": "text", ".txt": "text", ".xml": "XML or SVG",
    ".glb": "a mesh", ".obj": "a mesh", ".ply": "a mesh", ".tif": "a raw or damaged TIFF file", "": "of no kind that is known",
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
    """HEIC, by libheif. What else such a file holds (thumbnails, depth, gain maps) stays closed."""
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def load(image: Image.Image, path: str | os.PathLike) -> None:
    """Decode; raises `InputError` for a damaged file."""
    with reading(f"{Path(path).name} breaks off or is damaged; export it again."):
        image.load()


def scale_towards(image: Image.Image, side: int) -> Image.Image:
    """A decoded picture, shrunk by a whole factor if its longest side is at least twice ``side``, but never below ``side``.

    Done in stripes, so that nothing as large as the picture is made beside it; averages weigh colours by their opacity.
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
"""Of a picture that are scaled at once."""


def _averageable(image: Image.Image) -> Image.Image:
    """The same in a mode whose values may be averaged: no palette, no transparent colour, no 16-bit integers."""
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
        raise InputError(f"{path.name} is only {width} x {height} pixels; at least {least} a side are needed.")
