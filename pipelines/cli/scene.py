"""``python -m pipelines scene``: turns a video with cameras into points, a mesh and folders for other tools."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.path import CameraPath, pinhole
from pipelines.estimation.depth import DEFAULT_FOV_DEGREES, MODELS
from pipelines.inputs.depth_frames import depth_of_file
from pipelines.method import Frames, Progress
from pipelines.reconstruct.pipeline import BACKGROUNDS
from pipelines.reconstruct.plugin import load_plugin, run_plugin
from pipelines.reconstruct.scene import Cameras, scene_from_frames

Made = TypeVar("Made")
MESHES = ("tsdf", "poisson", "none")
MOST_FRAMES = 481


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "video", type=Path, help="a result of Reshoot, or any video with --path or --cameras estimated"
    )
    command.add_argument("--out", type=Path, required=True, help="the folder to write to")
    command.add_argument("--path", type=Path, help="camera file of the video; results of Reshoot contain theirs")
    command.add_argument("--cameras", choices=get_args(Cameras), default="given", help="where the cameras come from")
    command.add_argument(
        "--depth",
        type=Path,
        help="depth of all frames: npy or npz (F,H,W), or a zip with a file per frame: PNGs, in which near is bright, or EXR, npy, PFM, TIFF of distances",
    )
    command.add_argument("--closed", action="store_true", help="the camera ends where it began")
    command.add_argument(
        "--lightglue", action="store_true", help="match with SuperPoint and LightGlue (weights for research only)"
    )
    command.add_argument(
        "--aliked", action="store_true", help="match with ALIKED and LightGlue (needs the package kornia)"
    )
    command.add_argument(
        "--matcher",
        metavar="MODULE:FUNCTION",
        help="your own matcher, such as MASt3R: a pipelines.estimation.colmap.Matcher",
    )
    command.add_argument(
        "--model",
        metavar="MODULE:FUNCTION",
        help="your own model of cameras and depth, such as VGGT: a pipelines.reconstruct.plugin.PoseEstimator",
    )
    command.add_argument("--keep", choices=("everything", "object"), default="everything", help="object: the object "
        "that all cameras look at, above the ground")  # fmt: skip
    command.add_argument(
        "--masks", type=Path, help="zip with one mask per frame, or a video, opaque or bright on the object to keep"
    )
    command.add_argument(
        "--moving",
        type=Path,
        help="zip with one mask per frame, or a video, opaque or bright on moving parts, which are left out",
    )
    command.add_argument(
        "--background", choices=tuple(BACKGROUNDS.values()), default="nothing", help="dome: a far shell behind the mesh"
    )
    command.add_argument("--texture", action="store_true", help="also write a mesh of few triangles with a texture")
    command.add_argument(
        "--depth-model", choices=tuple(MODELS), default="small", help="depth model used without --depth"
    )
    command.add_argument("--mesh", choices=MESHES, default="tsdf", help="method for the mesh")
    command.add_argument("--voxel", type=float, help="side of the smallest voxels in scene units")
    command.add_argument("--triangles", type=int, default=400_000, help="maximum number of triangles of the mesh")
    command.add_argument("--points", type=int, default=300_000, help="maximum number of points of the cloud")
    command.add_argument("--tolerance", type=float, default=0.02, help="relative depth difference at which views agree")


def make(given: argparse.Namespace, say: Callable[[Progress], None]) -> list[Path]:
    """Write all files and return them; raises `InputError`."""
    from pipelines.media.video import complete
    from pipelines.reconstruct.export import exports, posed_frames
    from pipelines.reconstruct.points import fuse_points
    from pipelines.reconstruct.surface.mesh import extract_mesh
    from pipelines.viewer import page

    if given.background != "nothing" and (given.keep != "everything" or given.masks is not None):
        raise InputError("An object that is cut out has no background; leave --background out.")
    _check_models(given)
    frames, path = _video(given)
    settings: dict[str, Any] = {"model": given.depth_model, "cameras": given.cameras, "closed": given.closed}
    if given.depth is not None:
        account = Account(given.depth.name)
        settings["depth"] = depth_of_file(given.depth, frames, account=account)
        print(*account.notes(), sep="\n", end="\n" * bool(account.notes()), file=sys.stderr)
    if given.lightglue:
        from pipelines.estimation.matching import lightglue

        settings["matcher"] = lightglue()
    if given.aliked:
        from pipelines.estimation.aliked import aliked

        settings["matcher"] = aliked()
    if given.matcher is not None:
        settings["matcher"] = load_plugin(given.matcher)
    if given.model is not None:
        say(Progress("Running the model", 0, 1))
        path, settings["depth"] = run_plugin(load_plugin(given.model), frames, path.fps)
        settings |= {"aligned": True, "source": given.model}
    if given.masks is not None:
        settings["keep"] = _masks(given.masks, frames)
    if given.moving is not None:
        settings["masks"] = _masks(given.moving, frames)
    scene = _run_to_end(scene_from_frames(frames, path, name=given.video.stem, **settings), say)
    say(Progress("Scene", 1, 1, note=scene.source))
    if given.keep == "object":
        from pipelines.reconstruct.object_mask import cut_out, object_masks

        scene = cut_out(scene, object_masks(scene))
    cloud = _run_to_end(fuse_points(scene, tolerance=given.tolerance, most_points=given.points), say)
    mesh = dome = picture = None
    if given.mesh != "none":
        steps = extract_mesh(
            scene, voxel=given.voxel, most_triangles=given.triangles, method=given.mesh, tolerance=given.tolerance
        )
        mesh = _run_to_end(steps, say)
    if mesh is not None and given.texture:
        from pipelines.reconstruct.surface.texture import texture_mesh

        picture = _run_to_end(texture_mesh(scene, mesh), say)
    given.out.mkdir(parents=True, exist_ok=True)
    placed, cameras = posed_frames(scene)
    if given.background == "dome":
        from pipelines.reconstruct.sky_dome import make_dome

        dome = make_dome(placed, cameras, cloud, scene)
    found = exports(placed, cameras, cloud=cloud, mesh=mesh, dome=dome, textured=picture)
    found["viewer.html"] = (
        page.page_of_points(cloud, cameras)
        if mesh is None
        else page.page_of_mesh([mesh, *([dome] if dome else [])], cameras)
    )
    for name, content in found.items():
        with complete(given.out / name) as part:
            part.write_bytes(content)
    return sorted(file for file in given.out.iterdir() if file.is_file())


def _check_models(given: argparse.Namespace) -> None:
    if (given.matcher is not None) + given.lightglue + given.aliked > 1:
        raise InputError("Only one of --matcher, --lightglue and --aliked can match; leave the others out.")
    if given.matcher is not None and given.cameras == "given":
        raise InputError("Your own matcher needs --cameras refined or estimated.")
    if given.model is not None and (given.cameras != "given" or given.depth or given.path or given.matcher):
        raise InputError(
            "Your own model returns cameras and depth; leave --cameras, --path, --depth and --matcher out."
        )


def _masks(file: Path, frames: Frames) -> NDArray[np.bool_]:
    from camera.completion.masks import fit_masks
    from pipelines.reconstruct.object_mask import read_masks

    return fit_masks(read_masks([file], len(frames)), frames.shape[2], frames.shape[1], "stretch")


def _video(given: argparse.Namespace) -> tuple[Frames, CameraPath]:
    """Frames, and the cameras they were shot with: from the given file, else the result's own."""
    from pipelines.media.video import read_video
    from pipelines.results.record import restore

    if not given.video.is_file():
        raise InputError(f"There is no video {given.video}.")
    frames, fps = read_video(given.video, max_frames=MOST_FRAMES, every=given.path is not None)
    height, width = frames.shape[1:3]
    if given.path is not None:
        from camera import formats

        like = CameraPath(np.eye(4)[None], pinhole(width, height, DEFAULT_FOV_DEGREES), width, height, fps)
        account = Account(given.path.name)
        path = formats.read(given.path.name, given.path.read_bytes(), like=like, account=account)
        for note in account.notes():
            print(note, file=sys.stderr)
    elif given.cameras == "estimated" or given.model is not None:
        path = CameraPath(
            np.repeat(np.eye(4)[None], len(frames), axis=0),
            pinhole(width, height, DEFAULT_FOV_DEGREES),
            width,
            height,
            fps,
        )
    else:
        path = restore(given.video).path
    if len(path) != len(frames):
        raise InputError(
            f"The path has {len(path)} cameras and the video {len(frames)} frames; the numbers must be equal."
        )
    return frames, path.resized(width, height)


def _run_to_end(steps: Generator[Progress, None, Made], say: Callable[[Progress], None]) -> Made:
    while True:
        try:
            say(next(steps))
        except StopIteration as end:
            return end.value
