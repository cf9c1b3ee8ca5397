"""Run by a Python with bpy: opens Reshoot's files in Blender and prints the pixels of their points. ``python in_blender.py FOLDER``."""

import contextlib
import io
import json
import sys
from pathlib import Path


def main() -> None:
    import bpy

    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    answers = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for name in ("room.glb", "room.usdc", "room.usda"):
            answers[f"{name} in Blender {bpy.app.version_string}"] = opened(bpy, folder / name, request)
    print()
    print(json.dumps(answers))


def opened(bpy, file, request):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if file.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(file))
    else:
        bpy.ops.wm.usd_import(filepath=str(file))
    return projected(bpy, request, seconds=file.suffix == ".glb")


def projected(bpy, request, seconds):
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = request["width"], request["height"]
    bpy.context.view_layer.update()
    camera = next(each for each in bpy.data.objects if each.type == "CAMERA")
    mesh = next(each for each in bpy.data.objects if each.type == "MESH")
    places = [mesh.matrix_world @ mesh.data.vertices[i].co for i in request["points"]]
    pixels = []
    for frame in range(request["frames"]):
        at = frame / request["fps"] * scene.render.fps if seconds else frame
        scene.frame_set(int(at), subframe=at - int(at))
        bpy.context.view_layer.update()
        projections = [world_to_camera_view(scene, camera, Vector(place)) for place in places]
        pixels.append([[p.x * request["width"] - 0.5, (1 - p.y) * request["height"] - 0.5] for p in projections])
    return (
        {"pixels": pixels, "colours": colours(mesh.data, request)} if mesh.data.color_attributes else {"pixels": pixels}
    )


def colours(data, request):
    import numpy as np

    attribute = data.color_attributes[0]
    values = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color_srgb", values)
    values = values.reshape(-1, 4)[:, :3] * 255
    if attribute.domain == "CORNER":
        corners = np.empty(len(data.loops), np.int32)
        data.loops.foreach_get("vertex_index", corners)
        found = np.zeros((len(data.vertices), 3), np.float32)
        found[corners] = values
        values = found
    return values[request["points"]].tolist()


if __name__ == "__main__":
    main()
