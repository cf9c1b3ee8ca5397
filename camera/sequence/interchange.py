"""Exports a sequence of shots for editing programs: OpenTimelineIO and EDL (CMX 3600)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camera.errors import InputError
from camera.sequence.shots import Shot, first_frames, join_shots

if TYPE_CHECKING:
    from opentimelineio.schema import Timeline

WHOLE_RATES = (24, 25, 30, 48, 50, 60)
"""Frame rates that an EDL supports."""


def timeline(shots: tuple[Shot, ...], *, name: str, media: tuple[str, ...] | None = None) -> Timeline:
    """The sequence as an OpenTimelineIO timeline with one video track. ``media``: the file of every shot.

    Focal lengths (mm on 36 mm) and poses of each shot's first camera are in the clips' metadata, under "reshoot".
    """
    otio = _library()
    rate = join_shots(shots).fps
    result = otio.schema.Timeline(name=name)
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    result.tracks.append(track)
    for number, shot in enumerate(shots):
        lasts = otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(len(shot.path), rate)
        )
        reference = otio.schema.MissingReference()
        if media is not None:
            reference = otio.schema.ExternalReference(target_url=media[number], available_range=lasts)
        clip = otio.schema.Clip(name=shot.name, media_reference=reference, source_range=lasts)
        clip.metadata["reshoot"] = _facts(shot)
        track.append(clip)
    return result


def otio_text(shots: tuple[Shot, ...], *, name: str, media: tuple[str, ...] | None = None) -> str:
    """The sequence as an .otio file."""
    return timeline(shots, name=name, media=media).to_json_string(indent=2)


def edl_text(shots: tuple[Shot, ...], *, name: str) -> str:
    """The sequence as an EDL; every source starts at 0. Raises `InputError` for a rate that EDLs do not support."""
    rate = round(join_shots(shots).fps)
    if abs(join_shots(shots).fps - rate) > 1e-6 or rate not in WHOLE_RATES:
        known = ", ".join(map(str, WHOLE_RATES))
        raise InputError(
            f"An EDL supports {known} frames per second, the shots have {join_shots(shots).fps:g}; use one of these."
        )
    lines = [f"TITLE: {_clean_name(name)}", "FCM: NON-DROP FRAME", ""]
    for number, (shot, start) in enumerate(zip(shots, first_frames(shots)), start=1):
        times = [0, len(shot.path), start, start + len(shot.path)]
        lines.append(f"{number:03d}  AX       V     C        " + " ".join(_timecode(frame, rate) for frame in times))
        lines.append(f"* FROM CLIP NAME: {_clean_name(shot.name)}")
    return "\n".join(lines) + "\n"


def _timecode(frame: int, rate: int) -> str:
    seconds, frames = divmod(frame, rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def _clean_name(name: str) -> str:
    """A name on one line, in the characters that an EDL allows."""
    return " ".join(name.encode("ascii", "replace").decode().split())[:60] or "untitled"


def _facts(shot: Shot) -> dict[str, Any]:
    lens, width = shot.path.intrinsics[0, 0, 0], shot.path.width
    return {"focal_mm": float(lens * 36 / width), "first_camera": shot.path.world_from_camera[0].ravel().tolist()}


def _library() -> Any:
    try:
        import opentimelineio
    except ImportError:
        raise InputError("OpenTimelineIO files need the package opentimelineio; install it, or take the EDL.") from None
    return opentimelineio
