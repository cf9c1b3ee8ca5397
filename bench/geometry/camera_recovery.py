"""Cameras recovered from rendered clips whose truth is known: errors, kinds, injected faults, and speed beside `sfm.reconstruct`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import Row, Scale, long_subject
from camera.evaluation import paths as metrics
from camera.evaluation.response import response
from camera.evaluation.take import compare_paths
from camera.path import CameraPath
from camera.rotation import about_axis
from camera.trajectories.film_script import path_of
from examples.render import home, setting_of
from examples.render import render as true_view
from pipelines.estimation import sfm
from pipelines.estimation.recovery.follow import clip_of
from pipelines.estimation.recovery.recover import Recovered, recover
from pipelines.media.video import complete

TRAVELS = (
    ("courtyard", "arc 16", 49), ("fox", "arc 30 ease", 121), ("toy_train", "arc 20", 49), ("street_at_dusk", "dolly 0.25 + pan 10", 49),
    ("reading_room", "arc 18 ease", 49), ("still_life", "arc 24 ease + pedestal 0.1", 49), ("lighthouse", "truck 0.3 + pan -10", 49),
    ("temple_garden", "arc -14 + dolly 0.1", 49), ("courtyard", "crane 0.2 + arc -12", 121), ("toy_train", "arc -24 ease", 49),
    ("courtyard", "truck 0.15 + pan -8", 121), ("street_at_dusk", "truck 0.2 + pan 8", 49),
)  # fmt: skip
"""Scene, move and frames; in the toy train's the train moves, in the street's and the fox's things sway."""
STANDING = tuple(
    (scene, move, kind)
    for scene in ("courtyard", "fox", "mountain_lake", "reading_room")
    for move, kind in (("pan 16", "pan"), ("hold", "tripod"), ("zoom 1.3", "zoom"))
)
FAULTY = "courtyard"
"""The scene of the injected faults."""
WIDTH = 320
"""Clips are marched ray by ray: larger ones would take hours."""
KEPT = Path(__file__).parents[2] / "build" / "bench-clips"
"""Rendered frames are kept here under a name made of scene, cameras and renderer, so that a second run only measures."""
NOISE = 3.0
"""Levels of noise before compression."""
CRF = 30
FULL_FRAMES = 121
TURN_DEGREES, DIRECTION_DEGREES, LENS_SHARE = 0.15, 1.5, 0.02
FASTER = 6.0


@long_subject
def camera_recovery(scale: Scale) -> list[Row]:
    """Errors of travelling cameras with a held and a free lens, kinds of standing ones, faults, and the speed of a full-size clip."""
    width = min(scale.width, WIDTH)
    few = scale.width < 640
    rows: list[Row] = []
    for scene, move, frames in TRAVELS[:2] if few else TRAVELS:
        rows += travelling(scene, move, 13 if few else frames, width)
    rows.append(standing(STANDING[:3] if few else STANDING, width, 9))
    rows += faults(width, 25 if few else 49)
    rows.append(speed(scale, 13 if few else FULL_FRAMES))
    return rows


def shot(scene: str, path: CameraPath) -> NDArray[np.uint8]:
    """True frames (F,H,W,3), the scene's clock running; kept in `KEPT`."""
    file = KEPT / f"{scene}-{_name(scene, path)}.npy"
    if not file.is_file():
        frames = np.stack([true_view(scene, path, i, samples=1).colour for i in range(len(path))])
        KEPT.mkdir(parents=True, exist_ok=True)
        with complete(file) as part, part.open("wb") as out:
            np.save(out, frames)
    return np.load(file, allow_pickle=False)


def _name(scene: str, path: CameraPath) -> str:
    renderer = b"".join(
        file.read_bytes() for file in sorted((Path(__file__).parents[2] / "examples/render").rglob("*.py"))
    )
    cameras = np.round(path.world_from_camera, 9).tobytes() + np.round(path.intrinsics, 9).tobytes()
    size = f"{scene} {path.width} {path.height} {path.fps}".encode()
    return hashlib.sha256(renderer + cameras + size).hexdigest()[:16]


