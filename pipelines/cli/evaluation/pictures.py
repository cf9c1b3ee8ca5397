"""Image metrics: against ground-truth frames, and of the first against the last frame if the path is closed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.evaluation.numbers import NUMBERS, Number
from camera.path import CameraPath, spread_indices
from camera.rotation import angle_degrees
from camera.view import Scene
from pipelines.results.embedded_scene import read_embedded_scene

if TYPE_CHECKING:
    from pipelines.cli.evaluation.lpips import Lpips

REPROJECTED, LEAST_SEEN = 6, 0.05
"""Number of frames besides the first into which the scene is projected, and minimum visible share of a frame."""
BACK_DEGREES, BACK_SHARE = 2.0, 0.05
"""Maximum distance of the last camera from the first for a closed path: rotation, and position as a share of the path length."""


def _refuse_paths(achieved: CameraPath, requested: CameraPath) -> float:
    raise InputError("Two paths have no pictures to compare.")


PICTURES = (
    Number("psnr", "PSNR", "", "decibels against true frames, averaged over frames", "high", _refuse_paths),
    Number("ssim", "SSIM", "Wang et al. 2004", "against true frames, 11-pixel Gaussian window, averaged over frames", "high", _refuse_paths),
    Number("lpips", "LPIPS", "Zhang et al. 2018", "against true frames, with the weights of --lpips, averaged over frames", "low", _refuse_paths),
    Number("revisit_psnr", "revisit PSNR", "", "decibels between first and last frame of a closed path", "high", _refuse_paths),
    Number("revisit_ssim", "revisit SSIM", "Wang et al. 2004", "between first and last frame of a closed path", "high", _refuse_paths),
    Number("reprojection", "depth reprojection PSNR", "", "decibels between frames and the scene projected into them by its depth along the move, where visible, 6 frames", "high", _refuse_paths),
)  # fmt: skip
ROWS = (*NUMBERS, *PICTURES)
"""All rows of a table."""


def numbers(
    video: Path, requested: CameraPath, truth: Path | NDArray[np.uint8] | None, lpips: Lpips | None = None
) -> dict[str, float | None]:
    """Metrics of a ``video`` shot along ``requested``; ``truth``: true frames (F,H,W,3), a video of them, or a folder with a video of
    the same name. ``lpips``: a network that also compares with true frames."""
    found: dict[str, float | None] = {number.key: None for number in PICTURES}
    wanted = truth if isinstance(truth, np.ndarray) else _true_video(video, truth)
    box = read_embedded_scene(video)
    if wanted is None and box is None and not is_closed(requested):
        return found
    from pipelines.media.video import read_video

    frames, _ = read_video(video)
    if wanted is not None:
        true = wanted if isinstance(wanted, np.ndarray) else read_video(wanted)[0]
        if len(true) != len(frames):
            name = "The clip" if isinstance(wanted, np.ndarray) else wanted.name
            raise InputError(
                f"{name} has {len(true)} true frames, {video.name} has {len(frames)}; the numbers must be equal."
            )
        pairs = [compare_pictures(frame, _match_size(other, frame)) for frame, other in zip(frames, true)]
        found["psnr"], found["ssim"] = np.mean(pairs, axis=0).tolist()
        if lpips is not None:
            found["lpips"] = float(np.mean([lpips.distance(frame, other) for frame, other in zip(frames, true)]))
    if box is not None and len(frames) <= len(requested):
        found["reprojection"] = reprojection_psnr(frames, box.scene, requested)
    if is_closed(requested) and len(frames) == len(requested):
        found["revisit_psnr"], found["revisit_ssim"] = compare_pictures(frames[0], frames[-1])
    return found


def reprojection_psnr(frames: NDArray[np.uint8], scene: Scene, path: CameraPath) -> float | None:
    """PSNR between frames (F,H,W,3) of ``path`` and the scene rendered from its depth into their cameras, over visible pixels,
    averaged over some frames; None if hardly any are visible."""
    from camera.render.scene import render
    from pipelines.media.image_metrics import psnr

    height, width = frames.shape[1:3]
    scene, path = scene.fitted(width, height, "stretch"), path.resized(width, height)
    found = []
    for number in spread_indices(len(frames), REPROJECTED + 1)[1:]:
        drawn = render(scene, path, frame=int(number))
        visible = ~(drawn.holes | drawn.far)
        if visible.mean() >= LEAST_SEEN:
            found.append(psnr(drawn.colour, frames[number], visible))
    return float(np.mean(found)) if found else None


def is_closed(path: CameraPath) -> bool:
    """Whether a path that moves ends where it began."""
    poses = path.relative_to_first().world_from_camera
    way = float(np.linalg.norm(np.diff(path.centres, axis=0), axis=1).sum())
    turned = float(angle_degrees(poses[:1, :3, :3], poses[:, :3, :3]).max())
    if way < 1e-9 and turned < BACK_DEGREES:
        return False
    near = float(np.linalg.norm(poses[-1, :3, 3])) <= BACK_SHARE * max(way, 1e-12)
    return near and float(angle_degrees(np.eye(3), poses[-1, :3, :3])) <= BACK_DEGREES


def compare_pictures(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[float, float]:
    """PSNR in decibels and SSIM of two pictures (H,W,3)."""
    import torch

    from pipelines.media.image_metrics import psnr, ssim

    a, b = (torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1).double() / 255 for one in (first, second))
    return psnr(a, b), float(ssim(a, b))


def _true_video(video: Path, truth: Path | None) -> Path | None:
    if truth is None:
        return None
    wanted = truth / video.name if truth.is_dir() else truth
    if not wanted.is_file():
        raise InputError(f"There are no true frames for {video.name} in {truth.name}.")
    return wanted


def _match_size(picture: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.shape != like.shape:
        raise InputError(
            f"True frames of {picture.shape[1]} x {picture.shape[0]} do not fit a shot of {like.shape[1]} x {like.shape[0]}; both must have one size."
        )
    return picture
