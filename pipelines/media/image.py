"""Reads pictures and depth maps from user files, and writes pictures as PNG."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from camera.errors import reading
from camera.formats import FileNote
from camera.formats.account import Account
from pipelines.media.colour import convert_to_srgb
from pipelines.media.depth_map.meanings import DepthMeaning, from_disparity
from pipelines.media.picture_file import check_size, load, open_picture_file, scale_towards
from pipelines.media.picture_tags import colour_tags, png_chunks

__all__ = ["Picture", "from_disparity", "png", "read_depth", "read_picture"]

MOST_ASPECT = 4.0
"""Larger pixel aspect ratios are assumed to be a wrong tag."""
WORKING_SIDE = 1920
"""Longest side of a loaded picture: more than any of the methods uses."""


@dataclass(frozen=True, eq=False)
class Picture:
    """``colour`` (H,W,3) uint8 sRGB, upright; ``fov_degrees`` horizontal from EXIF, or None.

    ``orientation``: EXIF's code for how the stored picture was rotated, 1 for not at all. ``notes``: which contents of the file
    were used or ignored, one sentence each.
    """

    colour: NDArray[np.uint8]
    fov_degrees: float | None
    orientation: int = 1
    notes: tuple[str, ...] = ()


def read_picture(path: str | os.PathLike) -> Picture:
    """Read any picture file as upright sRGB with square pixels; composites transparency over white and scales long sides to `WORKING_SIDE`.

    Applies colour profiles. The size is checked before decoding. Raises `InputError` for unusable files.
    """
    account = Account(Path(path).name)
    with open_picture_file(path) as image:
        image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
        load(image, path)
        with reading(f"{account.name} is truncated or damaged; export it again."):
            fov, orientation = _exif_fov(image), int(image.getexif().get(ExifTags.Base.Orientation, 1))
            _say_others(image, account)
            across, down = _density(image)[:: -1 if orientation >= 5 else 1]
            _say_chunks(Path(path), account)
            image = scale_towards(image, WORKING_SIDE)
        image = convert_to_srgb(ImageOps.exif_transpose(image), account, colour_tags(Path(path)))
        image = _square(image, across, down, account)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        elif image.mode.startswith(("I", "F")):
            image = _scale_to_bytes(image)
        image = image.convert("RGB")
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS)
        check_size(*image.size, Path(path))
        return Picture(np.array(image), fov, orientation, tuple(account.notes()))


def png(picture: NDArray[np.uint8]) -> bytes:
    """RGB (H,W,3) as a PNG file, with a compression level that balances speed and size."""
    import cv2

    done, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be written as PNG")
    return data.tobytes()


def read_depth(path: str | os.PathLike, meaning: DepthMeaning, *, scale: float = 1.0) -> NDArray[np.float32]:
    """Only the values of `pipelines.media.depth_map.read.read_depth_map`: (H,W) float32 along z, NaN where unknown.

    Assumptions and unused contents are issued as warnings `FileNote`.
    """
    from pipelines.media.depth_map.read import read_depth_map

    depth = read_depth_map(path, meaning, scale=scale)
    for note in depth.notes:
        warnings.warn(note, FileNote, stacklevel=2)
    return depth.values


def _say_others(image: Image.Image, account: Account) -> None:
    count = getattr(image, "n_frames", 1)
    if count > 1:
        account.left_out(count - 1, count, "pictures", "the first one is shown")


_FOLLOWED_CHUNKS = (
    "cICP",
    "iCCP",
    "gAMA",
    "cHRM",
    "sRGB",
    "pHYs",
    "tRNS",
    "eXIf",
    "acTL",
    "fcTL",
    "sBIT",
    "tEXt",
    "zTXt",
    "iTXt",
    "tIME",
    "bKGD",
    "hIST",
)
"""PNG chunks that are supported, or that do not affect the displayed picture."""


def _say_chunks(path: Path, account: Account) -> None:
    chunks = png_chunks(path)
    idle = ("mDCV", "cLLI", "sCAL", "oFFs", "pCAL", "sPLT", "gIFg", "gIFx", "sTER", "caBX")
    account.fields(chunks, "chunks", idle=idle).use(*_FOLLOWED_CHUNKS)


def _square(image: Image.Image, across: float, down: float, account: Account) -> Image.Image:
    """Resample a picture with ``across`` pixels and ``down`` pixels per unit of length to square pixels."""
    if not (across > 0 and down > 0) or abs(across / down - 1) < 0.01:
        return image
    if not 1 / MOST_ASPECT <= across / down <= MOST_ASPECT:
        account.say(f"{account.name} has a density of {across:g} by {down:g} pixels per inch, which is ignored.")
        return image
    width, height = image.size
    size = (round(width * down / across), height) if down > across else (width, round(height * across / down))
    account.say(f"{account.name} has non-square pixels ({across:g} by {down:g}); it is shown as {size[0]} x {size[1]}.")
    return image.resize(size, Image.Resampling.BICUBIC)


def _density(image: Image.Image) -> tuple[float, float]:
    """Pixels per unit of length, horizontally and vertically; (1, 1) if the file has no density."""
    found = image.info.get("aspect") or image.info.get("dpi")
    if image.info.get("jfif_unit") == 0 and "jfif_density" in image.info:
        found = image.info["jfif_density"]
    try:
        across, down = (float(each) for each in found or (1, 1))
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0, 1.0
    return across, down


def _scale_to_bytes(image: Image.Image) -> Image.Image:
    values = np.array(image, dtype=np.float64)
    span = max(np.ptp(values), 1e-12)
    return Image.fromarray((255 * (values - values.min()) / span).astype(np.uint8))


def _exif_fov(image: Image.Image) -> float | None:
    """Horizontal field of view from the 35 mm equivalent focal length, which refers to the diagonal."""
    focal_35mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    if not focal_35mm or not 5 <= float(focal_35mm) <= 1000:
        return None
    width, height = image.size
    if image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
        width, height = height, width
    half_width_mm = np.hypot(36, 24) / 2 * width / np.hypot(width, height)
    return float(np.degrees(2 * np.arctan(half_width_mm / float(focal_35mm))))