def path_in(scene: str, move: str, frames: int, width: int, height: int) -> CameraPath:
    first = true_view(scene, home(setting_of(scene), width, height), samples=1)
    return path_of(move, first, frames=frames)


def compress(frames: NDArray[np.uint8], crf: int = CRF) -> NDArray[np.uint8]:
    """With noise, through H.264 and back."""
    import io

    import av

    noise = np.random.default_rng(0).normal(0, NOISE, frames.shape).astype(np.float32)
    noisy = np.clip(frames + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2, "yuv420p"
        for frame in noisy[:, : stream.height, : stream.width]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as made:
        return np.stack([np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in made.decode(video=0)])


def errors(found: Recovered, truth: CameraPath) -> tuple[float, float, float]:
    """Medians over the placed frames: degrees of turn, degrees of direction of travel, share of the focal length."""
    own = truth.sliced(list(found.frames))  # type: ignore[arg-type]
    turn = float(np.median(metrics.rotation_error_degrees(found.path, own)))
    direction = float(np.nanmedian(metrics.translation_direction_degrees(found.path, own)))
    lens = float(np.median(np.abs(found.path.intrinsics[:, 0, 0] / own.intrinsics[:, 0, 0] - 1)))
    return turn, direction, lens


def travelling(scene: str, move: str, frames: int, width: int) -> list[Row]:
    path = path_in(scene, move, frames, width, width * 11 // 20 // 2 * 2)
    clip = compress(shot(scene, path))
    rows = []
    for lens, focal in (("held", float(path.intrinsics[0, 0, 0])), ("free", None)):
        start = time.perf_counter()
        found = recover(clip_of(clip, path.fps), focal_px=focal)
        taken = 1e3 * (time.perf_counter() - start) / frames
        turn, direction, off = errors(found, path)
        unsure = "" if found.lens != "assumed" else " (said to be unsure)"
        words = f"{found.kind}, {len(found.frames)} of {frames} placed, turn {turn:.3f} deg, direction {direction:.2f} deg, lens {100 * off:.2f} %{unsure}"
        met = turn <= TURN_DEGREES and direction <= DIRECTION_DEGREES and (off <= LENS_SHARE or focal is not None)
        target = f"{TURN_DEGREES} deg, {DIRECTION_DEGREES} deg" + ("" if focal else f", {100 * LENS_SHARE:.0f} %")
        rows.append(
            Row(f"{scene}, {move}, {frames} frames, lens {lens}", taken, agreement=words, target=target, met=met)
        )
    return rows


def standing(clips: tuple[tuple[str, str, str], ...], width: int, frames: int) -> Row:
    hits, missed, taken = 0, [], 0.0
    for scene, move, kind in clips:
        clip = compress(shot(scene, path_in(scene, move, frames, width, width * 11 // 20 // 2 * 2)))
        start = time.perf_counter()
        found = recover(clip_of(clip))
        taken += time.perf_counter() - start
        hits += found.kind == kind
        missed += [] if found.kind == kind else [f"{scene} {move}: {found.kind}"]
    words = f"{hits} of {len(clips)} kinds" + "".join(f"; {each}" for each in missed)
    return Row(
        "tripods, pans and zooms",
        1e3 * taken / frames / len(clips),
        agreement=words,
        target="all",
        met=hits == len(clips),
    )


def faults(width: int, frames: int) -> list[Row]:
    """Shots that do not do what was asked, in known ways: what is measured of each fault beside its size."""
    asked = path_in(FAULTY, "arc 24 ease", frames, width, width * 11 // 20 // 2 * 2)
    injected: tuple[tuple[str, CameraPath, float, Callable[[Recovered], float]], ...] = (
        (
            "gain 0.8",
            path_in(FAULTY, "arc 19.2 ease", frames, asked.width, asked.height),
            0.2,
            lambda found: 1 - _pan_answer(asked, found).gain,
        ),
        ("lag of 6 frames", _late(asked, 6), 6.0, lambda found: _pan_answer(asked, found).lag),
        ("roll of 3 degrees", _roll_path(asked, 3), 3.0, lambda found: _roll(asked, found)),
        ("lens 10 % too long", _longer(asked, 1.1), 0.1, lambda found: _lens(asked, found)),
    )
    rows = []
    for name, path, size, measure in injected:
        clip = compress(shot(FAULTY, path))
        start = time.perf_counter()
        found = recover(clip_of(clip, path.fps), focal_px=None if "lens" in name else float(asked.intrinsics[0, 0, 0]))
        taken = 1e3 * (time.perf_counter() - start) / frames
        got = measure(found)
        words = f"measured {got:.3g} of {size:g}"
        rows.append(
            Row(f"fault: {name}", taken, agreement=words, target="within 10 %", met=abs(got - size) <= 0.1 * size)
        )
    return rows


def _pan_answer(asked: CameraPath, found: Recovered):
    own = asked.sliced(list(found.frames))  # type: ignore[arg-type]
    return next(one for one in response("", "", [(own, found.path)]).answers if one.axis == "pan")


def _roll(asked: CameraPath, found: Recovered) -> float:
    own = asked.sliced(list(found.frames))  # type: ignore[arg-type]
    turns = own.world_from_camera[0, :3, :3].T @ own.world_from_camera[-1, :3, :3]
    got = found.path.world_from_camera[0, :3, :3].T @ found.path.world_from_camera[-1, :3, :3]
    return abs(float(np.degrees(cv2.Rodrigues(turns.T @ got)[0][2, 0])))


def _lens(asked: CameraPath, found: Recovered) -> float:
    return float(np.median(compare_paths(found.path, asked, frames=found.frames).lens)) - 1


def _late(path: CameraPath, frames: int) -> CameraPath:
    where = np.maximum(np.arange(len(path)) - frames, 0)
    return path.sliced(where)  # type: ignore[arg-type]


def _roll_path(path: CameraPath, degrees: float) -> CameraPath:
    poses = path.world_from_camera.copy()
    poses[:, :3, :3] = poses[:, :3, :3] @ about_axis([0, 0, 1], degrees * np.linspace(0, 1, len(path)))
    return path.with_poses(poses)


def _longer(path: CameraPath, times: float) -> CameraPath:
    lenses = path.intrinsics.copy()
    lenses[:, [0, 1], [0, 1]] *= times
    return replace(path, intrinsics=lenses)


def speed(scale: Scale, frames: int) -> Row:
    """A full-size clip, ours and `sfm.reconstruct` with all its pictures, one after the other on the same cores."""
    path = path_in("courtyard", "arc 16", frames, scale.width, scale.height)
    clip = shot("courtyard", path)
    start = time.perf_counter()
    ours = recover(clip_of(clip, path.fps))
    middle = time.perf_counter()
    theirs = sfm.reconstruct(clip, fps=path.fps)
    end = time.perf_counter()
    turn, direction, lens = errors(ours, path)
    own = path.sliced(list(theirs.frames))  # type: ignore[arg-type]
    reference = float(np.median(metrics.rotation_error_degrees(theirs.path, own)))
    words = (
        f"turn {turn:.3f} deg, direction {direction:.2f} deg, lens {100 * lens:.2f} %, {len(ours.frames)} placed; "
        f"reference turn {reference:.3f} deg, {len(theirs.frames)} placed"
    )
    taken = 1e3 * (middle - start) / frames, 1e3 * (end - middle) / frames
    met = taken[1] >= FASTER * taken[0] and turn <= max(reference, TURN_DEGREES)
    return Row(
        f"speed: {frames} frames of {scale.width} x {scale.height}",
        taken[0],
        taken[1],
        words,
        f"{FASTER:.0f}x at equal error",
        met,
    )
