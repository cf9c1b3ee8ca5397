"""Presents a reconstruction to the page and other programs: files, a 3D viewer with the cameras, and a fly-through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import cos, sin
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.conventions import Y_UP
from camera.errors import InputError
from camera.evaluation.paths import Similarity
from camera.figure.path import frustum_lines
from camera.path import CameraPath, spread_indices
from camera.rotation import look_at
from pipelines.reconstruct.pipeline import DISPLAY_POINTS, Reconstruction

if TYPE_CHECKING:
    import trimesh

    from pipelines.splats.splats import Splats

T = TypeVar("T")
_TURN, _RISE, _RADIUS = 0.5, 0.5, 5.0
"""Initial camera of the page's viewer of splats: radians about the vertical and above the ground, and distance."""
SHOWN_CAMERAS = 24
CAMERA_COLOUR = (232, 89, 12, 255)
FRUSTUM_SHARE = 0.08
"""Length of a drawn camera as a share of the points' median distance from the cameras."""
STEP_BEHIND, VIEWED_FROM = 1.3, 0.3
"""Initial distance of the viewer from the centre: a multiple of the first camera's distance, and at least a multiple of the diagonal."""


def files(made: Reconstruction) -> dict[str, bytes]:
    """All downloads by name: points, COLMAP and nerfstudio folders; the mesh or splats if there are any.

    A far background is part of the splats, a second mesh in ``mesh.glb``, and a separate file beside mesh or points.
    ``viewer.html`` shows the scene in any browser, ``scene_and_camera.glb`` contains the scene and the animated camera. SPZ and the
    viewer are left out if the scene is too large for them, the animated camera if its lens zooms or is off-centre.
    """
    from pipelines.reconstruct.export import exports

    found = exports(made.frames, made.path, cloud=made.cloud, mesh=made.mesh, dome=made.dome, textured=made.textured)
    if made.fitted is not None:
        from pipelines.splats.formats import encode_all

        found |= encode_all(_with_background(made.fitted.splats, made.dome))
    return found | _scene_with_camera(found, made.path) | _viewer(made)


def _scene_with_camera(found: dict[str, bytes], path: CameraPath) -> dict[str, bytes]:
    """``scene_and_camera.glb``: the splats, else the mesh, else the points, with the path; empty for lenses that glTF lacks."""
    from camera.formats.film.gltf import with_camera

    scene = next(found[name] for name in ("splats.glb", "textured.glb", "mesh.glb", "points.glb") if name in found)
    try:
        return {"scene_and_camera.glb": with_camera(scene, path)}
    except InputError:
        return {}


def _viewer(made: Reconstruction) -> dict[str, bytes]:
    """``viewer.html``: the splats, else the mesh, else the points, with the path; empty if it is too large for browsers."""
    from pipelines.viewer import page

    try:
        if made.fitted is not None:
            content = page.page_of_splats(_with_background(made.fitted.splats, made.dome), made.path)
        elif made.mesh is not None:
            content = page.page_of_mesh([each for each in (made.mesh, made.dome) if each is not None], made.path)
        else:
            content = page.page_of_points(made.cloud, made.path)
    except InputError:
        return {}
    return {"viewer.html": content}


def glb_for_viewer(made: Reconstruction, *, cameras: bool = True) -> bytes:
    """The mesh (the textured one, if any), else the points, with the cameras as outlines, upright in glTF's axes; without
    distant geometry."""
    from pipelines.reconstruct.export import glb

    return glb(_viewer_scene(made, cameras))


def viewpoint(made: Reconstruction) -> tuple[float, float, float]:
    """A position behind the first camera, as ``camera_position`` of gr.Model3D: degrees about the vertical, degrees from the
    vertical, and distance from the centre of the scene of `glb_for_viewer`."""
    low, high = _viewer_scene(made, True).bounds
    away = made.path.centres[0] * Y_UP - (low + high) / 2
    length = max(float(np.linalg.norm(away)), 1e-9)
    x, y, z = away / length
    distance = max(STEP_BEHIND * length, VIEWED_FROM * float(np.linalg.norm(high - low)))
    return float(np.degrees(np.arctan2(z, x))), float(np.degrees(np.arccos(np.clip(y, -1, 1)))), distance


def _viewer_scene(made: Reconstruction, cameras: bool) -> trimesh.Scene:
    import trimesh

    mesh = made.mesh if made.textured is None else made.textured
    parts: list = [_points(near_points(made)) if mesh is None else _to_gltf_axes(mesh)]
    if cameras:
        parts.append(_cameras(made.path, float(np.median(_distances(made, made.cloud.points))) * FRUSTUM_SHARE))
    return trimesh.Scene(parts)


