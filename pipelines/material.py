"""Clips and several views from people's files: whatever brings pictures of one place with, or without, their cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camera import formats
from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene

VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
CAMERAS = (".json", ".txt")
LONGEST_CLIP = 121
"""Frames of a plain video of which depth and cameras are estimated."""

ACCEPTED = (
    "A video; a zip with rgb.mp4, depth.npz, mask.npz and camera.npz, a ViPE result or a CamVid-30K entry; key frames as npz; a "
    "ReconFusion scene (.torch); or several pictures, with a camera file or without."
)


@dataclass(frozen=True, eq=False)
class Material:
    """A scene, the path that came with it if any, and one sentence on how its cameras were found.

    ``path_as_given``: its cameras stand in the scene's world and are wanted one by one. ``points``: sparse points that came
    with the cameras.
    """

    scene: Scene
    path: CameraPath | None = None
    note: str = ""
    path_as_given: bool = False
    points: PointCloud | None = None


def read_material(files: Sequence[str | Path]) -> Material:
    """The scene in ``files``; raises `InputError` for what is not in `ACCEPTED`."""
    paths = [Path(file) for file in files]
    if not paths:
        raise InputError(f"Give files first. {ACCEPTED}")
    kinds = {path.suffix.lower() for path in paths}
    if kinds <= {*PICTURES, *CAMERAS} and kinds & set(PICTURES):
        return _pictures(paths)
    if len(paths) > 1:
        raise InputError(f"Give one video, zip or scene file at a time, got {len(paths)} files. {ACCEPTED}")
    path, kind = paths[0], paths[0].suffix.lower()
    if kind in VIDEOS:
        return _video(path)
    if kind == ".zip":
        return _archive(path)
    if kind == ".npz":
        from pipelines.gen3c.data import read_scene

        return Material(*read_scene(path))
    if kind in (".torch", ".pt"):
        from pipelines.genxd.data import read_reconfusion

        return Material(read_reconfusion(path).scene())
    raise InputError(f"{path.name} is of no kind that is read. {ACCEPTED}")


def _pictures(paths: Sequence[Path]) -> Material:
    from pipelines.genxd import posed
    from pipelines.pictures import read_picture

    pictures = [read_picture(path).colour for path in paths if path.suffix.lower() in PICTURES]
    cameras = [path for path in paths if path.suffix.lower() in CAMERAS]
    if not cameras:
        found = posed.estimated(pictures)
        return Material(found.scene(), note=found.source)
    given = formats.read(cameras[0].name, cameras[0].read_bytes())
    if len(given) != len(pictures):
        raise InputError(f"{cameras[0].name} has {len(given)} cameras for {len(pictures)} pictures; give one for each.")
    return Material(posed.with_cameras(pictures, given).scene(), note="Cameras as given.")


def _archive(path: Path) -> Material:
    """A zip of GEN3C's or ViPE's layout, else of CamVid-30K's."""
    from zipfile import BadZipFile, ZipFile

    from pipelines.gen3c.data import read_scene
    from pipelines.genxd.data import read_camvid

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except BadZipFile as error:
        raise InputError(f"{path.name} is a damaged zip file; pack it again.") from error
    if any(name.endswith("images.bin") for name in names):
        found = read_camvid(path)
        return Material(found.scene(), note=found.source)
    return Material(*read_scene(path))


def _video(path: Path) -> Material:
    from pipelines.depth import MODELS, depth_of
    from pipelines.gen3c.estimated import scene_of_video
    from pipelines.pictures import Picture
    from pipelines.video import read_video

    frames, fps = read_video(path, max_frames=LONGEST_CLIP)
    scene, note = scene_of_video(frames, fps, lambda frame: depth_of(Picture(frame, None), MODELS["small"]).values)
    return Material(scene, note=note)
