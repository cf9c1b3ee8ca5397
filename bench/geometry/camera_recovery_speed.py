"""Speed and memory of camera recovery, beside `sfm.reconstruct` on the same video.

Each side runs in its own process, one after the other: elapsed and CPU time from the first frame read to the cameras, and the peak
memory of the process with all its imports. Compiling kernels is not counted: a small clip is processed first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench import Row, Scale, long_subject, peak_megabytes
from bench.geometry.known_clips import CACHE, encode, film, path_in
from camera.evaluation import paths as metrics
from camera.path import CameraPath
from pipelines.media.video import complete

SCENE, MOVE, FRAMES = "courtyard", "arc 16", 121
FASTER, MOST_MB = 6.0, 1500
WARM_FRAMES = 9
LIGHT_CRF = 18
HERE = "bench.geometry.camera_recovery_speed"


@long_subject
def camera_recovery_speed(scale: Scale) -> list[Row]:
    """121 frames of 1280 x 704 (25 of 320 x 176 if quick): time, memory and errors of both."""
    frames = 25 if scale.width < 640 else FRAMES
    path = path_in(SCENE, MOVE, frames, scale.width, scale.height)
    warm = path_in(SCENE, MOVE, WARM_FRAMES, 320, 176)
    files = [_kept_video(path), _kept_video(warm)]
    ours, theirs = (_measure(side, files) for side in ("recover", "reconstruct"))
    turns = [_turn_error(result, path) for result in (ours, theirs)]
    words = f"turn {turns[0]:.3f} deg, reference {turns[1]:.3f} deg; processor {ours['processor']:.0f} s, reference {theirs['processor']:.0f} s"
    fast = theirs["seconds"] >= FASTER * ours["seconds"] and turns[0] <= max(turns[1], 0.15)
    memory = f"{ours['megabytes']:.0f} MB, reference {theirs['megabytes']:.0f} MB"
    what = f"{frames} frames of {scale.width} x {scale.height}"
    took = 1e3 * ours["seconds"] / frames, 1e3 * theirs["seconds"] / frames
    return [
        Row(f"speed: {what}", *took, agreement=words, target=f"{FASTER:.0f}x, turn no worse", met=fast),
        Row("largest memory", took[0], agreement=memory, target=f"{MOST_MB} MB", met=ours["megabytes"] <= MOST_MB),
    ]


def _kept_video(path: CameraPath) -> Path:
    file = CACHE / f"speed-{len(path)}-{path.width}x{path.height}.mp4"
    if not file.is_file():
        frames = film(SCENE, path, fine=1)
        with complete(file) as part:
            encode(str(part), frames, LIGHT_CRF, 1.0)
    return file


def _measure(side: str, files: list[Path]) -> dict:
    done = subprocess.run([sys.executable, "-m", HERE, side, *map(str, files)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _turn_error(result: dict, truth: CameraPath) -> float:
    own = truth.sliced(result["frames"])
    poses = np.array(result["poses"])
    return float(np.median(metrics.rotation_error_degrees(own.with_poses(poses), own)))


def _run_side(side: str, file: Path, warm: Path) -> dict:
    """One side's measurement, run in the measured process."""
    run = _recover if side == "recover" else _reconstruct
    run(warm)
    start, spent = time.perf_counter(), time.process_time()
    frames, poses = run(file)
    return {
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - spent,
        "megabytes": peak_megabytes(),
        "frames": list(frames),
        "poses": poses.tolist(),
    }


def _recover(file: Path):
    from pipelines.estimation.recovery.follow import clip_of_video
    from pipelines.estimation.recovery.recover import recover

    estimate = recover(clip_of_video(file))
    return estimate.frames, estimate.path.world_from_camera


def _reconstruct(file: Path):
    from pipelines.estimation.sfm import reconstruct
    from pipelines.media.video import read_video

    frames, fps = read_video(file)
    result = reconstruct(frames, fps=fps)
    return result.frames, result.path.world_from_camera


if __name__ == "__main__":
    print(json.dumps(_run_side(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
