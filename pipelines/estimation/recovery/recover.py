"""`recover`: the camera of a clip, whatever kind of camera it is, and in words what could not be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, spread_indices
from pipelines.estimation.recovery.follow import Clip, Followed, Sightings, follow
from pipelines.estimation.recovery.turning import USUAL, Turned, recover_turning

Kind = Literal["still picture", "tripod", "pan", "zoom", "pan and zoom", "travel"]
Lens = Literal["held", "found", "assumed"]

STILL_LEVELS = 0.25
"""Mean difference between frames, in levels of 255, below which they show one and the same picture: still pictures in H.264 at
CRF 23 to 35 reach 0.23. A tripod's noise is mostly above, but not in all short clips: then nothing tells the two apart."""
TRIPOD_DEGREES, TRIPOD_ZOOM = 0.15, 1.01
TURNS_DEGREES = 0.5
LEAST_POINTS = 24
"""Followed points per frame, in the median, below which there is too little texture."""
ALL_FIT = 0.9
"""Where so large a share of the sightings fits a turning camera, no travelling one is looked for."""
MOSTLY = 0.7
"""Where a turning camera fits so large a share, what is left may be what moves; where it fits less, the better fit is taken."""
LEAST_AGREEING = 0.4
"""A camera that fits less of the sightings is not to be relied on."""
LEAST_PARALLAX, CLEAR_PARALLAX = 0.5, 1.5
"""Degrees between two frames' rays, below which no travelling camera is looked for; the larger where a turn explains most."""
UNEXPLAINED = 0.5
"""Of what misfits a turning camera a travelling one may leave at most this share: things that move misfit both."""
FOCALS = (0.3, 4.0)
"""Focal lengths of a travelling camera that are believed, in picture widths: 118 to 14 degrees."""
SURE = 0.02


@dataclass(frozen=True, eq=False)
class Recovered:
    """The camera of a clip of ``count`` frames.

    ``path``: cameras of the placed ``frames``, ascending, in the clip's own pixels and a unit of their own; a camera that
    only turns stays in the origin. ``lens``: held as given, found, or assumed because the frames do not tell. ``lens_doubt``:
    relative standard deviation of a found focal length. ``parallax_degrees``: median of the widest angle under which points
    are seen, 0 for a turning camera. ``error_px``: median miss of the points in the clip's own pixels. ``notes``: sentences
    on cuts, empty frames and what could not be told. ``distance``: median depth of the points before the first camera, 0 for
    a camera that does not travel. ``agreeing``: share of the sightings that miss by less than a pixel of the small frames;
    below `LEAST_AGREEING` the camera is not to be relied on.
    """

    kind: Kind
    path: CameraPath
    frames: tuple[int, ...]
    count: int
    lens: Lens
    lens_doubt: float
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


def recover(clip: Clip, *, focal_px: float | None = None) -> Recovered:
    """The camera of ``clip``; ``focal_px``, in the clip's own pixels, holds the lens of its first frame.

    Raises `InputError` for a single frame, and where nothing can be followed: empty frames, no texture.
    """
    if len(clip.frames) < 2:
        raise InputError("One frame has no camera move; give a clip of 2 frames or more.")
    size = clip.frames.shape[2], clip.frames.shape[1]
    focal = None if focal_px is None else focal_px * size[0] / clip.width
    if _is_still(clip.frames):
        return _standing(clip, focal)
    seen = follow(clip)
    start, end = _longest(seen, len(clip.frames))
    inside = np.arange(start, end)
    own = seen.sightings.among(inside).seen_at_least(2)
    _check_texture(own, len(inside))
    notes = _notes(seen, start, end, len(clip.frames))
    return _choose_camera(clip, own, inside, focal, seen, notes)


def _choose_camera(
    clip: Clip, seen: Sightings, inside: NDArray, focal: float | None, whole: Followed, notes: list[str]
) -> Recovered:
    from pipelines.estimation.recovery.travelling import keyframes, parallax_degrees, recover_travelling

    size = clip.frames.shape[2], clip.frames.shape[1]
    keys = keyframes(seen, len(inside), size[0])
    turning = recover_turning(seen.among(keys).seen_at_least(2), len(keys), size, focal)
    moving = None
    lenses = {focal} if focal else {USUAL * size[0], float(turning.cameras.focal[0])}
    least = CLEAR_PARALLAX if turning.fits >= MOSTLY else LEAST_PARALLAX
    has_parallax = min(parallax_degrees(seen, keys, size, one) for one in lenses) >= least
    if turning.fits < ALL_FIT and has_parallax and len(inside) >= 3:
        try:
            moving = recover_travelling(clip.frames[inside], seen, keys, focal)
        except InputError as error:
            notes.append(f"No travel could be told from the frames: {error}")
    if moving is not None and not FOCALS[0] < moving.cameras.focal[0] / size[0] < FOCALS[1]:
        moving = None  # so narrow a view hides a zoom, so wide a one nothing at all
    if moving is None or not _is_better(moving.fits, turning.fits):
        if moving is not None:
            notes.append("A travelling camera explains the frames no better.")
        return _turning(clip, seen, inside, focal, whole, notes)
    lens: Lens = "held" if focal else ("found" if moving.lens_doubt < SURE else "assumed")
    if lens == "assumed":
        notes.append(f"The focal length cannot be told from this move (to {100 * moving.lens_doubt:.0f} %).")
    if moving.zooms:
        notes.append("The lens changes on the way.")
    path = moving.cameras.path(*size, clip.fps).resized(clip.width, clip.height)
    frames = tuple(int(i) for i in inside[moving.placed])
    return Recovered(
        "travel", path, frames, len(clip.frames), lens, moving.lens_doubt, moving.angle_degrees,
        moving.error_px * clip.width / size[0], whole.cuts, whole.empty,
        _note_doubt(moving.fits, notes), moving.distance, moving.fits,
    )  # fmt: skip


