"""Reshoot's methods as a camera-conditioned model for WBench: takes its poses and returns frames; see docs/evaluation.md.

WBench (github.com/meituan-longcat/WBench, src/models/camera) passes one world-from-camera pose per latent frame (every fourth
frame), OpenCV axes, and a lens of a 1920 x 1080 picture with its centre at (960, 540); it expects BGR frames.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.formats.reshoot import write
from camera.path import CameraPath
from camera.rotation import orthonormal

FPS = 24.0
WIDTH, HEIGHT = 1920, 1080
"""Picture size of WBench's lens."""


def path_of(poses: Mapping[str, Any], frames: int) -> CameraPath:
    """The path with ``frames`` frames; raises `InputError` for invalid poses.

    Poses of third-person cases have their x axis pointing left, so they are mirrored; this is undone.
    """
    try:
        order = sorted(poses, key=int)
        matrices = np.array([poses[key]["extrinsic"] for key in order], dtype=np.float64)
        lenses = np.array([poses[key]["K"] for key in order], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "WBench's poses are numbered entries with a 4x4 extrinsic and a 3x3 K; these are not."
        ) from error
    if matrices.ndim != 3 or matrices.shape[1:] != (4, 4) or lenses.shape[1:] != (3, 3):
        raise InputError(f"WBench's poses are 4x4 and its lenses 3x3, got {matrices.shape} and {lenses.shape}.")
    mirrored = np.linalg.det(matrices[:, :3, :3]) < 0
    matrices[mirrored, :3, 0] *= -1
    matrices[:, :3, :3] = orthonormal(matrices[:, :3, :3])
    lenses[:, :2, 2] -= 0.5  # WBench's pixel centres are at halves
    path = CameraPath(matrices, lenses, WIDTH, HEIGHT, FPS * len(order) / frames).relative_to_first()
    return path.resampled(frames).with_fps(FPS)


def generate_with_poses(
    method: str, image: str, poses: Mapping[str, Any], video_length: int, options: Sequence[str] = ()
) -> list[NDArray[np.uint8]]:
    """Shoot ``image`` with ``method`` along the poses; returns ``video_length`` BGR frames (H,W,3). This is WBench's model hook.

    ``options`` as on the command line, for example ``["--weights", "tiny", "--depth-model", "guess"]`` for a dry run. The method
    shoots a number of frames that it supports; each requested frame is the nearest of them in time.
    """
    from pipelines.__main__ import main
    from pipelines.media.video import read_video

    with tempfile.TemporaryDirectory(prefix="reshoot-wbench-") as folder:
        (Path(folder) / "path.json").write_bytes(write(path_of(poses, video_length)))
        out = Path(folder) / "shot.mp4"
        given = ["run", method, "--image", image, "--path", f"{folder}/path.json", "--out", str(out), *options]
        if main(given) or not out.is_file():
            raise InputError(f"{method} did not shoot {Path(image).name}; see its messages above.")
        frames, _ = read_video(out)
    nearest = np.linspace(0, len(frames) - 1, video_length).round().astype(int)
    return [np.ascontiguousarray(frames[i][..., ::-1]) for i in nearest]
