"""The path in 3D as a Plotly figure: point cloud, first picture, frusta, and one animated camera.

Display axes are x right, y forward, z up, so that Plotly's turntable stands on the ground:
``display = (x, z, -y)`` of the scene's OpenCV world.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camera.figure import objects
from camera.objects.scene import StagedScene
from camera.path import CameraPath, spread_indices
from camera.view import Scene, View

if TYPE_CHECKING:
    import plotly.graph_objects as go

CLOUD_POINTS = 24_000
PICTURE_COLUMNS = 72
FRUSTA = 9
PATH_COLOUR, CAMERA_COLOUR, FRUSTUM_COLOUR = "#e8590c", "#1c7ed6", "#868e96"
DOTS: dict[str, Any] = {"size": 2, "symbol": "square"}
"""Marker of a scene point. Plotly draws a round one with 57 corners and a square one with 18; at this size they look the same."""
_DISPLAY = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float64)


def figure(path: CameraPath, scene: Scene | None = None, *, nominal: bool = False) -> go.Figure:
    """Animated figure of ``path`` over ``scene``, with play button and slider, for any Plotly viewer."""
    import plotly.graph_objects as go

    return go.Figure(spec(path, scene, nominal=nominal))


def spec(path: CameraPath, scene: Scene | None = None, *, nominal: bool = False) -> dict[str, Any]:
    """``{"data", "layout", "frames"}`` of that figure, arrays as numpy: built in milliseconds, not validated.

    Frame ``f`` of the animation is named ``str(f)`` and moves the camera and the moving objects. ``nominal`` notes in the
    figure that the method does not receive these poses.
    """
    size = frustum_size(path, scene)
    traces = [*_scene_traces(scene, size), *_path_traces(path, size)]
    travelling = frustum_lines(path, np.arange(len(path)), size)
    camera = len(traces)
    traces.append(_lines(travelling[0], "camera", CAMERA_COLOUR, 5))
    steps = [
        {"name": str(f), "traces": [camera], "data": [_lines(lines, "camera", CAMERA_COLOUR, 5)]}
        for f, lines in enumerate(travelling)
    ]
    if isinstance(scene, StagedScene) and scene.objects:
        shown, moving, moving_values = objects.traces(scene, path, _DISPLAY)
        for step, moved in zip(steps, moving_values):
            step["traces"] += [len(traces) + index for index in moving]
            step["data"] += moved
        traces += shown
    return {"data": traces, "layout": _layout(path, scene, nominal), "frames": steps}


def plain(value: Any) -> Any:
    """The same with every array as plotly.js's base64 form (``dtype``, ``bdata``, ``shape``), ready for JSON."""
    if isinstance(value, np.ndarray):
        data = {"dtype": value.dtype.str[1:], "bdata": base64.b64encode(value.tobytes()).decode()}
        return data if value.ndim == 1 else {**data, "shape": ", ".join(map(str, value.shape))}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def frustum_size(path: CameraPath, scene: Scene | None) -> float:
    """Length of a drawn frustum in scene units: readable beside both the path and the scene."""
    extent = float(np.linalg.norm(np.ptp(path.centres, axis=0)))
    focus = scene.first.focus_depth if scene else max(extent, 1.0)
    return max(0.12 * focus, 0.15 * min(extent, 2 * focus))


def frustum_lines(path: CameraPath, frames: ArrayLike, size: float) -> NDArray[np.float32]:
    """(F,13,3): one NaN-separated line in display axes per frame of ``frames``: four edges, the far rectangle, an up mark."""
    pixels = np.array([[0, 0], [path.width - 1, 0], [path.width - 1, path.height - 1], [0, path.height - 1]], float)
    frames = np.asarray(frames)
    rays = np.concatenate([pixels, np.ones((4, 1))], axis=1) @ np.linalg.inv(path.intrinsics[frames]).swapaxes(1, 2)
    rays *= size / np.linalg.norm(rays, axis=2).mean(axis=1)[:, None, None]
    a, b, c, d = rays.swapaxes(0, 1)
    apex, nowhere = np.zeros_like(a), np.full_like(a, np.nan)
    middle = (a + b) / 2
    peak = middle + 0.35 * (middle - (c + d) / 2)
    local = np.stack([apex, a, b, apex, c, d, apex, nowhere, d, a, peak, b, c], axis=1)
    world = local @ path.world_from_camera[frames, :3, :3].swapaxes(1, 2) + path.centres[frames][:, None]
    return to_display(world)


