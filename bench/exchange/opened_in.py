"""Opens exports in other programs and compares numbers: the pixels of the file's points in the file's camera, and their colours.

``RESHOOT_TOOLS`` is a Python with bpy, open3d and plyfile (a separate environment, because they need other versions than
Reshoot), ``RESHOOT_NODE`` a folder with node_modules of three, playcanvas, @babylonjs/loaders and @playcanvas/splat-transform. Missing programs are reported and skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import Row, Scale, long_subject
from camera.path import CameraPath

HERE = Path(__file__).parent
WIDTH, HEIGHT, FRAMES, POINTS = 640, 400, 9, 300
NEAREST = 0.3
"""Points nearer to a camera are not compared: there, a small error of position is many pixels."""


@dataclass(frozen=True, eq=False)
class Export:
    """``points`` (N,3) of the world and ``colours`` (N,3), in the files' order; ``path``, and ``odd``: one with zoom and shift."""

    folder: Path
    points: np.ndarray
    colours: np.ndarray
    path: CameraPath
    odd: CameraPath

    def project(self, path: CameraPath) -> np.ndarray:
        """(F,N,2): pixels of our points; NaN for points nearer than `NEAREST`."""
        camera = path.camera_from_world
        local = np.einsum("fij,nj->fni", camera[:, :3, :3], self.points) + camera[:, None, :3, 3]
        pixel = np.einsum("fij,fnj->fni", path.intrinsics, local)
        return np.where(local[..., 2:] > NEAREST, pixel[..., :2] / local[..., 2:], np.nan)


@long_subject
def opened_in(scale: Scale) -> list[Row]:
    """Each export in each available program: differences in pixels and colour levels."""
    with TemporaryDirectory() as folder:
        export = _exports(Path(folder))
        return [row for ask in (_here, _python_tools, _three, _splat_transform, _splat_engines) for row in ask(export)]


def _exports(folder: Path) -> Export:
    import reshoot
    from camera import film_path
    from camera.cloud import PointCloud
    from camera.exchange.relief import relief_of
    from examples import load
    from pipelines.reconstruct.export import exports
    from pipelines.splats.files import ply_bytes

    scene = load("reading_room").fitted(WIDTH, HEIGHT)
    path = film_path("arc 12 + dolly 0.1 + pan 3", scene, frames=FRAMES, fps=12)
    middle = path.intrinsics.copy()
    middle[:, :2, 2] = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    path = CameraPath(path.world_from_camera, middle, WIDTH, HEIGHT, 12)
    lenses = middle * np.linspace(1, 1.3, FRAMES)[:, None, None]
    lenses[:, :2, 2], lenses[:, 2, 2] = middle[0, :2, 2] + [30, -20], 1
    odd = CameraPath(path.world_from_camera, lenses, WIDTH, HEIGHT, 12)
    for name, along in (("room.glb", path), ("room.usdc", odd), ("room.usda", odd)):
        reshoot.scene_file(scene, along, folder / name)
    relief = relief_of(scene)
    cloud = PointCloud(relief.vertices, relief.colours)
    frames = np.repeat(scene.first.colour[None], FRAMES, axis=0)
    for name, content in exports(frames, path, cloud=cloud).items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "colmap.zip") as archive:
        archive.extractall(folder / "colmap")
    (folder / "splats.ply").write_bytes(ply_bytes(_splats()))
    chosen = np.random.default_rng(0).choice(len(relief.vertices), POINTS, replace=False)
    request = {
        "points": chosen.tolist(),
        "frames": FRAMES,
        "width": WIDTH,
        "height": HEIGHT,
        "fps": 12,
        "places": relief.vertices[chosen].tolist(),
    }
    (folder / "request.json").write_text(json.dumps(request))
    return Export(folder, relief.vertices[chosen].astype(np.float64), relief.colours[chosen], path, odd)


def _row(what: str, export: Export, answer: dict, path: CameraPath) -> Row:
    pixels = np.array(answer["pixels"]) if "pixels" in answer else None
    apart = "" if pixels is None else f"{np.nanmax(np.abs(pixels - export.project(path))):.3f} px, "
    if pixels is None:
        shift = np.abs(np.array(answer["points"]) - export.points).max()
        apart = f"points {shift:.1e}, "
    levels = np.abs(np.array(answer["colours"]) - export.colours).max() if "colours" in answer else 0.0
    near = pixels is None or np.nanmax(np.abs(pixels - export.project(path))) < 0.5
    return Row(
        what, 0.0, agreement=f"{apart}{levels:.2f} levels", target="0.5 px, 2 levels", met=bool(near and levels <= 2)
    )


