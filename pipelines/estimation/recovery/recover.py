"""`recover` estimates the camera of any kind of clip and notes what could not be determined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, spread_indices
from pipelines.estimation.recovery.follow import Clip, ClipTracks, Observations, follow
from pipelines.estimation.recovery.rotating_camera import USUAL, RotatingCameraFit, recover_rotating

Kind = Literal["still picture", "tripod", "pan", "zoom", "pan and zoom", "travel"]
Lens = Literal["held", "found", "assumed"]

STILL_LEVELS = 0.25
"""Mean difference between frames, in levels of 255, below which all show one picture: still pictures in H.264 at CRF 23 to 35
reach 0.23. A tripod's noise is mostly above that, but not in all short clips: then nothing tells the two apart."""
TRIPOD_DEGREES, TRIPOD_ZOOM = 0.15, 1.01
TURNS_DEGREES = 0.5
LEAST_POINTS = 24
"""Median of tracked points per frame below which there is too little texture."""
ALL_FIT = 0.9
"""Share of observations that fit a rotating camera above which no travelling one is tried."""
MOSTLY = 0.7
"""Above this share, the observations that do not fit a rotating camera may be moving objects; below it, the better fit is chosen."""
LEAST_AGREEING = 0.4
"""A camera that fits a smaller share of the observations is not reliable."""
LEAST_PARALLAX, CLEAR_PARALLAX = 0.5, 1.5
"""Parallax in degrees between two frames below which no travelling camera is tried; the larger value applies if a rotation fits most observations."""
UNEXPLAINED = 0.5
"""A travelling camera may leave at most this share of the observations that do not fit a rotating one unexplained: moving objects fit neither."""
FOCALS = (0.3, 4.0)
"""Accepted focal lengths of a travelling camera, in picture widths: 118 to 14 degrees."""
SURE = 0.012
"""A lens is reported as found if its relative standard deviation is below this: 9 of 10 such lenses are less than 2 % off."""


@dataclass(frozen=True, eq=False)
class CameraEstimate:
    """The camera of a clip of ``count`` frames.

    ``path``: cameras of the placed ``frames``, ascending, in the clip's own pixels and an arbitrary unit; a rotating camera
    stays at the origin. ``lens``: fixed as given, found, or assumed because the frames do not determine it.
    ``lens_uncertainty``: relative standard deviation of a found focal length. ``parallax_degrees``: median over the points of
    the widest angle between their rays, 0 for a rotating camera. ``error_px``: median reprojection error in the clip's own
    pixels. ``notes``: sentences on cuts, empty frames and what could not be determined. ``distance``: median depth of the
    points in the first camera, 0 for a camera that does not travel. ``agreeing``: share of the observations with less than
    a pixel of error in the scaled-down frames; below `LEAST_AGREEING` the camera is not reliable.
    """

    kind: Kind
    path: CameraPath
    frames: tuple[int, ...]
    count: int
    lens: Lens
    lens_uncertainty: float
    parallax_degrees: float
    error_px: float
    cuts: tuple[int, ...]
    empty: tuple[int, ...]
    notes: tuple[str, ...]
    distance: float = 0.0
    agreeing: float = 1.0

    @property
    def words(self) -> str:
        kinds = {
            "still picture": "One picture for all frames: no camera can be told.",
            "tripod": "The camera stands on a tripod.",
            "pan": "The camera turns in one place.",
            "zoom": "The camera stands and zooms.",
            "pan and zoom": "The camera turns in one place and zooms.",
            "travel": "The camera travels.",
        }
        placed = f"{len(self.frames)} of {self.count} frames placed, points miss by {self.error_px:.2f} pixels."
        return " ".join((kinds[self.kind], placed, *self.notes))


def recover(clip: Clip, *, focal_px: float | None = None) -> CameraEstimate:
    """Estimate the camera of ``clip``; ``focal_px``, in the clip's own pixels, fixes the lens of its first frame.

    Raises `InputError` for a single frame, and if nothing can be tracked: empty frames, no texture.
    """
    if len(clip.frames) < 2:
        raise InputError("One frame has no camera move; give a clip of 2 frames or more.")
    size = clip.frames.shape[2], clip.frames.shape[1]
    focal = None if focal_px is None else focal_px * size[0] / clip.width
    if _is_still(clip.frames):
        return _still_estimate(clip, focal)
    seen = follow(clip)
    start, end = _longest(seen, len(clip.frames))
    inside = np.arange(start, end)
    own = seen.observations.among(inside).seen_at_least(2)
    _check_texture(own, len(inside))
    notes = _notes(seen, start, end, len(clip.frames))
    return _choose_camera(clip, own, inside, focal, seen, notes)


