"""Results of ViPE (video pose engine): rgb/*.mp4, depth/NAME.zip of EXR files, pose/NAME.npz, intrinsics/NAME.npz."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError, reading
from camera.formats.account import Account
from camera.formats.parsing import npz_shapes
from camera.view import Scene, View
from pipelines.inputs.npz import read_npz
from pipelines.media.depth_map.read import read_depth_map
from pipelines.media.video import count_frames, read_video

PARTS = ("rgb", "depth", "pose", "intrinsics")
MAX_EXR_BYTES = 256 << 20


def is_vipe(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in PARTS)


def read_vipe(folder: Path, *, first_frame: int = 0, max_frames: int = 481, account: Account | None = None) -> Scene:
    """The clip from ``first_frame`` on, at its own size, with the estimated poses, lenses and depth (metres).

    Frames without a pose of their own end the clip, which ``account`` says. Raises `InputError` for missing or disagreeing parts.
    """
    videos = sorted((folder / "rgb").glob("*.mp4"))
    if len(videos) != 1:
        raise InputError(f"The ViPE result holds {len(videos)} videos in rgb; give the result of one clip.")
    name = videos[0].stem
    account = account or Account(name)
    frames, fps = read_video(videos[0], max_frames=first_frame + max_frames, every=True, account=account)
    say_cut(videos[0], len(frames), account)
    poses = _by_frame(_part(folder / "pose" / f"{name}.npz"), "4 4", account)
    lenses = _by_frame(_part(folder / "intrinsics" / f"{name}.npz"), "4|3 3", account)
    _check_kinds(folder / "intrinsics" / f"{name}_camera.txt")
    _say_others(folder, name, account)
    views = []
    with (
        tempfile.TemporaryDirectory(prefix="depth-") as temporary,
        _open_zip(folder / "depth" / f"{name}.zip") as archive,
    ):
        for frame in range(first_frame, len(frames)):
            if frame not in poses or frame not in lenses:
                lacks = "pose" if frame not in poses else "lens"
                account.left_out(
                    len(frames) - frame,
                    len(frames),
                    "frames",
                    f"frame {frame} (counted from 0) has no {lacks}, and a clip has no gaps",
                )
                break
            depth = _depth(archive, frame, Path(temporary))
            views.append(View.of(frames[frame], depth, _lens(lenses[frame]), poses[frame]))
    if not views:
        raise InputError(f"The ViPE result has no pose and lens for frame {first_frame}; begin at another frame.")
    return Scene(tuple(views), "clip", "metres", fps, source="depth and poses estimated by ViPE", name=name)


def say_cut(video: Path, kept: int, account: Account) -> None:
    """Say how many frames of a video were not read."""
    total = max(count_frames(video), kept)  # a clip of uneven rate is longer than its file, and says so itself
    account.left_out(total - kept, total, "frames", f"the first {kept} are taken, which is the longest clip")


def _part(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"The ViPE result has no {path.parent.name}/{path.name}; give the whole result folder.")
    return path


def _by_frame(path: Path, shape: str, account: Account) -> dict[int, NDArray[np.float64]]:
    """Matrices or vectors of a ViPE npz by frame number; ``shape`` may offer two forms, separated by a bar."""
    refusal = None
    if npz_shapes(path.read_bytes(), path.name).get("data", ())[1:] == (5,):
        raise InputError(
            f"{path.name} holds lenses of five numbers: ViPE's wide-angle model (MEI), which cannot be followed here; run ViPE "
            "with its pinhole camera."
        )
    for form in shape.split("|"):
        try:
            arrays = read_npz(path, {"inds": "T", "data": f"T {form}"}, account=account)
        except InputError as error:
            refusal = error
            continue
        return {int(frame): value.astype(np.float64) for frame, value in zip(arrays["inds"], arrays["data"])}
    raise refusal or InputError(f"{path.name} cannot be read.")


_IDLE = ("mask", "flow", "vipe", "vipe_aux_vis", "eval", "binary")
"""Folders of a result whose files bear nothing on its frames, depth and cameras."""


def _say_others(folder: Path, name: str, account: Account) -> None:
    files = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    idle = [file for file in files if file.split("/")[0] in _IDLE]
    used = (
        f"rgb/{name}.mp4",
        f"depth/{name}.zip",
        f"pose/{name}.npz",
        f"intrinsics/{name}.npz",
        f"intrinsics/{name}_camera.txt",
    )
    account.fields(dict.fromkeys(files), "files", idle=idle).use(*used)


def _check_kinds(path: Path) -> None:
    """Raises `InputError` for lenses that are no pinhole, by the lines ``FRAME: KIND`` of ViPE's list of them."""
    if not path.is_file():
        return
    kinds = {
        line.rpartition(":")[2].strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()
    }
    if others := sorted(kinds - {"PINHOLE"}):
        raise InputError(
            f"{path.name} says that the lens is {others[0][:40]}, which cannot be followed here; run ViPE with its pinhole camera."
        )


def _lens(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,3) from a matrix or from fx, fy, cx, cy in pixels."""
    if values.shape == (3, 3):
        return values
    fx, fy, cx, cy = values
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_part(path))
    except zipfile.BadZipFile as error:
        raise InputError(f"{path.name} is a damaged zip file; export the ViPE result again.") from error


def _depth(archive: zipfile.ZipFile, frame: int, folder: Path) -> NDArray[np.float32]:
    name = f"{frame:05d}.exr"
    with reading(f"The depth archive has no readable {name}; export the ViPE result again."):
        if archive.getinfo(name).file_size > MAX_EXR_BYTES:
            raise InputError(f"The depth {name} is larger than {MAX_EXR_BYTES >> 20} MiB; it is no depth map.")
        content = archive.read(name)
    path = folder / name
    path.write_bytes(content)
    try:
        return read_depth_map(path, "distance").values
    finally:
        path.unlink()