def to_display(points: NDArray) -> NDArray[np.float32]:
    """World points (...,3) in display axes."""
    return (points @ _DISPLAY.T).astype(np.float32)


def cloud(scene: Scene, count: int = CLOUD_POINTS) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """At most ``count`` known points of the scene in the world (N,3) and their colours (N,3).

    For a clip, from the first frame. Points much farther than the subject, or than nearly all others (outdoors through a window),
    are left out: they would shrink everything else.
    """
    views = scene.views if scene.kind == "views" else scene.views[:1]
    parts = [_view_points(view, count // len(views)) for view in views]
    return np.concatenate([points for points, _ in parts]), np.concatenate([colours for _, colours in parts])


def _view_points(view: View, count: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    stride = max(1, int(np.ceil(np.sqrt(view.width * view.height / max(count, 1)))))
    rows, columns = np.mgrid[stride // 2 : view.height : stride, stride // 2 : view.width : stride]
    depth = view.depth[rows, columns]
    near = view.known[rows, columns] & (depth < 2.5 * view.focus_depth)
    if near.any():
        near &= depth < 1.2 * np.percentile(depth[near], 98)
    pixels = np.stack([columns[near], rows[near], np.ones(near.sum())], axis=1)
    local = pixels @ np.linalg.inv(view.intrinsics).T * depth[near][:, None]
    world = local @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]
    return world.astype(np.float32), view.colour[rows, columns][near]


def _scene_traces(scene: Scene | None, size: float) -> list[dict]:
    if scene is None:
        return []
    shown, index, scale = _display_cloud(scene)
    marker = {**DOTS, "color": index, "colorscale": scale, "cmin": 0, "cmax": 255, "showscale": False}
    dots = dict(
        type="scatter3d",
        x=shown[:, 0], y=shown[:, 1], z=shown[:, 2], mode="markers", name="scene", marker=marker, hoverinfo="skip"
    )  # fmt: skip
    return [dots, *(_picture(view, size) for view in scene.views[: 1 if scene.kind != "views" else 6])]


_clouds: WeakKeyDictionary[Scene, tuple] = WeakKeyDictionary()


def _display_cloud(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.uint8], list]:
    """Points in display axes, colour indices and colour scale; cached per scene for as long as the scene is in use."""
    if scene not in _clouds:
        points, colours = cloud(scene)
        _clouds[scene] = (to_display(points), *palette(colours))
    return _clouds[scene]


def _picture(view: View, size: float) -> dict:
    """The view's picture on its own frustum, as a small coloured surface."""
    step, index, scale = _display_picture(view)
    rows, columns = np.arange(0, view.height, step), np.arange(0, view.width, step)
    grid = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], axis=-1)
    rays = grid @ np.linalg.inv(view.intrinsics).T
    corner = np.linalg.norm(rays[[0, 0, -1, -1], [0, -1, 0, -1]], axis=-1).mean()
    world = (rays * size / corner) @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]
    shown = to_display(world)
    return dict(
        type="surface",
        x=shown[..., 0], y=shown[..., 1], z=shown[..., 2], surfacecolor=index.reshape(shown.shape[:2]),
        colorscale=scale, cmin=0, cmax=255, showscale=False, name="picture", hoverinfo="skip",
        lighting={"ambient": 1, "diffuse": 0, "specular": 0}, contours={"x": {"highlight": False}},
    )  # fmt: skip


_pictures: WeakKeyDictionary[View, tuple] = WeakKeyDictionary()