def _here(export: Export) -> Iterator[Row]:
    """Results of usd-core, trimesh and pycolmap, in this Python."""
    for tool in (_ask_usd, _ask_trimesh, _ask_colmap):
        yield from tool(export)


def _ask_usd(export: Export) -> Iterator[Row]:
    from pxr import Usd, UsdGeom

    request = json.loads((export.folder / "request.json").read_text())
    for name in ("room.usdc", "room.usda"):
        stage = Usd.Stage.Open(str(export.folder / name))
        prim = UsdGeom.Mesh(stage.GetPrimAtPath("/Shot/Scene"))
        points = np.array(prim.GetPointsAttr().Get(), np.float64)[request["points"]]
        linear = np.array(prim.GetDisplayColorAttr().Get())[request["points"]]
        pixels = []
        for frame in range(FRAMES):
            frustum = UsdGeom.Camera(stage.GetPrimAtPath("/Shot/Camera")).GetCamera(frame).frustum
            flat = np.append(points, np.ones((len(points), 1)), axis=1) @ np.array(
                frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
            )
            x, y = (flat[:, :2] / flat[:, 3:]).T
            pixels.append(np.stack([(x + 1) / 2 * WIDTH - 0.5, (1 - y) / 2 * HEIGHT - 0.5], axis=1))
        colours = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        version = ".".join(map(str, Usd.GetVersion()))
        yield _row(f"{name} in usd-core {version}", export, {"pixels": pixels, "colours": colours}, export.odd)


def _ask_trimesh(export: Export) -> Iterator[Row]:
    import trimesh

    request = json.loads((export.folder / "request.json").read_text())
    cloud = trimesh.load(export.folder / "points.ply")
    answer = {
        "points": np.asarray(cloud.vertices)[request["points"]],
        "colours": np.asarray(cloud.colors)[request["points"], :3],
    }  # type: ignore[attr-defined]
    yield _row(f"points.ply in trimesh {trimesh.__version__}", export, answer, export.path)


def _ask_colmap(export: Export) -> Iterator[Row]:
    import pycolmap

    model = pycolmap.Reconstruction(str(export.folder / "colmap" / "sparse" / "0"))
    images = sorted(model.images.values(), key=lambda image: image.name)
    pixels = []
    for image in images:
        camera, pose = model.cameras[image.camera_id], np.asarray(image.cam_from_world().matrix())
        local = export.points @ pose[:, :3].T + pose[:, 3]
        pixels.append(
            [np.asarray(camera.img_from_cam(point)).ravel() - 0.5 if point[2] > 0 else [np.nan] * 2 for point in local]
        )
    yield _row(f"colmap.zip in pycolmap {pycolmap.__version__}", export, {"pixels": pixels}, export.path)


def _python_tools(export: Export) -> Iterator[Row]:
    python = os.environ.get("RESHOOT_TOOLS")
    if not python:
        print("RESHOOT_TOOLS names no Python with bpy, open3d and plyfile; these are left out.", file=sys.stderr)
        return
    for script in ("in_blender.py", "in_open3d.py", "in_plyfile.py"):
        yield from _answers(export, [python, str(HERE / script), str(export.folder)])


def _three(export: Export) -> Iterator[Row]:
    node = os.environ.get("RESHOOT_NODE")
    if not node:
        print("RESHOOT_NODE names no folder with three and splat-transform; these are left out.", file=sys.stderr)
        return
    script = Path(node) / "reshoot_in_three.mjs"
    script.write_text((HERE / "in_three.mjs").read_text())
    try:
        yield from _answers(export, ["node", str(script), str(export.folder)])
    finally:
        script.unlink()


