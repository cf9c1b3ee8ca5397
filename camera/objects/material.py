"""Materials of glTF files as they appear in uniform white light: base colour plus emission.

Supported: metallic-roughness base colour, KHR_materials_pbrSpecularGlossiness (its diffuse colour), emission with
KHR_materials_emissive_strength (programs export unlit objects as emission on black), KHR_materials_unlit,
KHR_texture_transform, EXT_texture_webp. Source: Khronos glTF 2.0 specification, section 3.9, and those extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

SPECULAR_GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"
STRENGTH = "KHR_materials_emissive_strength"
TRANSFORM = "KHR_texture_transform"
WEBP = "EXT_texture_webp"
METALLIC = "Parts with a specular colour (KHR_materials_pbrSpecularGlossiness) are drawn in their diffuse colour alone; metals look dark."
DIELECTRIC = 0.2
"""Reflectances above this are metallic; plastic, glass and skin have 0.02 to 0.08 (glTF 2.0, appendix B)."""
_ROWS = 256
"""Number of picture rows that are blended at once."""

Picture = Callable[[int], NDArray[np.uint8]]
"""The picture (h,w,3) of an image index."""


@dataclass(frozen=True, eq=False)
class Material:
    """``texture`` (h,w,3) uint8 or None, already multiplied by the tint; ``tint`` (3,) in 0..1, sRGB. ``uv_set``: index of the
    texture coordinates; ``uv_transform`` (3,3). ``cut_out``: parts of it are transparent. ``shining``: it is emission only, so
    vertex colours do not tint it. ``note``: what is not drawn."""

    texture: NDArray[np.uint8] | None
    tint: NDArray[np.float64]
    uv_set: int = 0
    uv_transform: NDArray[np.float64] | None = None
    cut_out: bool = False
    shining: bool = False
    note: str = ""


PLAIN = Material(None, np.ones(3))


@dataclass(frozen=True, eq=False)
class _Layer:
    """One colour component of a material: ``factor`` (3,) linear, times ``texture`` (a textureInfo)."""

    factor: NDArray[np.float64]
    texture: Mapping[str, Any] | None

    @property
    def is_dark(self) -> bool:
        return bool((self.factor <= 0).all())

    @property
    def placed(self) -> tuple[int, NDArray[np.float64] | None]:
        """Index of the texture coordinates, and their transform."""
        moved = (self.texture or {}).get("extensions", {}).get(TRANSFORM, {})
        uv_set = int(moved.get("texCoord", (self.texture or {}).get("texCoord", 0)))
        return uv_set, uv_transform(moved) if moved else None


def material(about: Mapping[str, Any], textures: list[dict[str, Any]], picture: Picture) -> Material:
    """Convert ``about``, an entry of a file's materials; ``textures``: the file's textures."""
    base, opacity = _base(about)
    glow = _glow(about)
    note = METALLIC if _is_old_metal(about) else ""
    cut_out = about.get("alphaMode", "OPAQUE") != "OPAQUE" and (base.texture is not None or opacity < 1)

    def image(layer: _Layer) -> NDArray[np.uint8] | None:
        return None if layer.texture is None else picture(source(textures[layer.texture["index"]]))

    shining = base.is_dark and not glow.is_dark
    if shining or glow.is_dark:
        layer = glow if shining else base
        tint, (uv_set, moved) = srgb_from_linear(layer.factor), layer.placed
        return Material(_tint(image(layer), tint), tint, uv_set, moved, cut_out, shining, note)
    return _both(base, glow, image, cut_out)


def _both(base: _Layer, glow: _Layer, image: Callable[[_Layer], NDArray[np.uint8] | None], cut_out: bool) -> Material:
    """Base colour plus emission, if their textures use the same coordinates."""
    tint, (uv_set, moved) = srgb_from_linear(base.factor), base.placed
    if base.texture is None and glow.texture is None:
        return Material(None, srgb_from_linear(base.factor + glow.factor), cut_out=cut_out)
    alike = base.texture is None or glow.texture is None or _same_place(base, glow)
    if not alike:
        note = "Emissive parts use other texture coordinates than their base colour and are drawn without emission."
        return Material(_tint(image(base), tint), tint, uv_set, moved, cut_out, note=note)
    if base.texture is None:
        uv_set, moved = glow.placed
    texture = _sum(image(base), base.factor, image(glow), glow.factor)
    return Material(texture, np.ones(3), uv_set, moved, cut_out)


def source(texture: Mapping[str, Any]) -> int:
    """The index of a texture's image; raises `InputError` if only an unsupported extension gives it."""
    index = texture.get("extensions", {}).get(WEBP, texture).get("source")
    if index is None:
        named = ", ".join(texture.get("extensions", {})) or "no picture"
        raise InputError(f"A texture has {named}, which is not read here; export it with PNG, JPEG or WebP pictures.")
    return int(index)