def _display_picture(view: View) -> tuple[int, NDArray[np.uint8], list]:
    """Pixel step at which the picture is shown, colour indices and colour scale; cached like the cloud."""
    if view not in _pictures:
        step = max(1, view.width // PICTURE_COLUMNS)
        _pictures[view] = (step, *palette(view.colour[::step, ::step].reshape(-1, 3)))
    return _pictures[view]


def _path_traces(path: CameraPath, size: float) -> list[dict]:
    centres = to_display(path.centres)
    chosen = spread_indices(len(path), FRUSTA)
    lines = frustum_lines(path, chosen, size)
    frusta = np.concatenate([lines, np.full((len(chosen), 1, 3), np.nan, np.float32)], axis=1).reshape(-1, 3)
    track = dict(
        type="scatter3d",
        x=centres[:, 0], y=centres[:, 1], z=centres[:, 2], mode="lines+markers", name="path",
        line={"color": PATH_COLOUR, "width": 5}, marker={"size": 3, "color": PATH_COLOUR},
        customdata=np.arange(len(path), dtype=np.int32), hovertemplate="frame %{customdata}<extra></extra>",
    )  # fmt: skip
    return [_lines(frusta, "frusta", FRUSTUM_COLOUR, 2), track]


def _lines(points: NDArray, name: str, colour: str, width: int) -> dict:
    return dict(
        type="scatter3d",
        x=points[:, 0], y=points[:, 1], z=points[:, 2], mode="lines", name=name, hoverinfo="skip",
        line={"color": colour, "width": width}, connectgaps=False,
    )  # fmt: skip


def palette(colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list]:
    """Colours (N,3) as indices into a palette of 256 and the matching colour scale: 300 times smaller than strings."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(colours).reshape(1, -1, 3)).quantize(256, dither=Image.Dither.NONE)
    table = np.zeros((256, 3), np.uint8)
    used = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    table[: len(used)] = used
    scale = [[i / 255, f"rgb({r},{g},{b})"] for i, (r, g, b) in enumerate(table.tolist())]
    return np.array(image, np.uint8).reshape(-1), scale


def _layout(path: CameraPath, scene: Scene | None, nominal: bool) -> dict:
    unit = "m" if scene and scene.unit == "metres" else "scene units"
    axis = {"showbackground": False, "zeroline": False, "showspikes": False}
    title = "Nominal path: this method does not receive these poses" if nominal else None
    return {
        "scene": {
            "aspectmode": "data",
            "xaxis": {**axis, "title": {"text": f"right ({unit})"}},
            "yaxis": {**axis, "title": {"text": "forward"}},
            "zaxis": {**axis, "title": {"text": "up"}},
            "camera": {"eye": {"x": -1.45, "y": -1.97, "z": 0.95}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        "title": {"text": title, "font": {"size": 13}},
        "showlegend": False,
        "margin": {"l": 0, "r": 0, "t": 28 if title else 0, "b": 0},
        "uirevision": "keep",
        "updatemenus": [_play_button(path)],
        "sliders": [_slider(len(path))],
    }


def _play_button(path: CameraPath) -> dict:
    timing = {
        "frame": {"duration": 1000 / path.fps, "redraw": True},
        "transition": {"duration": 0},
        "fromcurrent": True,
    }
    stop = {"frame": {"duration": 0}, "mode": "immediate"}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, timing]},
        {"label": "Pause", "method": "animate", "args": [[None], stop]},
    ]
    return {"type": "buttons", "direction": "left", "x": 0, "y": 0, "buttons": buttons}


def _slider(frames: int) -> dict:
    show = {"frame": {"duration": 0, "redraw": True}, "mode": "immediate", "transition": {"duration": 0}}
    steps = [{"label": str(f), "method": "animate", "args": [[str(f)], show]} for f in range(frames)]
    return {"x": 0.2, "len": 0.8, "y": 0.05, "steps": steps, "currentvalue": {"prefix": "frame "}}