def _answers(export: Export, command: list[str]) -> Iterator[Row]:
    """Rows from a program's last output line: by file and program, pixels or points, and colours."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        print(f"{command[1]}: {done.stderr[-600:]}", file=sys.stderr)
        return
    for what, answer in json.loads(done.stdout.strip().splitlines()[-1]).items():
        yield _row(what, export, answer, export.odd if ".usd" in what else export.path)


def _splats():
    from pipelines.splats.splats import Splats

    rng = np.random.default_rng(7)
    n = 300
    sh = rng.normal(0, 0.15, (n, 9, 3))
    sh[:, 0] = (rng.random((n, 3)) - 0.5) / 0.28209479
    means = rng.uniform([-1.5, -1.5, 2.5], [1.5, 1.5, 5.5], (n, 3))
    return Splats(
        means, rng.normal(size=(n, 4)), rng.normal(-3, 0.5, (n, 3)), rng.normal(size=n), np.clip(sh, -1.8, 1.8)
    )


def _splat_transform(export: Export) -> Iterator[Row]:
    """Our splat files, converted to .ply by splat-transform, compared with the original splats."""
    node = os.environ.get("RESHOOT_NODE")
    tool = Path(node or "") / "node_modules/@playcanvas/splat-transform"
    if not node or not tool.is_dir():
        return
    from pipelines.splats.formats import NAMES, encode, read

    version = json.loads((tool / "package.json").read_text())["version"]
    ours = _splats()
    for kind in ("ply", "compressed.ply", "spz", "sog", "splat"):  # it writes glTF but does not read it
        file = export.folder / NAMES[kind]
        file.write_bytes(encode(ours, kind))
        out = export.folder / f"{kind}-back.ply"
        done = subprocess.run(
            ["node", str(tool / "bin/cli.mjs"), "-q", "-w", str(file), str(out)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            yield Row(
                f"{file.name} in splat-transform {version}",
                0.0,
                agreement=done.stderr.strip()[-120:] or "not read",
                met=False,
            )
            continue
        back, _ = read(out.read_bytes(), "back.ply", up="y-down")
        yield _splat_row(f"{file.name} in splat-transform {version}", ours, back)


def _splat_engines(export: Export) -> Iterator[Row]:
    """Our glTF splats in the PlayCanvas engine and in Babylon.js, where they are installed."""
    from bench.exchange.splat_engines import ENGINES, open_in_engine
    from pipelines.splats.formats import encode

    ours = _splats()
    for engine, package in ENGINES.items():
        modules = Path(os.environ.get("RESHOOT_NODE") or "") / "node_modules"
        if not os.environ.get("RESHOOT_NODE") or not (modules / package).is_dir():
            continue
        theirs = open_in_engine(engine, encode(ours, "glb"), modules).sorted_like(ours.means)
        shift = max(np.abs(theirs.means - ours.means).max(), np.abs(theirs.world - np.diag([1, -1, -1, 1])).max())
        scales = np.abs(theirs.scales / ours.scales - 1).max()
        levels = 255 * np.abs(theirs.colours - ours.colours).max()
        unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (theirs.quaternions, ours.quaternions)]
        degrees = np.degrees(2 * np.arccos(np.clip(np.abs((unit[0] * unit[1]).sum(axis=1)), 0, 1))).max()
        harmonics = np.abs(theirs.harmonics[:, : ours.sh.shape[1] - 1] - ours.sh[:, 1:]).max()
        yield Row(
            f"splats.glb in {theirs.tool}", 0.0,
            agreement=f"positions {shift:.1e}, scales {scales:.1e}, {degrees:.1f} degrees, {levels:.2f} levels, harmonics {harmonics:.1e}",
            target="1e-6, 1 degree, 2 levels", met=bool(shift < 1e-6 and scales < 1e-6 and degrees < 1 and levels <= 2),
        )  # fmt: skip


def _splat_row(what: str, ours, back) -> Row:
    """Compare with the file's axes as tools may read them: unchanged, or rotated by 180 degrees about x or z."""
    turns: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "": lambda p: p, ", turned about x": lambda p: p * [1, -1, -1], ", turned about z": lambda p: p * [-1, -1, 1],
    }  # fmt: skip
    candidates = []
    for name, turn in turns.items():
        means = turn(back.means.astype(np.float64))
        nearest = np.linalg.norm(ours.means[:, None] - means[None], axis=2).argmin(axis=1)
        pixels = [560 * each[:, :2] / each[:, 2:] for each in (ours.means, means[nearest])]
        candidates.append(
            (
                float(np.abs(pixels[0] - pixels[1]).max()),
                float(np.abs(ours.colours - back.colours[nearest]).max() * 255),
                name,
            )
        )
    apart, levels, name = min(candidates)
    return Row(
        what,
        0.0,
        agreement=f"{apart:.3f} px, {levels:.2f} levels{name}",
        target="0.5 px, 2 levels",
        met=apart < 0.5 and levels <= 2,
    )
