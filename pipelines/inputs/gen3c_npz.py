"""Reads the inputs of upstream's scripts as scenes: posed clips (folder or zip), ViPE results, posed key frames with a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account
from camera.formats.content import kind_of
from camera.path import CameraPath, inverse
from camera.view import Scene, View
from pipelines.inputs.archive import open_folder
from pipelines.inputs.npz import read_npz
from pipelines.inputs.reconstructions.vipe import is_vipe, read_vipe, say_cut
from pipelines.media.video import read_video

LONGEST_CLIP = 481
"""Maximum number of frames read of a clip: four chunks of GEN3C, the length of its longest move."""
CLIP_FILES = ("rgb.mp4", "depth.npz", "mask.npz", "camera.npz")


def read_scene(
    path: str | Path, *, first_frame: int = 0, account: Account | None = None
) -> tuple[Scene, CameraPath | None]:
    """The scene in a folder, zip or npz file, and the camera path if the file has one (npz).

    A folder or zip contains either `CLIP_FILES` or a ViPE result, read from ``first_frame`` on; see `read_clip`, `read_views`
    and `vipe.read_vipe`. Unused contents are noted in ``account``.
    """
    path = Path(path)
    account = account or Account(path.name)
    if kind_of(path) == ".npz":
        return read_views(path, account=account)
    with open_folder(path) as folder:
        place = clip_folder(folder)
        read = read_vipe if is_vipe(place) else read_clip
        scene = read(place, account=account, first_frame=first_frame, max_frames=LONGEST_CLIP)
    return replace(scene, name=path.stem), None


def read_clip(
    folder: Path, *, first_frame: int = 0, max_frames: int = LONGEST_CLIP, account: Account | None = None
) -> Scene:
    """A posed clip from ``first_frame`` on: rgb.mp4, depth.npz (T,H,W), mask.npz (T,H,W), camera.npz w2c (T,4,4) and intrinsics (T,3,3) in pixels.

    Any size is allowed (fit the scene afterwards); all files must agree. Pixels outside the mask are unknown.
    """
    for name in CLIP_FILES:
        if not (folder / name).is_file():
            raise InputError(f"The clip has no {name}; a posed clip consists of {', '.join(CLIP_FILES)}.")
    account = account or Account(folder.name)
    account.fields(_names(folder), "files").use(*CLIP_FILES)
    shapes = {"w2c": "T 4 4", "intrinsics": "T 3 3"}
    cameras = read_npz(folder / "camera.npz", shapes, account=account, idle=("resolution",))
    depth = read_npz(folder / "depth.npz", {"depth": "T H W"}, account=account)["depth"]
    mask = read_npz(folder / "mask.npz", {"mask": "T H W"}, account=account)["mask"]
    frames, fps = read_video(folder / "rgb.mp4", max_frames=first_frame + max_frames, every=True, account=account)
    say_cut(folder / "rgb.mp4", len(frames), account)
    count, given = len(frames), {"depth.npz": depth.shape, "mask.npz": mask.shape}
    for name, shape in given.items():
        if shape[0] < count or shape[1:] != frames.shape[1:3]:
            raise InputError(
                f"{name} contains {shape[0]} pictures of {shape[2]} x {shape[1]}, rgb.mp4 {count} of {frames.shape[2]} x "
                f"{frames.shape[1]}; all files of a clip must belong to the same frames."
            )
    if len(cameras["w2c"]) < count:
        raise InputError(
            f"camera.npz contains {len(cameras['w2c'])} cameras for {count} frames; it needs one per frame."
        )
    poses = _world_from_camera(cameras["w2c"][:count], "camera.npz")
    if first_frame >= count:
        raise InputError(f"The clip has {count} frames, so it cannot begin at frame {first_frame}; begin earlier.")
    selection = slice(first_frame, count)
    views = (
        _view(*one)
        for one in zip(
            frames[selection], depth[selection], mask[selection], cameras["intrinsics"][selection], poses[selection]
        )
    )
    return Scene(tuple(views), "clip", "relative", fps, source="depth given with the clip", name=folder.name)


def read_views(path: str | Path, *, account: Account | None = None) -> tuple[Scene, CameraPath]:
    """Posed key frames and the path to shoot, from upstream's multi-view npz.

    images_key_frames (N,3,H,W) in [-1,1], depth_key_frames and mask_key_frames (N,1,H,W), K_key_frames (N,3,3),
    w2cs_key_frames (N,4,4), w2cs_all (T,4,4), optional Ks_all (T,3,3), else the last key frame's lens. Other arrays are noted in ``account``.
    """
    shapes = {
        "images_key_frames": "N 3 H W", "depth_key_frames": "N 1 H W", "mask_key_frames": "N 1 H W",
        "K_key_frames": "N 3 3", "w2cs_key_frames": "N 4 4", "w2cs_all": "T 4 4",
    }  # fmt: skip
    arrays = read_npz(path, shapes, optional={"Ks_all": "T 3 3"}, account=account)
    name = Path(path).name
    images = np.round((np.clip(arrays["images_key_frames"], -1, 1) + 1) * 127.5).astype(np.uint8)
    images = images.transpose(0, 2, 3, 1)
    poses = _world_from_camera(arrays["w2cs_key_frames"], name)
    key_frames = zip(
        images, arrays["depth_key_frames"][:, 0], arrays["mask_key_frames"][:, 0], arrays["K_key_frames"], poses
    )
    views = tuple(_view(*one) for one in key_frames)
    scene = Scene(views, "views", "relative", source="depth given with the key frames", name=Path(path).stem)
    lenses = arrays["Ks_all"] if "Ks_all" in arrays else arrays["K_key_frames"][-1]
    along = _world_from_camera(arrays["w2cs_all"], name)
    return scene, CameraPath(along, lenses, scene.first.width, scene.first.height)


def _names(folder: Path) -> dict[str, None]:
    """All files below a folder, by relative path."""
    return dict.fromkeys(sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()))


def _view(colour: NDArray, depth: NDArray, mask: NDArray, lens: NDArray, pose: NDArray) -> View:
    view = View.of(colour, depth.astype(np.float32), lens.astype(np.float64), pose)
    return replace(view, known=view.known & (mask > 0.5))


def _world_from_camera(camera_from_world: NDArray, name: str) -> NDArray[np.float64]:
    """Invert matrices (T,4,4), which must be rigid; rotations in single precision are replaced by the nearest exact ones."""
    matrices = np.array(camera_from_world, dtype=np.float64)
    if not np.isfinite(matrices).all():
        raise InputError(f"{name} contains camera poses that are not finite numbers.")
    u, _, v = np.linalg.svd(matrices[:, :3, :3])
    nearest = u @ v
    if np.abs(nearest - matrices[:, :3, :3]).max() > 1e-3 or (np.linalg.det(nearest) < 0).any():
        raise InputError(
            f"{name} contains camera poses that are not rotations; world-to-camera matrices (T,4,4) are expected."
        )
    matrices[:, :3, :3] = nearest
    return inverse(matrices)


def clip_folder(folder: Path) -> Path:
    """``folder``, or the only folder inside it that contains a clip; ``folder`` itself if there is none."""
    for candidate in [folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())]:
        if is_vipe(candidate) or (candidate / CLIP_FILES[0]).is_file():
            return candidate
    return folder
