"""Exports the scene for Blender: a script that rebuilds camera, objects and background, with the files it imports.

Blender's importers rotate y up to z up; the script undoes that by parenting the imported objects to an empty, which is
animated frame by frame.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera import formats
from camera.errors import InputError
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.render.painters import CUT_RATIO
from camera.view import View
from pipelines.methods.i2v3d.method import NO_PICTURE, PAINTED, I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import background_view

CAMERA_SCRIPT = "blender"
"""Name of the format whose script keys the camera."""
UPSTREAM_JSON = "i2v3d"
_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Blender's world axes from ours, as in `camera.conventions`."""
_IMPORTED = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""The rotation that Blender's importers apply to a file with y up."""
MOST_COLUMNS = 640
"""Maximum number of columns of the background's grid."""

_OBJECTS = '''

# --- objects and background ------------------------------------------------------------------------------------------

import json
import math
import os

HERE = os.path.dirname(bpy.data.filepath) or os.getcwd()
HERE = os.path.dirname(os.path.abspath(__file__)) if os.path.isfile(globals().get("__file__", "")) else HERE
with open(os.path.join(HERE, "objects.json")) as opened:
    OBJECTS = json.load(opened)
UNLIT = {unlit}


def imported(name):
    """Import a file and return its new objects."""
    before, path = set(bpy.data.objects), os.path.join(HERE, name)
    kind = name.lower().rsplit(".", 1)[-1]
    if kind == "glb":
        bpy.ops.import_scene.gltf(filepath=path)
    elif kind == "obj":
        bpy.ops.wm.obj_import(filepath=path, forward_axis="NEGATIVE_Z", up_axis="Y")
    else:
        bpy.ops.wm.ply_import(filepath=path, forward_axis="NEGATIVE_Z", up_axis="Y")
    return [item for item in bpy.data.objects if item not in before]


def play(item, animation, speed, seconds):
    """Play the named animation from frame 1 in a loop; mutes the others."""
    data = item.animation_data
    if data is None:
        return
    data.action = None
    for track in data.nla_tracks:
        track.mute = not animation or track.name != animation
        for strip in track.strips:
            if not track.mute and speed:
                length = strip.action_frame_end - strip.action_frame_start
                strip.frame_start, strip.scale, strip.use_reverse = 1, 1 / abs(speed), speed < 0
                strip.repeat = max(1.0, math.ceil(seconds * abs(speed) * FPS / max(length, 1)))


def unlit(material):
    """Make the material emit its own colour."""
    if not material.use_nodes:
        return
    tree = material.node_tree
    shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    output = next((node for node in tree.nodes if node.type == "OUTPUT_MATERIAL"), None)
    if shader is None or output is None:
        return
    glow, colour = tree.nodes.new("ShaderNodeEmission"), shader.inputs["Base Color"]
    if colour.is_linked:
        tree.links.new(colour.links[0].from_socket, glow.inputs["Color"])
    else:
        glow.inputs["Color"].default_value = colour.default_value
    tree.links.new(glow.outputs["Emission"], output.inputs["Surface"])


for entry in OBJECTS:
    parts = imported(entry["file"])
    stand = bpy.data.objects.new(entry["name"], None)
    stand.rotation_mode = "QUATERNION"
    scene.collection.objects.link(stand)
    for part in parts:
        if part.parent is None:
            part.parent = stand
        play(part, entry["animation"], entry["speed"], len(FRAMES) / FPS)
    before = None
    for frame, matrix in enumerate(entry["frames"], start=1):
        location, rotation, size = Matrix(matrix).decompose()
        if before is not None:
            rotation.make_compatible(before)
        before = rotation.copy()
        stand.location, stand.rotation_quaternion, stand.scale = location, rotation, size
        for name in ("location", "rotation_quaternion", "scale"):
            stand.keyframe_insert(name, frame=frame)

scene.view_settings.view_transform = "Standard"
scene.render.film_transparent = True
if UNLIT:
    for material in bpy.data.materials:
        unlit(material)
'''


