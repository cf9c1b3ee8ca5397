"""A scene with the camera's move as one file for other programs: USD, glTF, or an HTML page that plays it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from camera.errors import InputError
from camera.exchange.relief import Relief, relief_of
from camera.path import CameraPath
from camera.render.painters import SelfRenderedScene
from camera.view import Scene
from pipelines.media.video import complete

if TYPE_CHECKING:
    import trimesh

MOST_POINTS = 1_000_000
KINDS = {
    ".usdc": "USD, binary: surface and camera with its exact lens",
    ".usda": "USD, text",
    ".glb": "glTF: surface or splats, and camera (no zoom, lens in the middle)",
    ".html": "One HTML page that plays the move, offline",
}


def scene_file(scene: Scene, path: CameraPath, file: str | Path) -> Path:
    """Write ``scene`` with the camera of ``path`` and return the file; its suffix, one of `KINDS`, selects the format.

    The surface consists of known depth, cut at depth edges: that of a clip's first frame, without objects. Splats stay splats
    in glTF and HTML, and become points in USD. Raises `InputError`, also for lenses that glTF does not support.
    """
    file = Path(file)
    if file.suffix.lower() not in KINDS:
        raise InputError(f"A scene with its camera is written as {', '.join(KINDS)}; got {file.name!r}.")
    write: dict[str, Callable[[Scene, CameraPath], bytes]] = {".glb": _glb, ".html": _html}
    suffix = file.suffix.lower()
    content = write[suffix](scene, path) if suffix in write else _usd(scene, path, suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    with complete(file) as part:
        part.write_bytes(content)
    return file


def _usd(scene: Scene, path: CameraPath, suffix: str) -> bytes:
    from camera.exchange.usd import usd_of

    shown = _splats(scene).middles.thinned(MOST_POINTS) if isinstance(scene, SelfRenderedScene) else relief_of(scene)
    return usd_of(shown, path, kind="usda" if suffix == ".usda" else "usdc", unit=scene.unit)


def _glb(scene: Scene, path: CameraPath) -> bytes:
    from camera.formats.film.gltf import with_camera
    from pipelines.reconstruct.export import mesh_glb

    if isinstance(scene, SelfRenderedScene):
        from pipelines.splats.formats import encode

        return with_camera(encode(_splats(scene), "glb"), path)
    return with_camera(mesh_glb(_mesh(relief_of(scene))), path)


def _html(scene: Scene, path: CameraPath) -> bytes:
    from pipelines.viewer import page

    if isinstance(scene, SelfRenderedScene):
        return page.page_of_splats(_splats(scene), path)
    return page.page_of_mesh([_mesh(relief_of(scene))], path)


def _mesh(relief: Relief) -> trimesh.Trimesh:
    import trimesh

    return trimesh.Trimesh(relief.vertices, relief.triangles, vertex_colors=relief.colours, process=False)


def _splats(scene: Scene):
    found = getattr(scene, "splats", None)
    if found is None:
        raise InputError(f"{scene.name} is {scene.source} and cannot be written as a file.")
    return found
