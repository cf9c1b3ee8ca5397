"""Joins a model with its companion files, loose or in a zip: materials and pictures, or the parts of a glTF, into one GLB.

All other code, and Blender, then handles a single file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from camera.errors import InputError, reading
from camera.formats.content import read_member, with_suffix
from camera.objects.glb import check_picture, one_glb
from camera.objects.material import linear_from_srgb
from camera.objects.obj_ply import KINDS, LARGEST_BYTES, MOST_READ, check_counts, check_size
from camera.objects.surface import far_origin

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tga", ".tif", ".tiff")
MODELS = (*KINDS, ".gltf")
BESIDE = (".mtl", ".bin", *PICTURES)
MOST_FILES = 500
_OTHER_PROGRAMS = (".fbx", ".blend", ".dae", ".usd", ".usdz", ".usdc", ".3ds", ".abc", ".max", ".ma", ".c4d")


def join_model_files(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Content and name of the one model among ``files`` (contents by name), joined with its companion files.

    Raises `InputError` for none or several models, and for unsupported kinds.
    """
    contents = _unzip({with_suffix(name, data): data for name, data in files.items()})
    for name in contents:
        if PurePath(name).suffix.lower() in _OTHER_PROGRAMS:
            raise InputError(
                f"{PurePath(name).name} is not read here; open it in Blender (File, Import), then export it as glTF Binary "
                "(.glb), which keeps textures, skeleton and animations."
            )
    models = [name for name in contents if PurePath(name).suffix.lower() in MODELS]
    if not models:
        given = ", ".join(sorted(PurePath(name).name for name in contents)[:5]) or "nothing"
        raise InputError(f"There is no model ({', '.join(MODELS)}) among the files: {given}.")
    if len(models) > 1:
        named = ", ".join(sorted(PurePath(name).name for name in models)[:5])
        raise InputError(f"Give one model at a time, with its material and pictures; got {named}.")
    name, data = PurePath(models[0]).name, contents.pop(models[0])
    check_size(data, name)
    kind = PurePath(name).suffix.lower()
    if kind == ".gltf":
        return one_glb(data, name, contents), f"{PurePath(name).stem}.glb"
    if kind == ".glb" or not contents:
        return data, name
    for beside, content in contents.items():
        if PurePath(beside).suffix.lower() in PICTURES:
            check_picture(content, name)
    return _glb_of(data, name, contents), f"{PurePath(name).stem}.glb"


def _unzip(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with zips replaced by their contents; unsupported files inside zips are left out."""
    contents: dict[str, bytes] = {}
    for name, data in files.items():
        if PurePath(name).suffix.lower() != ".zip":
            contents[name] = data
            continue
        with (
            reading(f"{PurePath(name).name} is a damaged or encrypted zip file; pack it again."),
            zipfile.ZipFile(io.BytesIO(data)) as archive,
        ):
            contents |= _contents(archive, name)
    return contents


def _contents(archive: zipfile.ZipFile, name: str) -> dict[str, bytes]:
    wanted = (*MODELS, *BESIDE, *_OTHER_PROGRAMS)
    chosen = [
        entry
        for entry in archive.infolist()
        if PurePath(entry.filename).suffix.lower() in wanted and "__MACOSX" not in entry.filename
    ]
    if len(chosen) > MOST_FILES or sum(entry.file_size for entry in chosen) > LARGEST_BYTES:
        raise InputError(
            f"{PurePath(name).name} unpacks to more than {MOST_FILES} files or {LARGEST_BYTES >> 20} MB; give a smaller model."
        )
    return {entry.filename: read_member(archive, entry) for entry in chosen}


def _glb_of(data: bytes, name: str, files: Mapping[str, bytes]) -> bytes:
    """Convert an OBJ or PLY, with the files it refers to, to GLB with trimesh."""
    import trimesh
    from trimesh.resolvers import Resolver
    from trimesh.visual.material import SimpleMaterial

    class Beside(Resolver):
        """Finds files by name alone, whatever folder the model gives."""

        def __init__(self) -> None:
            self.by_name = {PurePath(known).name.lower(): content for known, content in files.items()}

        def __getitem__(self, key: str) -> bytes:
            """Read a material library."""
            return self.named(key)

        def get(self, key: str) -> bytes:
            """Read a picture and check its format: trimesh lets Pillow try every format that it knows."""
            check_picture(content := self.named(key), name)
            return content

        def named(self, key: str) -> bytes:
            wanted = PurePath(str(key).strip().strip('"').replace("\\", "/").split("/")[-1]).name.lower()
            if wanted not in self.by_name:
                raise FileNotFoundError(wanted)
            return self.by_name[wanted]

        def keys(self) -> Any:
            return self.by_name.keys()

        def write(self, name: str, data: Any) -> None:
            raise OSError(f"{name} is not written")

        def namespaced(self, namespace: str) -> Beside:
            return self

    kind = PurePath(name).suffix.lower()
    if kind == ".ply":
        check_counts(data, name)
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind[1:], resolver=Beside(), process=False)
        meshes = [mesh for mesh in scene.geometry.values() if isinstance(mesh, trimesh.Trimesh)]
        if not sum(len(mesh.faces) for mesh in meshes):
            raise InputError(f"{name} has no triangles; export it with faces, not as points or lines.")
        if (count := sum(len(mesh.faces) for mesh in meshes)) > MOST_READ:
            raise InputError(f"{name} has {count} triangles; reduce it to {MOST_READ} or fewer.")
        for mesh in meshes:
            visual: Any = mesh.visual
            if isinstance(getattr(visual, "material", None), SimpleMaterial):
                visual.material = _material(visual.material)
        _move_near_zero(scene, meshes)
        return bytes(scene.export(file_type="glb"))  # type: ignore[arg-type]
    except InputError:
        raise
    except Exception as error:  # trimesh passes on any exception of its parsers
        raise InputError(f"{name} cannot be read with its files; export it as one GLB.") from error


def _move_near_zero(scene: Any, meshes: list[Any]) -> None:
    """Move an origin far from zero into the nodes, which have 64-bit numbers in a GLB; the meshes keep 32-bit offsets."""
    import numpy as np

    origin = far_origin([np.asarray(mesh.vertices) for mesh in meshes])
    if not origin.any():
        return
    for mesh in meshes:
        mesh.vertices = mesh.vertices - origin
    shift = np.eye(4)
    shift[:3, 3] = origin
    for node in scene.graph.nodes_geometry:
        transform, geometry = scene.graph[node]
        scene.graph.update(node, matrix=transform @ shift, geometry=geometry)


def _material(simple: Any) -> Any:
    """A material with the picture unchanged, or with the diffuse colour converted from sRGB (OBJ) to linear (glTF)."""
    import numpy as np
    from trimesh.visual.material import PBRMaterial

    if simple.image is not None:
        return PBRMaterial(baseColorTexture=simple.image.convert("RGB"), baseColorFactor=[1.0, 1.0, 1.0, 1.0])
    diffuse = np.asarray(simple.diffuse, dtype=np.float64)
    factor = [
        *linear_from_srgb(diffuse[:3] / (255 if np.asarray(simple.diffuse).dtype == np.uint8 else 1)).tolist(),
        1.0,
    ]
    return PBRMaterial(baseColorFactor=factor)
