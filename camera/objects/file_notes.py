"""Notes on the unused contents of a mesh file, one sentence each."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from camera.formats.account import Account
from camera.objects.glb import FOLLOWED
from camera.objects.gltf import Gltf

_IDLE_EXTENSIONS = (
    "KHR_xmp", "KHR_xmp_json_ld", "KHR_materials_variants", "KHR_lights_punctual", "EXT_lights_image_based", "KHR_materials_clearcoat",
    "KHR_materials_sheen", "KHR_materials_specular", "KHR_materials_ior", "KHR_materials_anisotropy", "KHR_materials_iridescence",
    "KHR_materials_volume", "KHR_materials_dispersion", "KHR_materials_diffuse_transmission", "KHR_audio_emitter", "VRM", "VRMC_vrm",
)  # fmt: skip
"""Extensions that affect only shading, or neither shape nor colour."""
_SHAPES = (4, 5, 6)
_PLY_USED = (
    "x", "y", "z", "red", "green", "blue", "diffuse_red", "diffuse_green", "diffuse_blue", "r", "g", "b", "s", "t", "u", "v",
    "texture_u", "texture_v", "vertex_indices", "vertex_index", "texcoord",
)  # fmt: skip
_PLY_IDLE = ("nx", "ny", "nz", "alpha", "a", "flags", "texnumber")
_OBJ_USED, _OBJ_IDLE = ("v", "vt", "f", "usemtl", "mtllib"), ("vn", "o", "g", "s", "end")
_OBJ_LEFT = {"l": "lines", "p": "points", "curv": "curves", "surf": "curved surfaces", "cstype": "curved surfaces"}
_WORD = re.compile(rb"^[ \t]*([A-Za-z_]+)[ \t]", re.MULTILINE)


def note_gltf(file: Gltf) -> tuple[str, ...]:
    """Notes on a glTF file that was read."""
    account, about = Account(file.name), file.about
    used = account.fields(dict.fromkeys(about.get("extensionsUsed", [])), "extensions", idle=_IDLE_EXTENSIONS)
    for name in FOLLOWED:
        used.get(name)
    for part in (part for parts in file.meshes.values() for part in parts):
        if part.note:
            account.say(part.note)
    _note_scenes(about, account)
    _note_parts(about, account, file.bytes_are_light)
    for key in ("cameras", "lights"):
        if about.get(key):
            account.say(f"The {key} of {file.name} are not used; only its shapes are.")
    paths = {channel["target"].get("path") for each in about.get("animations", []) for channel in each["channels"]}
    if "pointer" in paths:
        account.say(
            f"{file.name} animates other properties than translation, rotation, scale and morph targets (KHR_animation_pointer); these are not animated here."
        )
    return tuple(account.notes())


def note_obj_ply(data: bytes, name: str) -> tuple[str, ...]:
    """Notes on the elements and fields of an OBJ or PLY file."""
    account = Account(name)
    if PurePath(name).suffix.lower() == ".ply":
        _note_ply(data[: data.find(b"end_header") + 1], account)
    else:
        words = [word.decode() for word in sorted(set(_WORD.findall(data)))]
        for word in [word for word in words if word in _OBJ_LEFT]:
            account.say(f"The {_OBJ_LEFT[word]} of {name} are left out; only its faces are drawn.")
        _mark_used(account, words, "statements", (*_OBJ_USED, *_OBJ_IDLE, *_OBJ_LEFT))
    return tuple(account.notes())


def _mark_used(account: Account, words: list[str], part: str, known: tuple[str, ...]) -> None:
    """Mark the ``known`` fields as used."""
    fields = account.fields(dict.fromkeys(words), part)
    for word in known:
        fields.get(word)


def _note_ply(header: bytes, account: Account) -> None:
    texture = re.search(rb"^comment\s+TextureFile\s+(\S+)", header, re.MULTILINE)
    if texture:
        account.say(
            f"{account.name} names the picture {texture[1].decode(errors='replace')}; to have it, give both, or an OBJ with its MTL."
        )
    element = ""
    for line in header.decode("latin-1").splitlines():
        words = line.split()
        if words[:1] == ["element"] and len(words) == 3:
            element = words[1]
            if element not in ("vertex", "face") and words[2] != "0":
                account.say(f"The {words[2]} {element} elements of {account.name} are left out.")
        elif words[:1] == ["property"] and element in ("vertex", "face"):
            _mark_used(account, [words[-1]], element, (*_PLY_USED, *_PLY_IDLE))


def _note_scenes(about: dict[str, Any], account: Account) -> None:
    """Note scenes other than the file's default, and nodes that no scene contains."""
    scenes = about.get("scenes") or []
    account.left_out(max(len(scenes) - 1, 0), len(scenes), "scenes", "the file's own scene is shown")
    nodes, beneath = about.get("nodes", []), set()
    waiting = list(scenes[about.get("scene", 0)].get("nodes", [])) if scenes else list(range(len(nodes)))
    while waiting:
        number = waiting.pop()
        if number not in beneath:
            beneath.add(number)
            waiting += nodes[number].get("children", [])
    meshes = [number for number, node in enumerate(nodes) if "mesh" in node]
    out = len([number for number in meshes if number not in beneath])
    account.left_out(out, len(meshes), "placed meshes", "the file's scene does not show them")


def _note_parts(about: dict[str, Any], account: Account, bytes_are_light: bool) -> None:
    parts = [part for mesh in about.get("meshes", []) for part in mesh["primitives"]]
    out = sum(part.get("mode", 4) not in _SHAPES for part in parts)
    account.left_out(out, len(parts), "mesh parts", "they are points or lines, not triangles")
    coloured = [part["attributes"]["COLOR_0"] for part in parts if "COLOR_0" in part["attributes"]]
    certain = bytes_are_light or "trimesh" in str(about.get("asset", {}).get("generator", "")).lower()
    if not certain and any(about["accessors"][number]["componentType"] == 5121 for number in coloured):
        account.say(
            f"The vertex colours of {account.name} are bytes and were taken as painted, as scanning programs write them; glTF means "
            "light, so if they look too light, export them in 16 bits or as floats."
        )
    if any("COLOR_0" in part["attributes"] and _has_texture(about, part) for part in parts):
        account.say(f"{account.name} has vertex colours beneath a picture; the picture is shown without them.")


def _has_texture(about: dict[str, Any], part: dict[str, Any]) -> bool:
    if "material" not in part:
        return False
    base = about["materials"][part["material"]].get("pbrMetallicRoughness", {})
    return "baseColorTexture" in base and any(key.startswith("TEXCOORD") for key in part["attributes"])