def _base(about: Mapping[str, Any]) -> tuple[_Layer, float]:
    """The base colour and its opacity."""
    old = about.get("extensions", {}).get(SPECULAR_GLOSSINESS)
    given = about.get("pbrMetallicRoughness", {}) if old is None else old
    names = ("baseColorFactor", "baseColorTexture") if old is None else ("diffuseFactor", "diffuseTexture")
    factor = np.asarray(given.get(names[0], [1, 1, 1, 1]), dtype=np.float64)
    return _Layer(factor[:3], given.get(names[1])), float(factor[3])


def _is_old_metal(about: Mapping[str, Any]) -> bool:
    """Whether a specular-glossiness material is metallic, so that its diffuse colour shows little of it."""
    old = about.get("extensions", {}).get(SPECULAR_GLOSSINESS)
    if old is None:
        return False
    return "specularGlossinessTexture" in old or max(old.get("specularFactor", [0.0])) > DIELECTRIC


def _glow(about: Mapping[str, Any]) -> _Layer:
    factor = np.asarray(about.get("emissiveFactor", [0, 0, 0]), dtype=np.float64)
    strength = about.get("extensions", {}).get(STRENGTH, {}).get("emissiveStrength", 1.0)
    return _Layer(factor * float(strength), about.get("emissiveTexture"))


def _same_place(base: _Layer, glow: _Layer) -> bool:
    (a, a_moved), (b, b_moved) = base.placed, glow.placed
    return a == b and np.array_equal(
        np.eye(3) if a_moved is None else a_moved, np.eye(3) if b_moved is None else b_moved
    )


def _tint(picture: NDArray[np.uint8] | None, tint: NDArray[np.float64]) -> NDArray[np.uint8] | None:
    if picture is None or np.allclose(tint, 1):
        return picture
    return np.rint(picture * tint).astype(np.uint8)


def _sum(
    one: NDArray[np.uint8] | None, of_one: NDArray, two: NDArray[np.uint8] | None, of_two: NDArray
) -> NDArray[np.uint8]:
    """(h,w,3): the sum of both textures times their factors, at the size of the first one present."""
    from PIL import Image

    size = (one if one is not None else two).shape[:2]  # type: ignore[union-attr]
    white = np.full((1, 1, 3), 255, np.uint8)
    first = np.broadcast_to(white, (*size, 3)) if one is None else one
    second = np.broadcast_to(white, (*size, 3)) if two is None else two
    if second.shape[:2] != size:
        second = np.asarray(Image.fromarray(second).resize(size[::-1], Image.Resampling.BILINEAR))
    lit = linear_from_srgb(np.arange(256) / 255)
    mixed = np.empty((*size, 3), np.uint8)
    for row in range(0, size[0], _ROWS):
        rows = slice(row, row + _ROWS)
        mixed[rows] = np.rint(srgb_from_linear(lit[first[rows]] * of_one + lit[second[rows]] * of_two) * 255)
    return mixed


def srgb_from_linear(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert linear colours in 0..1 to sRGB."""
    linear = np.clip(np.nan_to_num(linear), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear_from_srgb(painted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `srgb_from_linear`."""
    return np.where(painted <= 0.04045, painted / 12.92, ((painted + 0.055) / 1.055) ** 2.4)


def uv_transform(about: Mapping[str, Any]) -> NDArray[np.float64]:
    """(3,3): the matrix of KHR_texture_transform, which scales, rotates, then shifts."""
    (x, y), (across, down) = about.get("offset", [0, 0]), about.get("scale", [1, 1])
    cosine, sine = np.cos(about.get("rotation", 0.0)), np.sin(about.get("rotation", 0.0))
    return np.array([[cosine * across, sine * down, x], [-sine * across, cosine * down, y], [0, 0, 1]], np.float64)
