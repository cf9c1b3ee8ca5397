"""Opens scenes from files: clips and several views of one place, with or without cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.content import kind_of
from camera.path import CameraPath
from camera.view import Scene
from pipelines.splats.formats import is_splat_file

if TYPE_CHECKING:
    from pipelines.estimation.depth_over_time import SteadyDepth
    from pipelines.inputs.posed_files import PosedInput
    from pipelines.inputs.posed_images import PosedPictures
    from pipelines.splats.formats.axes import Up

VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi")
LONGEST_CLIP = 121
"""Maximum number of frames of a plain video, whose depth and cameras are estimated."""

ACCEPTED = (
    "A video; several pictures, alone or with their cameras (COLMAP, nerfstudio, RealEstate10K, Reshoot JSON; as files or all "
    "in one zip); a ReconFusion scene (.torch); a scene of Google Scanned Objects, a CamVid-30K entry, a ViPE result or a posed "
    "clip (rgb.mp4, depth.npz, mask.npz, camera.npz) as a zip; a posed clip in one npz (MegaSaM, ViPE); key frames as npz; "
    "Gaussian splats (.ply, .splat, SPZ, SOG, glTF)."
)


SPLATS = "A file of Gaussian splats: the .ply of 3DGS, compressed .ply, .splat, SPZ, SOG, or glTF with KHR_gaussian_splatting."


@dataclass(frozen=True, eq=False)
class Material:
    """A scene, its own path if it has one, and one sentence on how its cameras were found.

    ``path_as_given``: its cameras are in the scene's world and wanted one by one. ``points``: sparse points that belong to
    the cameras. ``steady``: what was done to the depth of a clip, if requested.
    """

    scene: Scene
    path: CameraPath | None = None
    note: str = ""
    path_as_given: bool = False
    points: PointCloud | None = None
    steady: SteadyDepth | None = None


def read_material(
    files: Sequence[str | Path],
    *,
    given_views: int = 0,
    dense: bool = False,
    begin_at: int = 0,
    up: Up = "auto",
    steady: bool = False,
) -> Material:
    """Read the scene in ``files``; raises `InputError` for anything not in `ACCEPTED`.

    ``given_views`` > 0: only this many posed pictures are used as input, and the cameras of the others become the path. ``dense``:
    a depth model estimates the depth of posed pictures in every pixel; if that fails, the note says so. Depth of a clip is
    always estimated; without ``dense``, a labelled guess replaces it if no model is available. ``begin_at``: the first frame of a
    clip, counted from 0. ``up``: the up axis of a file of splats, see `pipelines.splats.formats.axes`. ``steady``: the depth of a
    clip is brought to one scale and smoothed over time, and the note reports the residual; see
    `pipelines.estimation.depth_over_time`.
    """
    material = _read_splats(files[0], up) if is_splat_file(files) else _read(files, given_views, dense, begin_at)
    if begin_at and material.scene.kind != "clip":
        raise InputError(
            f"Only a clip can begin at another frame, and these files are a {material.scene.kind}; set it to 0."
        )
    return _stabilise(material) if steady else material


def read_second(files: Sequence[str | Path]) -> tuple[Scene, str]:
    """A second capture of a place: input as for `read_material`, or one picture, whose depth is estimated. Raises `InputError`."""
    from pipelines.estimation.depth import MODELS, depth_of
    from pipelines.inputs.picture import scene_from
    from pipelines.inputs.posed_files import is_picture
    from pipelines.media.image import read_picture

    if len(files) == 1 and Path(files[0]).is_file() and is_picture(Path(files[0])):
        picture = read_picture(files[0])
        return scene_from(picture, depth_of(picture, MODELS["small"])), ""
    material = read_material(files, dense=True)
    return material.scene, material.note


def _stabilise(material: Material) -> Material:
    from pipelines.estimation.depth_over_time import steady_scene

    scene, found = steady_scene(material.scene)
    return replace(material, scene=scene, note=f"{material.note} {found.sentence()}".strip(), steady=found)


def _read_splats(file: str | Path, up: Up) -> Material:
    from pipelines.splats.scene import open_splats

    scene, note = open_splats(file, up=up)
    return Material(scene, note=note)


def _read(files: Sequence[str | Path], given_views: int, dense: bool, begin_at: int) -> Material:
    paths = [Path(file) for file in files]
    if not paths:
        raise InputError(f"Open files first. {ACCEPTED}")
    if len(paths) > 1:
        return _read_posed(paths, given_views, dense)
    path, kind = paths[0], kind_of(paths[0])
    if kind in VIDEOS:
        return _read_video(path, dense, begin_at)
    if kind == ".zip" or path.is_dir():
        return _read_archive(path, given_views, dense, begin_at)
    if kind == ".npz":
        from pipelines.inputs.gen3c_npz import LONGEST_CLIP as LONGEST_GIVEN
        from pipelines.inputs.gen3c_npz import read_scene
        from pipelines.inputs.reconstructions.one_npz import is_posed_clip, read_posed_clip

        account = Account(path.name)
        if is_posed_clip(path):
            scene = read_posed_clip(path, account, first_frame=begin_at, max_frames=LONGEST_GIVEN)
            return Material(scene, note=account.text())
        return Material(*read_scene(path, account=account), note=account.text(), path_as_given=True)
    if kind in (".torch", ".pt"):
        return _read_reconfusion(path, given_views, dense)
    raise InputError(f"{path.name} alone is not enough, or of an unsupported kind. {ACCEPTED}")


def _read_posed(paths: Sequence[Path], given_views: int, dense: bool) -> Material:
    from pipelines.inputs.posed_files import gather, is_picture

    if not any(is_picture(path) for path in paths):
        raise InputError(f"Open one video, zip or scene file at a time, got {len(paths)} files. {ACCEPTED}")
    return _make_material(gather(paths), given_views, dense)


def _read_reconfusion(path: Path, given_views: int, dense: bool) -> Material:
    from pipelines.inputs.datasets.genxd import read_reconfusion
    from pipelines.inputs.posed_files import PosedInput

    account = Account(path.name)
    views = read_reconfusion(path, account=account)
    return _make_material(
        PosedInput(views, None, f"Cameras of the data set. {account.text()}".rstrip()),
        given_views or min(views.splits, default=0),
        dense,
    )


def _read_archive(path: Path, given_views: int, dense: bool, begin_at: int) -> Material:
    """Read a folder or zip: GEN3C's, ViPE's or CamVid-30K's layout, a ReconFusion data set, or pictures with cameras."""
    from pipelines.inputs.archive import open_folder
    from pipelines.inputs.datasets.genxd import read_camvid, reconfusion_scenes
    from pipelines.inputs.datasets.gso import is_gso, read_gso
    from pipelines.inputs.gen3c_npz import clip_folder, read_scene
    from pipelines.inputs.posed_files import PosedInput, gather_folder
    from pipelines.inputs.reconstructions.vipe import is_vipe

    with open_folder(path) as folder:
        place = clip_folder(folder)
        if is_vipe(place) or (place / "rgb.mp4").is_file():
            account = Account(path.name)
            scene, along = read_scene(place, first_frame=begin_at, account=account)
            return Material(scene, along, account.text())
        inner = [place, *(child for child in place.iterdir() if child.is_dir())]
        for candidate in inner:
            if (candidate / "0" / "images.bin").is_file() and (candidate / "images").is_dir():
                account = Account(path.name)
                views = read_camvid(candidate, account=account)
                note = f"Cameras of the data set. {account.text()}".rstrip()
                return _make_material(PosedInput(views, None, note), given_views, dense)
            if is_gso(candidate):
                return _make_material(read_gso(candidate, views=given_views), 0, dense)
            if (candidate / "index.json").is_file():
                scenes = reconfusion_scenes(candidate)
                if len(scenes) > 1:
                    raise InputError(f"{path.name} contains {len(scenes)} scenes; open the .torch file of one of them.")
                return _read_reconfusion(next(iter(scenes.values())), given_views, dense)
        return _make_material(gather_folder(place, name=path.stem), given_views, dense)