def pack(scene: StagedScene, path: CameraPath, settings: I2V3DSettings) -> bytes:
    """A zip with ``reshoot_scene.py``, the files that it imports, and the camera as the authors' ``save_camera_infos.json``.

    The JSON is left out if the lens changes along the path, which a text file explains. Raises `InputError` for lenses that
    Blender does not support.
    """
    _, camera = formats.write(CAMERA_SCRIPT, path)
    script = camera.decode().replace("Camera path", "Scene and camera path", 1)
    script += _OBJECTS.replace("{unlit}", str(settings.light == PAINTED))
    entries, files = _objects(scene, path)
    if settings.background != NO_PICTURE:
        view, cut = background_view(scene.first, settings)
        files["background.glb"] = background_glb(view, cut)
        turn = _Z_UP @ _y_down_from_up() @ np.linalg.inv(_IMPORTED)
        entries.append(_entry("background", "background.glb", np.repeat(turn[None], len(path), axis=0)))
    files["reshoot_scene.py"] = script.encode()
    files["objects.json"] = json.dumps(entries).encode()
    try:
        _, files["save_camera_infos.json"] = formats.write(UPSTREAM_JSON, path)
    except InputError as error:
        files["no_save_camera_infos.txt"] = str(error).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"reshoot_blender/{name}", data)
    return stream.getvalue()


def _objects(scene: StagedScene, path: CameraPath) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    entries, files = [], {}
    for number, item in enumerate(scene.objects):
        name = f"{number:02d}-{item.model.name}"
        files[name] = item.model.data
        shares = np.arange(len(path)) / max(len(path) - 1, 1)
        placed = np.stack([item.placement(float(share)).matrix for share in shares])
        carried = _Z_UP @ scene.world_from_stage @ placed @ item.model.model_from_file @ np.linalg.inv(_IMPORTED)
        entries.append(_entry(item.model.name, name, carried, item.animation, item.speed))
    return entries, files


def _entry(name: str, file: str, frames: NDArray, animation: str = "", speed: float = 1.0) -> dict[str, Any]:
    values = np.round(frames, 9).tolist()
    return {"name": name, "file": file, "animation": animation, "speed": speed, "frames": values}


def _y_down_from_up() -> NDArray[np.float64]:
    return np.diag([1.0, -1.0, -1.0, 1.0])


def background_glb(view: View, cut: NDArray[np.bool_]) -> bytes:
    """The picture's depth mesh with the picture as texture, in our world with y and z flipped so that y points up.

    The mesh is split at depth edges; the sky and the ``cut`` (H,W) pixels are left out.
    """
    import trimesh
    from PIL import Image
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    step = max(1, -(-view.width // MOST_COLUMNS))
    rows, columns = np.arange(0, view.height, step), np.arange(0, view.width, step)
    grid = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], axis=-1)
    depth = view.depth[np.ix_(rows, columns)]
    shown = (depth < view.far) & ~cut[np.ix_(rows, columns)]
    local = grid @ np.linalg.inv(view.intrinsics).T * depth[..., None]
    world = local @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]
    index = np.arange(depth.size).reshape(depth.shape)
    corners = [np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]]
    depths = np.stack([depth[corner] for corner in corners])
    joined = np.stack([shown[corner] for corner in corners]).all(axis=0)
    joined &= depths.max(axis=0) <= (1 + (CUT_RATIO - 1) * step) * depths.min(axis=0)
    a, b, c, d = (index[corner][joined] for corner in corners)
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    if not len(faces):
        raise InputError("Nothing of the picture is left as background; lower the foreground reach.")
    uv = np.stack([(grid[..., 0] + 0.5) / view.width, 1 - (grid[..., 1] + 0.5) / view.height], axis=-1).reshape(-1, 2)
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(view.colour), metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    vertices = world.reshape(-1, 3) @ _y_down_from_up()[:3, :3]
    mesh = trimesh.Trimesh(vertices, faces, visual=TextureVisuals(uv=uv, material=material), process=False)
    mesh.remove_unreferenced_vertices()
    return bytes(trimesh.Scene(mesh).export(file_type="glb"))  # type: ignore[arg-type]