def _choose_camera(
    clip: Clip, seen: Observations, inside: NDArray, focal: float | None, whole: ClipTracks, notes: list[str]
) -> CameraEstimate:
    from pipelines.estimation.recovery.travelling_camera import keyframes, parallax_degrees, recover_travelling

    size = clip.frames.shape[2], clip.frames.shape[1]
    keys = keyframes(seen, len(inside), size[0])
    rotating = recover_rotating(seen.among(keys).seen_at_least(2), len(keys), size, focal)
    moving = None
    lenses = {focal} if focal else {USUAL * size[0], float(rotating.cameras.focal[0])}
    least = CLEAR_PARALLAX if rotating.fits >= MOSTLY else LEAST_PARALLAX
    has_parallax = min(parallax_degrees(seen, keys, size, one) for one in lenses) >= least
    if rotating.fits < ALL_FIT and has_parallax and len(inside) >= 3:
        try:
            moving = recover_travelling(clip.frames[inside], seen, keys, rotating.cameras, focal)
        except InputError as error:
            notes.append(f"No travel could be told from the frames: {error}")
    if moving is not None and not FOCALS[0] < moving.cameras.focal[0] / size[0] < FOCALS[1]:
        moving = None  # a view this narrow looks like a zoom; one this wide is no lens of a video
    if moving is None or not _is_better(moving.fits, rotating.fits):
        if moving is not None:
            notes.append("A travelling camera explains the frames no better.")
        return _rotating_estimate(clip, seen, inside, focal, whole, notes)
    lens: Lens = "held" if focal else ("found" if moving.lens_uncertainty < SURE else "assumed")
    if lens == "assumed":
        doubt = f"standard deviation {100 * moving.lens_uncertainty:.1f} %"
        notes.append(f"The focal length cannot be told from this move ({doubt}).")
    if moving.zooms:
        notes.append("The lens changes on the way.")
    path = moving.cameras.path(*size, clip.fps).resized(clip.width, clip.height)
    frames = tuple(int(i) for i in inside[moving.placed])
    return CameraEstimate(
        "travel", path, frames, len(clip.frames), lens, moving.lens_uncertainty, moving.angle_degrees,
        moving.error_px * clip.width / size[0], whole.cuts, whole.empty,
        _note_agreement(moving.fits, notes), moving.distance, moving.fits,
    )  # fmt: skip


def _is_better(travel: float, turn: float) -> bool:
    """Whether a travelling camera that fits this share of the observations is preferred to a rotating one."""
    if turn >= MOSTLY:
        return 1 - travel <= UNEXPLAINED * (1 - turn)
    return travel > turn


def _note_agreement(agreeing: float, notes: list[str]) -> tuple[str, ...]:
    if agreeing >= LEAST_AGREEING:
        return tuple(notes)
    share = f"Only {100 * agreeing:.0f} % of what was followed agrees with one camera"
    return (*notes, f"{share}: much moves in the picture, or it changes; do not rely on this camera.")


def _rotating_estimate(
    clip: Clip, seen: Observations, inside: NDArray, focal: float | None, whole: ClipTracks, notes: list[str]
) -> CameraEstimate:
    size = clip.frames.shape[2], clip.frames.shape[1]
    found, placed = _fit_rotating(seen, len(inside), size, focal)
    unsure = focal is None and not (found.lens_uncertainty < SURE and found.turn_degrees > TURNS_DEGREES)
    if unsure:
        assumed = USUAL * size[0]
        found, placed = _fit_rotating(seen, len(inside), size, assumed)
        notes.append("The focal length cannot be told from this move; a field of view of 55 degrees is assumed.")
    kind = _kind(found)
    path = found.cameras.path(*size, clip.fps).resized(clip.width, clip.height)
    lens: Lens = "held" if focal else ("assumed" if unsure else "found")
    frames = tuple(int(i) for i in inside[placed])
    error = np.nan if found.error_px is None else found.error_px * clip.width / size[0]
    return CameraEstimate(
        kind, path.sliced(placed), frames, len(clip.frames), lens, found.lens_uncertainty, 0.0, float(error),  # type: ignore[arg-type]
        whole.cuts, whole.empty, _note_agreement(found.fits, notes), 0.0, found.fits,
    )  # fmt: skip