def _make_material(given: PosedInput, given_views: int, dense: bool) -> Material:
    from pipelines.inputs.posed_files import limit_given
    from pipelines.inputs.posed_images import add_truth

    given = limit_given(given, given_views)
    views = given.views
    points = PointCloud(views.points.astype(np.float32), views.colours) if len(views.points) else None
    scene, note = _add_depth(views) if dense else (views.scene(), "")
    words = " ".join(filter(None, (given.note, note)))
    scene = add_truth(scene, given.truth)
    return Material(scene, given.targets, words, path_as_given=given.targets is not None, points=points)


def _add_depth(views: PosedPictures) -> tuple[Scene, str]:
    """Depth in every pixel, or rough depth and the reason."""
    from pipelines.inputs.dense_views import dense_views

    try:
        return replace(dense_views(views, _estimate_depth), name=views.name), ""
    except InputError as error:
        rough = views.scene()
        return rough, f"Note: {error} Until then the depth is rough: {rough.source}."


def _estimate_depth(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    from pipelines.estimation.depth import MODELS, depth_of
    from pipelines.media.image import Picture

    return depth_of(Picture(frame, None), MODELS["small"]).values


def _read_video(path: Path, dense: bool, begin_at: int) -> Material:
    """A clip; if depth need not be exact and no depth model is available, it is a labelled guess."""
    from pipelines.inputs.picture import guess_layout
    from pipelines.inputs.reconstructions.vipe import say_cut
    from pipelines.inputs.video_scene import scene_of_video
    from pipelines.media.video import read_video

    account = Account(path.name)
    frames, fps = read_video(path, max_frames=begin_at + LONGEST_CLIP, account=account)
    if begin_at >= len(frames):
        raise InputError(f"The video has {len(frames)} frames, so it cannot begin at frame {begin_at}; begin earlier.")
    frames = frames[begin_at:]
    if len(frames) == LONGEST_CLIP:
        say_cut(path, begin_at + len(frames), account)
    try:
        _estimate_depth(frames[0])
    except InputError as error:
        if dense:
            raise
        scene, note = scene_of_video(frames, fps, lambda frame: guess_layout(frame).values)
        scene = replace(scene, source=guess_layout(frames[0]).source)
        words = f"{note} Note: {error} Until then the depth is a **guess**. {account.text()}"
        return Material(scene, note=words.rstrip())
    scene, note = scene_of_video(frames, fps, _estimate_depth)
    return Material(scene, note=f"{note} {account.text()}".rstrip())
