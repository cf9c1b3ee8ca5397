"""A Python script for Blender that keyframes a camera. The world is rotated to Blender's z-up axes."""

from __future__ import annotations

import json

import numpy as np

from camera.conventions import FULL_FRAME_MM, blender_from_opencv
from camera.formats import lens
from camera.path import CameraPath

_SCRIPT = '''"""Camera path of {frames} frames from Reshoot. In Blender: Scripting, Open, Run Script."""

import bpy
from mathutils import Matrix

FPS, WIDTH, HEIGHT = {fps}, {width}, {height}
# Per frame: world-from-camera matrix in rows (Blender axes), focal length in mm, shift in x and y.
FRAMES = {values}

scene = bpy.context.scene
scene.frame_start, scene.frame_end = 1, len(FRAMES)
scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = {aspect}
scene.render.fps = max(1, round(FPS))
scene.render.fps_base = scene.render.fps / FPS

data = bpy.data.cameras.new("Reshoot")
data.sensor_fit, data.sensor_width = "HORIZONTAL", {sensor}
camera = bpy.data.objects.new("Reshoot", data)
camera.rotation_mode = "QUATERNION"
scene.collection.objects.link(camera)
scene.camera = camera

before = None
for frame, (matrix, focal, shift_x, shift_y) in enumerate(FRAMES, start=1):
    location, rotation, _ = Matrix(matrix).decompose()
    if before is not None:
        rotation.make_compatible(before)
    before = rotation.copy()
    camera.location, camera.rotation_quaternion = location, rotation
    data.lens, data.shift_x, data.shift_y = focal, shift_x, shift_y
    camera.keyframe_insert("location", frame=frame)
    camera.keyframe_insert("rotation_quaternion", frame=frame)
    for name in ("lens", "shift_x", "shift_y"):
        data.keyframe_insert(name, frame=frame)
'''


def write(path: CameraPath) -> bytes:
    """Write the script; raises `InputError` for skewed lenses, and if the pixel aspect ratio changes along the path."""
    lens.require_no_skew(path, "Blender")
    poses = blender_from_opencv(path.world_from_camera)
    fx, fy = path.intrinsics[:, 0, 0], path.intrinsics[:, 1, 1]
    shape = float(np.median(fy / fx))
    if np.abs(fy / fx / shape - 1).max() > 1e-3:
        lens.require_centred_square(path, "Blender")
    shift_x = ((path.width - 1) / 2 - path.intrinsics[:, 0, 2]) / path.width
    shift_y = (path.intrinsics[:, 1, 2] - (path.height - 1) / 2) / (path.width * shape)
    values = [
        [pose.tolist(), float(focal), float(x), float(y)]
        for pose, focal, x, y in zip(np.round(poses, 9), fx * FULL_FRAME_MM / path.width, shift_x, shift_y)
    ]
    script = _SCRIPT.format(
        frames=len(path),
        fps=path.fps,
        width=path.width,
        height=path.height,
        aspect=(max(1.0, shape), max(1.0, 1 / shape)),
        sensor=FULL_FRAME_MM,
        values="[\n" + "".join(f"    {json.dumps(row)},\n" for row in values) + "]",
    )
    return script.encode()