def _fit_rotating(
    seen: Observations, frames: int, size: tuple[int, int], focal: float | None
) -> tuple[RotatingCameraFit, NDArray[np.int64]]:
    """The rotating camera of all frames, and which of them contain enough points."""
    from pipelines.estimation.recovery.travelling_camera import MOST_ADJUSTED

    chosen = spread_indices(frames, MOST_ADJUSTED)
    found = recover_rotating(seen.among(chosen).seen_at_least(2), len(chosen), size, focal)
    if len(chosen) < frames:
        found = found.interpolated(chosen, frames)
    counts = np.bincount(seen.frame, minlength=frames)
    return found, np.flatnonzero(counts >= LEAST_POINTS // 2)


def _kind(found: RotatingCameraFit) -> Kind:
    zooms = found.zoom > 1.02
    turns = found.turn_degrees > (TURNS_DEGREES if zooms else TRIPOD_DEGREES)
    if zooms:
        return "pan and zoom" if turns else "zoom"
    return "pan" if turns else "tripod"


def _is_still(frames: NDArray[np.uint8]) -> bool:
    """Whether all frames are the same picture, up to compression."""
    first = frames[0].astype(np.int16)
    chosen = frames[spread_indices(len(frames), 12)]
    return all(float(np.abs(frame - first).mean()) < STILL_LEVELS for frame in chosen)


def _still_estimate(clip: Clip, focal: float | None) -> CameraEstimate:
    size = clip.frames.shape[2], clip.frames.shape[1]
    f = focal or USUAL * size[0]
    lens = np.array([[f, 0, (size[0] - 1) / 2], [0, f, (size[1] - 1) / 2], [0, 0, 1]])
    poses = np.repeat(np.eye(4)[None], len(clip.frames), axis=0)
    path = CameraPath(poses, lens, *size, clip.fps).resized(clip.width, clip.height)
    empty = tuple(range(len(clip.frames))) if float(clip.frames[0].std(axis=(0, 1)).max()) < 3 else ()
    if empty:
        raise InputError("The frames show nothing, black or of one colour, so no camera can be found in them.")
    notes = ("All frames show the same picture, as a still picture made a video does.",)
    return CameraEstimate(
        "still picture", path, tuple(range(len(clip.frames))), len(clip.frames), "held" if focal else "assumed",
        float("inf"), 0.0, 0.0, (), empty, notes,
    )  # fmt: skip


def _longest(seen: ClipTracks, count: int) -> tuple[int, int]:
    if not seen.stretches:
        raise InputError("The frames show nothing, black or of one colour, so no camera can be found in them.")
    best = max(seen.stretches, key=lambda stretch: stretch[1] - stretch[0])
    if best[1] - best[0] < 2:
        raise InputError(f"No two frames of {count} in a row belong together, so there is no camera to follow.")
    return best


def _check_texture(seen: Observations, frames: int) -> None:
    counts = np.bincount(seen.frame, minlength=frames)
    if np.median(counts) < LEAST_POINTS:
        raise InputError(
            f"The frames have too little texture to follow: {int(np.median(counts))} points a frame, {LEAST_POINTS} are needed."
        )


def _notes(seen: ClipTracks, start: int, end: int, count: int) -> list[str]:
    notes = []
    if seen.cuts:
        where = ", ".join(map(str, seen.cuts[:8])) + (" and more" if len(seen.cuts) > 8 else "")
        notes.append(f"The clip is cut at frame {where}; the longest part, frames {start} to {end - 1}, was used.")
    if seen.empty:
        notes.append(f"{len(seen.empty)} frames show nothing, the first is frame {seen.empty[0]}.")
    if seen.overlays >= 4:
        notes.append(f"{seen.overlays} points stand still on the screen, a text or a mark perhaps; they were left out.")
    return notes
