"""Results of ViPE (video pose engine): folders rgb, depth, pose and intrinsics, as npz and EXR or as raw arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.account import Account, Fields
from camera.formats.parsing import json_object, natural_key, number
from camera.view import Scene, View
from pipelines.inputs.posed_images import stack_pictures
from pipelines.inputs.reconstructions.vipe_arrays import depth_frames, npz_by_frame, values_by_frame
from pipelines.media.image import read_picture
from pipelines.media.video import count_frames, read_video

PARTS = ("rgb", "depth", "pose", "intrinsics")
FPS = 24.0


def is_vipe(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in PARTS)


def read_vipe(folder: Path, *, first_frame: int = 0, max_frames: int = 481, account: Account | None = None) -> Scene:
    """The clip from ``first_frame`` on, at its own size, with the estimated poses, lenses and depth (metres).

    The clip ends at the first frame without a pose, which is noted in ``account``. Raises `InputError` for missing or disagreeing parts.
    """
    name, video = _clip(folder)
    account = account or Account(name)
    manifest = _manifest(folder, account)
    if video.is_file():
        frames, fps = read_video(video, max_frames=first_frame + max_frames, every=True, account=account)
        total = max(count_frames(video), len(frames))
    else:
        frames, fps, total = _loose_frames(video, first_frame + max_frames, manifest, account)
    account.left_out(
        total - len(frames), total, "frames", f"the first {len(frames)} are used, the length of the longest clip"
    )
    poses = values_by_frame(folder / "pose", name, "poses", "4 4", account)
    lenses = values_by_frame(folder / "intrinsics", name, "intrinsics", "4|3 3", account)
    _check_kinds(folder / "intrinsics" / f"{name}_camera.txt")
    _say_others(folder, name, account)
    views = []
    with depth_frames(folder / "depth", name, total) as depth_of:
        for frame in range(first_frame, len(frames)):
            if frame not in poses or frame not in lenses:
                lacks = "pose" if frame not in poses else "lens"
                why = f"frame {frame} (counted from 0) has no {lacks}, and a clip has no gaps"
                account.left_out(len(frames) - frame, len(frames), "frames", why)
                break
            views.append(View.of(frames[frame], depth_of(frame), _lens(lenses[frame]), poses[frame]))
    if not views:
        raise InputError(f"The ViPE result has no pose and lens for frame {first_frame}; begin at another frame.")
    return Scene(tuple(views), "clip", "metres", fps, source="depth and poses estimated by ViPE", name=name)


def _clip(folder: Path) -> tuple[str, Path]:
    """The name of the only clip of a result, and its video, or the folder of its pictures."""
    videos = sorted((folder / "rgb").glob("*.mp4"))
    found = videos or sorted(each for each in (folder / "rgb").iterdir() if each.is_dir())
    if len(found) != 1:
        raise InputError(f"The ViPE result contains {len(found)} videos in rgb; use the result of one clip.")
    return found[0].stem if videos else found[0].name, found[0]


def _manifest(folder: Path, account: Account) -> Fields:
    """The clip's fields in ``manifest.json``, if it exists. Ignores its list of files, which is found in the folder itself."""
    path = folder / "manifest.json"
    values = json_object(path.read_bytes(), path.name) if path.is_file() else {}
    about = values.get("metadata", {})
    account.fields(values, path.name, idle=("format_version", "data")).use("metadata")
    return account.fields(about if isinstance(about, dict) else {}, path.name, idle=_SAID_TWICE)


def _loose_frames(folder: Path, most: int, manifest: Fields, account: Account) -> tuple[NDArray[np.uint8], float, int]:
    """Pictures named by frame number, (F,H,W,3), the frame rate from the manifest, and the total number of pictures."""
    files = sorted(
        (f for f in folder.iterdir() if f.suffix.lower() in (".webp", ".png", ".jpg")),
        key=lambda f: natural_key(f.name),
    )
    if [file.stem for file in files] != [f"{frame:05d}" for frame in range(len(files))] or not files:
        raise InputError(
            f"rgb/{folder.name} should contain pictures 00000, 00001 and on, without a gap; use the whole result."
        )
    if "base_fps" in manifest:
        fps = number(manifest["base_fps"], "'base_fps' of manifest.json", minimum=1e-3, maximum=1e3)
    else:
        fps = FPS
        account.say(
            f"The result does not contain the frame rate of its pictures; {FPS:g} frames per second are assumed."
        )
    return stack_pictures([read_picture(file).colour for file in files[:most]]), fps, len(files)


def say_cut(video: Path, count: int, account: Account) -> None:
    """Add a note on how many frames of a video were not read."""
    # a clip of variable frame rate has more frames than its file, and notes so itself
    total = max(count_frames(video), count)
    account.left_out(total - count, total, "frames", f"the first {count} are used, the length of the longest clip")


_by_frame = npz_by_frame
"""Old name of `npz_by_frame`, kept for one version."""


_IDLE = ("mask", "flow", "vipe", "vipe_aux_vis", "eval", "binary", "phrase")
"""Folders of a result that do not affect its frames, depth and cameras."""
_SAID_TWICE = ("depth_range", "total_frames", "resolution", "base_fps", "fov_x", "fov_y", "aspect_ratio")
"""Manifest fields that repeat the contents of the clip's files; the rate is used if the frames are separate pictures."""


def _say_others(folder: Path, name: str, account: Account) -> None:
    files = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    idle = [file for file in files if file.split("/")[0] in _IDLE or file == "pose/poses_inv.bin"]
    whole = ("manifest.json", f"rgb/{name}.mp4", f"depth/{name}.zip", f"depth/{name}.bin.zlib", "depth/depth.zip")
    arrays = [f"{each}/{name}.npz" for each in ("pose", "intrinsics")] + [f"intrinsics/{name}_camera.txt"]
    raw = [f"{each}{end}" for each in ("pose/poses", "intrinsics/intrinsics") for end in (".bin", "_meta.json")]
    by_frame = [file for file in files if file.startswith((f"rgb/{name}/", f"depth/{name}/"))]
    account.fields(dict.fromkeys(files), "files", idle=idle).use(*whole, *arrays, *raw, *by_frame)


def _check_kinds(path: Path) -> None:
    """Raise `InputError` for lenses that are not pinholes, from the lines ``FRAME: KIND`` of ViPE's list of lenses."""
    if not path.is_file():
        return
    kinds = {
        line.rpartition(":")[2].strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()
    }
    if others := sorted(kinds - {"PINHOLE"}):
        raise InputError(
            f"{path.name} contains the lens type {others[0][:40]}, which is not supported; run ViPE with its pinhole camera."
        )


def _lens(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,3) from a matrix or from fx, fy, cx, cy in pixels."""
    if values.shape == (3, 3):
        return values
    fx, fy, cx, cy = values
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