def splats_for_viewer(made: Reconstruction) -> bytes:
    """The splats as a ``.ply`` that the page's viewer initially shows from the first camera, without distant geometry.

    gr.Model3D uses gsplat.js, which has y down as OpenCV, and whose camera starts on a sphere about the origin, see `_RADIUS`.
    """
    from pipelines.splats.files import ply_bytes

    assert made.fitted is not None
    splats = made.fitted.splats
    eye = _RADIUS * np.array([sin(_TURN) * cos(_RISE), -sin(_RISE), -cos(_TURN) * cos(_RISE)])
    turn, scale = look_at(eye, np.zeros(3)), _RADIUS / made.first.focus_depth
    camera = made.path.camera_from_world[0]
    place = Similarity(scale, turn @ camera[:3, :3], scale * turn @ camera[:3, 3] + eye)
    return ply_bytes(splats.chosen(_is_near(made, splats.means)).placed(place))


def render_flight(made: Reconstruction, path: CameraPath) -> Iterator[NDArray[np.uint8]]:
    """Frames (H,W,3) of ``path`` through the splats, else the mesh, else the points, each drawn as a small disc."""
    if made.mesh is not None:
        from camera.render.triangles import draw
        from pipelines.reconstruct.surface.texture import surface_of

        shown = made.mesh if made.textured is None else made.textured
        surfaces = _prepare_once(made, lambda: [surface_of(each) for each in (shown, made.dome) if each is not None])
        return (draw(surfaces, path, frame).colour for frame in range(len(path)))
    if made.fitted is None:
        return _render_points(made, path)
    from pipelines.splats.drawing import render_path

    return (colour for colour, _ in render_path(_with_background(made.fitted.splats, made.dome), path))


def _render_points(made: Reconstruction, path: CameraPath) -> Iterator[NDArray[np.uint8]]:
    """Render the points, in front of the far background if there is one."""
    from camera.render.point_discs import Dots
    from camera.render.triangles import draw
    from pipelines.reconstruct.surface.texture import surface_of

    dots = _prepare_once(made, lambda: Dots.of(made.cloud))
    behind = None if made.dome is None else surface_of(made.dome)
    for frame in range(len(path)):
        colour, holes = dots.draw(path, frame)
        if behind is not None:
            colour[holes] = draw([behind], path, frame).colour[holes]
        yield colour


_prepared: WeakKeyDictionary[Reconstruction, Any] = WeakKeyDictionary()


def _prepare_once(made: Reconstruction, prepare: Callable[[], T]) -> T:
    """Prepared drawing data, cached as long as the reconstruction exists."""
    if made not in _prepared:
        _prepared[made] = prepare()
    return _prepared[made]


def _with_background(splats: Splats, dome: trimesh.Trimesh | None) -> Splats:
    """The splats, and the far background if there is one."""
    if dome is None:
        return splats
    from pipelines.reconstruct.sky_dome import splats_of_dome

    return splats.joined(splats_of_dome(dome))


def _to_gltf_axes(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    turned = mesh.copy()
    turned.vertices = mesh.vertices * Y_UP
    return turned


def _points(cloud: PointCloud):
    import trimesh

    cloud = cloud.thinned(DISPLAY_POINTS)
    return trimesh.PointCloud(cloud.points * Y_UP, cloud.colours)


def _cameras(path: CameraPath, size: float) -> Any:
    """Outlines of at most `SHOWN_CAMERAS` cameras and the line through their positions."""
    import trimesh

    chosen = spread_indices(len(path), SHOWN_CAMERAS)
    lines = frustum_lines(path, chosen, size)[..., [0, 2, 1]] * np.array([1, 1, -1])
    pairs = np.stack([lines[:, :-1], lines[:, 1:]], axis=2).reshape(-1, 2, 3)
    centres = path.centres * Y_UP
    pairs = np.concatenate([pairs, np.stack([centres[:-1], centres[1:]], axis=1)])
    drawn: Any = trimesh.load_path(pairs[np.isfinite(pairs).all(axis=(1, 2))])
    drawn.colors = np.tile(np.array(CAMERA_COLOUR, np.uint8), (len(drawn.entities), 1))
    return drawn


def near_points(made: Reconstruction) -> PointCloud:
    """The points, or the centres of the more opaque half of the splats, without distant ones."""
    cloud = made.cloud
    if made.fitted is not None:
        splats = made.fitted.splats
        splats = splats.chosen(splats.logit_opacities >= np.median(splats.logit_opacities))
        cloud = splats.middles
    inside = _is_near(made, cloud.points)
    return PointCloud(cloud.points[inside], cloud.colours[inside])


def _is_near(made: Reconstruction, points: NDArray) -> NDArray[np.bool_]:
    """Whether points are near: excludes those far beyond nine tenths of the triangulated points, such as a backdrop of splats,
    so that a viewer that frames everything shows the scene."""
    return _distances(made, points) <= 1.6 * np.quantile(_distances(made, made.cloud.points), 0.9)


def _distances(made: Reconstruction, points: NDArray) -> NDArray:
    return np.linalg.norm(points - made.path.centres.mean(axis=0), axis=1)
