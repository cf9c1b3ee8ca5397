"""Converts other colour spaces to sRGB, as players and browsers do: ICC profiles, wide gamuts, HLG and PQ.

Codes are those of ITU-T H.273. HLG and PQ are shown with their reference white (203 cd/m2, ITU-R BT.2408) as white;
highlights above it are clipped to white.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from camera.formats.account import Account

REFERENCE_WHITE = 203.0
HLG_GAMMA = 1.2
"""System gamma of a screen of 1000 cd/m2, applied per channel as in FFmpeg's zscale; BT.2100 applies it to the luminance, which
makes strong colours slightly paler."""
BT709, BT2020, P3_DCI, P3_D65 = 1, 9, 11, 12
PQ, HLG = 16, 18
D65 = (0.3127, 0.3290)
_PRIMARIES = {
    BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    P3_DCI: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    P3_D65: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
GAMMA = 2.2
"""Gamma of an SDR screen, used in both directions if only the primaries differ."""


@dataclass(frozen=True)
class ColourTags:
    """``primaries`` and ``transfer`` of H.273; unknown codes are treated as BT.709."""

    primaries: int
    transfer: int

    @property
    def wide(self) -> bool:
        return self.primaries in (BT2020, P3_DCI, P3_D65)

    @property
    def hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    @property
    def words(self) -> str:
        name = {PQ: "PQ (HDR)", HLG: "HLG (HDR)"}.get(self.transfer, "wide-gamut")
        return f"{name} colours are converted to sRGB" + (", highlights beyond white are cut off" if self.hdr else "")


def to_srgb(values: NDArray[np.uint16], tags: ColourTags) -> NDArray[np.uint8]:
    """Encoded RGB (H,W,3) of 16 bits to sRGB of 8 bits. Sources: ITU-R BT.2100 (HLG, PQ), BT.2408 (white), IEC 61966-2-1."""
    linear = _linear_table(tags.transfer)[values]
    if tags.wide:
        linear = linear @ _to_bt709(tags.primaries).T
    codes = _encoding_table(tags.hdr)
    return codes[(np.clip(linear, 0, 1) * np.float32(len(codes) - 1) + np.float32(0.5)).astype(np.uint16)]


@lru_cache(maxsize=4)
def _linear_table(transfer: int) -> NDArray[np.float32]:
    """(65536,): linear light of each code; 1 is white."""
    code = np.linspace(0, 1, 65536)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = code ** (1 / m2)
        return (1e4 / REFERENCE_WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)).astype(np.float32)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        return (scene**HLG_GAMMA * 1000 / REFERENCE_WHITE).astype(np.float32)
    return (code**GAMMA).astype(np.float32)


@lru_cache(maxsize=2)
def _encoding_table(hdr: bool) -> NDArray[np.uint8]:
    """(65536,): the 8-bit code of linear light; sRGB's curve for HDR, otherwise a plain gamma of `GAMMA`."""
    light = np.linspace(0, 1, 65536)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * (srgb if hdr else light ** (1 / GAMMA))).astype(np.uint8)


@lru_cache(maxsize=4)
def _to_bt709(primaries: int) -> NDArray[np.float32]:
    """(3,3): linear RGB of ``primaries`` to linear sRGB; preserves white."""
    return (np.linalg.inv(_xyz(BT709)) @ _xyz(primaries)).astype(np.float32)


def _xyz(primaries: int) -> NDArray[np.float64]:
    """(3,3): linear RGB to XYZ. Other whites are treated as D65."""
    return _xyz_of(np.array(_PRIMARIES[primaries]))


def _xyz_of(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,3): linear RGB to XYZ for the chromaticities (3,2) of red, green and blue."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    light = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    return columns * np.linalg.solve(columns, light)


def convert_to_srgb(image: Image.Image, account: Account, tags: ColourTags | None = None) -> Image.Image:
    """Convert a decoded picture (RGB, RGBA, L, LA or CMYK) to sRGB: by its ICC profile, by the ``tags`` of its file, or by the gamma
    and primaries of a PNG. As in PNG's specification, HDR tags take precedence over a profile."""
    icc = image.info.get("icc_profile")
    if tags is not None and (tags.hdr or (tags.wide and not icc)) and image.mode in ("RGB", "RGBA"):
        account.say(f"{tags.words} in {account.name}.")
        return _by_tags(image, tags)
    if icc:
        return _by_profile(image, icc, account)
    if image.mode == "CMYK":
        account.say(f"{account.name} is CMYK without a profile, so its colours are approximate.")
    if "srgb" in image.info or image.mode not in ("RGB", "RGBA", "L", "LA") or tags is not None:
        return image
    gamma = float(image.info.get("gamma") or 1 / GAMMA)
    points = image.info.get("chromaticity")
    if points and len(points) == 8 and image.mode in ("RGB", "RGBA") and _differ(points):
        account.say(f"{account.name} has its own primaries (cHRM); its colours are converted to sRGB.")
        return _by_primaries(image, points, gamma)
    return _by_gamma(image, gamma) if abs(gamma * GAMMA - 1) > 0.02 else image


def _by_tags(image: Image.Image, tags: ColourTags) -> Image.Image:
    values = np.array(image)
    values[..., :3] = to_srgb(values[..., :3].astype(np.uint16) * np.uint16(257), tags)
    return Image.fromarray(values)


def _differ(points: Any) -> bool:
    """Whether a PNG's white, red, green and blue (8 numbers) differ from sRGB's, and form a triangle."""
    ours = np.array([D65, *_PRIMARIES[BT709]]).ravel()
    given = np.array(points, float)
    return bool(np.abs(given - ours).max() > 0.005 and (given[1::2] > 0.01).all() and np.abs(given).max() <= 1)


def _by_primaries(image: Image.Image, points: Any, gamma: float) -> Image.Image:
    """Convert through linear light; ``gamma`` as in the file (the exponent of encoding). Other whites are treated as D65."""
    values, corners = np.array(image), np.array(points, float).reshape(4, 2)[1:]
    light = (values[..., :3] / 255.0) ** (1 / gamma)
    matrix = np.linalg.inv(_xyz(BT709)) @ _xyz_of(corners)
    values[..., :3] = np.rint(255 * np.clip(light @ matrix.T, 0, 1) ** (1 / GAMMA))
    return Image.fromarray(values)


def _by_profile(image: Image.Image, icc: bytes, account: Account) -> Image.Image:
    if image.mode in ("P", "PA", "LA"):
        image = image.convert("RGB" if image.mode == "P" and "transparency" not in image.info else "RGBA")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        target = "RGBA" if image.mode == "RGBA" else "RGB"
        done: Any = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        account.say(f"The colour profile of {account.name} cannot be used ({error}), so its colours may be off.")
        return image
    return done


def _by_gamma(image: Image.Image, gamma: float) -> Image.Image:
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = np.rint(255 * srgb).astype(int).tolist()
    straight = list(range(256))
    bands = image.getbands()
    return image.point([value for band in bands for value in (straight if band == "A" else table)])