def _is_better(travel: float, turn: float) -> bool:
    """Whether a travelling camera, which fits so much of the sightings, is believed instead of a turning one."""
    if turn >= MOSTLY:
        return 1 - travel <= UNEXPLAINED * (1 - turn)
    return travel > turn


def _note_doubt(agreeing: float, notes: list[str]) -> tuple[str, ...]:
    if agreeing >= LEAST_AGREEING:
        return tuple(notes)
    share = f"Only {100 * agreeing:.0f} % of what was followed agrees with one camera"
    return (*notes, f"{share}: much moves in the picture, or it changes; do not rely on this camera.")


def _turning(
    clip: Clip, seen: Sightings, inside: NDArray, focal: float | None, whole: Followed, notes: list[str]
) -> Recovered:
    size = clip.frames.shape[2], clip.frames.shape[1]
    found, placed = _turn_all(seen, len(inside), size, focal)
    unsure = focal is None and not (found.lens_doubt < SURE and found.turn_degrees > TURNS_DEGREES)
    if unsure:
        assumed = USUAL * size[0]
        found, placed = _turn_all(seen, len(inside), size, assumed)
        notes.append("The focal length cannot be told from this move; a field of view of 55 degrees is assumed.")
    kind = _kind(found)
    path = found.cameras.path(*size, clip.fps).resized(clip.width, clip.height)
    lens: Lens = "held" if focal else ("assumed" if unsure else "found")
    frames = tuple(int(i) for i in inside[placed])
    error = np.nan if found.error_px is None else found.error_px * clip.width / size[0]
    return Recovered(
        kind, path.sliced(placed), frames, len(clip.frames), lens, found.lens_doubt, 0.0, float(error),  # type: ignore[arg-type]
        whole.cuts, whole.empty, _note_doubt(found.fits, notes), 0.0, found.fits,
    )  # fmt: skip


def _turn_all(
    seen: Sightings, frames: int, size: tuple[int, int], focal: float | None
) -> tuple[Turned, NDArray[np.int64]]:
    """The turning camera of all frames, and which of them show enough points."""
    from pipelines.estimation.recovery.travelling import MOST_ADJUSTED

    chosen = spread_indices(frames, MOST_ADJUSTED)
    found = recover_turning(seen.among(chosen).seen_at_least(2), len(chosen), size, focal)
    if len(chosen) < frames:
        found = found.spread(chosen, frames)
    counts = np.bincount(seen.frame, minlength=frames)
    return found, np.flatnonzero(counts >= LEAST_POINTS // 2)


def _kind(found: Turned) -> Kind:
    zooms = found.zoom > 1.02
    turns = found.turn_degrees > (TURNS_DEGREES if zooms else TRIPOD_DEGREES)
    if zooms:
        return "pan and zoom" if turns else "zoom"
    return "pan" if turns else "tripod"


def _is_still(frames: NDArray[np.uint8]) -> bool:
    """Whether all frames show the very same picture, but for what compression left."""
    first = frames[0].astype(np.int16)
    chosen = frames[spread_indices(len(frames), 12)]
    return all(float(np.abs(frame - first).mean()) < STILL_LEVELS for frame in chosen)


def _standing(clip: Clip, focal: float | None) -> Recovered:
    size = clip.frames.shape[2], clip.frames.shape[1]
    f = focal or USUAL * size[0]
    lens = np.array([[f, 0, (size[0] - 1) / 2], [0, f, (size[1] - 1) / 2], [0, 0, 1]])
    poses = np.repeat(np.eye(4)[None], len(clip.frames), axis=0)
    path = CameraPath(poses, lens, *size, clip.fps).resized(clip.width, clip.height)
    empty = tuple(range(len(clip.frames))) if float(clip.frames[0].std(axis=(0, 1)).max()) < 3 else ()
    if empty:
        raise InputError("The frames show nothing, black or of one colour, so no camera can be found in them.")
    notes = ("All frames show the same picture, as a still picture made a video does.",)
    return Recovered(
        "still picture", path, tuple(range(len(clip.frames))), len(clip.frames), "held" if focal else "assumed",
        float("inf"), 0.0, 0.0, (), empty, notes,
    )  # fmt: skip


def _longest(seen: Followed, count: int) -> tuple[int, int]:
    if not seen.stretches:
        raise InputError("The frames show nothing, black or of one colour, so no camera can be found in them.")
    best = max(seen.stretches, key=lambda stretch: stretch[1] - stretch[0])
    if best[1] - best[0] < 2:
        raise InputError(f"No two frames of {count} in a row belong together, so there is no camera to follow.")
    return best


def _check_texture(seen: Sightings, frames: int) -> None:
    counts = np.bincount(seen.frame, minlength=frames)
    if np.median(counts) < LEAST_POINTS:
        raise InputError(
            f"The frames have too little texture to follow: {int(np.median(counts))} points a frame, {LEAST_POINTS} are needed."
        )


def _notes(seen: Followed, start: int, end: int, count: int) -> list[str]:
    notes = []
    if seen.cuts:
        where = ", ".join(map(str, seen.cuts[:8])) + (" and more" if len(seen.cuts) > 8 else "")
        notes.append(f"The clip is cut at frame {where}; the longest part, frames {start} to {end - 1}, was used.")
    if seen.empty:
        notes.append(f"{len(seen.empty)} frames show nothing, the first is frame {seen.empty[0]}.")
    if seen.overlays >= 4:
        notes.append(f"{seen.overlays} points stand still on the screen, a text or a mark perhaps; they were left out.")
    return notes
