"""A 3D viewer of the points of a result's cache or of the scene, with downloads of points and cameras."""

from __future__ import annotations

import gradio as gr
import numpy as np

from camera import formats
from camera.cloud import PointCloud, cloud_of
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.media.video import complete
from pipelines.method import Clip
from pipelines.methods.gen3c.continuation import grow_scene
from pipelines.results.embedded_scene import read_embedded_scene
from pipelines.results.record import frames_zip, restore, scene_sha256
from tabs.parts.form import wrap_handler
from tabs.parts.shoot import Shoot
from tabs.project.project import Project

MOST_SHOWN = 300_000
"""Maximum number of points in the viewer; the files contain all."""


def points(shoot: Shoot) -> None:
    """Place the viewer: points of the last result's cache, or of the scene before the first shot."""
    name = shoot.method.name
    with gr.Accordion("The cache in 3D", open=False):
        show = gr.Button("Show the cache", size="sm", elem_id=f"{name}-show-cache")
        status = gr.Markdown(elem_classes="status")
        model = gr.Model3D(label="Cache", height=420, clear_color=(0.1, 0.1, 0.1, 1), elem_id=f"{name}-cache")
        files = gr.File(label="Points and cameras", file_count="multiple", interactive=False)

    def cache(project: Project, shot: str):
        """The points of the result's 3D cache (of the scene before the first shot) as PLY and GLB, and its cameras in
        every format."""
        scene, path = _find_points(project, shot)
        cloud = cloud_of(scene)
        if not len(cloud):
            raise InputError("The cache contains no points: the depth is unknown everywhere.")
        shown = _write(project, "cache-shown.glb", _drop_far(cloud).thinned(MOST_SHOWN).glb_bytes())
        made = [_write(project, "cache.ply", cloud.ply_bytes()), _write(project, "cache.glb", cloud.glb_bytes())]
        no_frames = Clip(np.empty((0, 1, 1, 3), np.uint8), path.fps, path)
        cameras = frames_zip(project.file("cameras.zip"), no_frames, formats.write_all(path))
        many = f"{len(scene.views)} picture{'s' * (len(scene.views) != 1)}"
        of = "the first frame of the clip" if scene.kind == "clip" else many
        return shown, f"{len(cloud):,} points of {of}; {scene.source}.", [*made, str(cameras)]

    show.click(wrap_handler(cache, name), [shoot.project, shoot.shot], [model, status, files], api_name=f"{name}_cache")


def _write(project: Project, name: str, data: bytes) -> str:
    file = project.file(name)
    with complete(file) as part:
        part.write_bytes(data)
    return str(file)


def _find_points(project: Project, shot: str | None) -> tuple[Scene, CameraPath]:
    """Geometry and cameras of the last result if it was shot from the open scene; otherwise of scene and path."""
    scene, path = project.ready()
    if not shot or (made := restore(shot)).input_sha256 != scene_sha256(scene):
        return scene, path
    box = read_embedded_scene(shot)
    return grow_scene(box.scene, list(box.added)) if box is not None else scene, made.path


def _drop_far(cloud: PointCloud) -> PointCloud:
    """Drop the farthest 1 % of the points, so that a viewer that frames all points shows the scene and not its horizon."""
    reach = np.linalg.norm(cloud.points - np.median(cloud.points, axis=0), axis=1)
    inside = reach <= np.quantile(reach, 0.99)
    return PointCloud(cloud.points[inside], cloud.colours[inside])
