"""Depth from PNG, TIFF and other pictures: 8 and 16 bits, one to four channels; rejects colour-mapped depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from camera.errors import InputError
from camera.formats.account import Account, refusal
from pipelines.media.depth_map.coloured import find_colour_map
from pipelines.media.picture_file import load, open_picture_file
from pipelines.media.picture_tags import png_chunks

ALIKE = 0.012
"""Channels are one grey picture if they differ by at most this share of their range in 99 of 100 pixels."""


def read_raster(path: Path, account: Account) -> NDArray[np.float32]:
    """(H,W) stored values, upright, NaN where the picture is transparent.

    Raises `InputError` for pictures whose channels differ: colours of a colour map are not distances.
    """
    with open_picture_file(path, least=1) as image:
        deep = image.mode in ("RGB", "RGBA", "LA") and _sixteen_bits(
            image
        )  # reading EXIF decodes the picture, and changes its bit depth
        load(image, path)
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
        if getattr(image, "n_frames", 1) > 1:
            account.left_out(image.n_frames - 1, image.n_frames, "pictures", "the first one is the depth map")  # type: ignore[attr-defined]
        values = _by_opencv(path) if deep else _pixels(image)
    _follow_chunks(path, account)
    values = apply_orientation(values, orientation)
    return _one_channel(values, path)


def _follow_chunks(path: Path, account: Account) -> None:
    """Raise `InputError` for a PNG with a conversion formula for its numbers; note other calibration chunks."""
    chunks = png_chunks(path)
    if "pCAL" in chunks:
        raise refusal("pCAL", path.name, "an equation for its numbers", "export depth in one unit, and choose it")
    account.fields({key: None for key in chunks if key in ("sCAL", "oFFs")}, "chunks", idle=("sCAL", "oFFs"))


def _pixels(image: Image.Image) -> NDArray[Any]:
    """(H,W) or (H,W,C) stored values of a decoded picture."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in ("1", "L", "LA", "RGB", "RGBA", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    return np.array(image)


def _sixteen_bits(image: Image.Image) -> bool:
    """Whether a colour picture stores 16 bits or more, of which Pillow keeps only 8."""
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    bits = getattr(image, "tag_v2", {}).get(258, (8,))
    return max(bits if isinstance(bits, tuple) else (bits,)) > 8


def _by_opencv(path: Path) -> NDArray[Any]:
    import cv2

    from pipelines.media.encoded import decode_picture

    values = decode_picture(
        path.read_bytes(), cv2.IMREAD_UNCHANGED, f"{path.name} is truncated or damaged; export it again."
    )
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]] if values.shape[2] > 2 else values
    return values


def apply_orientation(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """An array (H,W,...), rotated and mirrored according to its EXIF ``orientation`` (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def _one_channel(values: NDArray[Any], path: Path) -> NDArray[np.float32]:
    if values.ndim == 2:
        return values.astype(np.float32)
    channels = values.shape[2]
    alpha = values[..., channels - 1] if channels in (2, 4) else None
    colours = values[..., : channels - 1] if alpha is not None else values
    opaque = np.ones(values.shape[:2], bool) if alpha is None else alpha > 0
    if not _are_alike(colours, opaque):
        raise _refusal(colours, opaque, path)
    return np.where(opaque, colours[..., 0].astype(np.float32), np.float32(np.nan))


def _are_alike(colours: NDArray[Any], opaque: NDArray[np.bool_]) -> bool:
    pixels = colours[opaque].astype(np.float32)
    if not pixels.size:
        return True
    spread = np.ptp(pixels, axis=1)
    return bool(np.percentile(spread, 99) <= ALIKE * max(float(pixels.max()), 1.0))


def _refusal(colours: NDArray[Any], opaque: NDArray[np.bool_], path: Path) -> InputError:
    name = find_colour_map(colours, opaque)
    if name:
        return InputError(
            f"{path.name} is colour-mapped depth ({name}), which cannot be converted back to distances; export the grey "
            "16-bit PNG, EXR, npy or npz instead."
        )
    return InputError(
        f"{path.name} has three different channels: a colour picture, coloured depth, or numbers packed in colours; export "
        "depth as a grey 16-bit PNG, EXR, npy or npz instead."
    )
