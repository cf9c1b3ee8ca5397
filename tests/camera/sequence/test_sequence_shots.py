"""Sequences of shots: warnings by editing rules, and files for editing programs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import opentimelineio as otio
import pytest

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import look_at
from camera.sequence.interchange import edl_text, otio_text
from camera.sequence.shots import Shot, check_cuts, first_frames, join_shots

SUBJECT = np.array([0.0, 0.0, 4.0])


def shot(name: str, degrees: float, distance: float = 4.0, frames: int = 12) -> Shot:
    """A still camera that looks at the subject from ``degrees`` to the right."""
    angle = np.radians(degrees)
    pose = np.eye(4)
    pose[:3, 3] = SUBJECT + distance * np.array([np.sin(angle), 0, -np.cos(angle)])
    pose[:3, :3] = look_at(pose[:3, 3], SUBJECT)
    return Shot(name, CameraPath(np.repeat(pose[None], frames, axis=0), pinhole(160, 90, 50), 160, 90))


def words(*shots: Shot, line=None) -> list[str]:
    return [f"{each.cut} {each.words}" for each in check_cuts(shots, SUBJECT, line=line)]


def test_cuts_are_checked_for_jumps_small_angles_and_the_180_degree_line():
    assert "jump cut" in words(shot("a", 0), shot("b", 4))[0]
    assert "20 degrees" in words(shot("a", 0), shot("b", 20))[0]
    assert words(shot("a", 0), shot("b", 35), shot("c", 38, distance=1.5)) == []
    (crossed,) = words(shot("a", -40), shot("b", 40), line=[0, 0, 1])
    assert crossed.startswith("0") and "crosses the line" in crossed
    assert words(shot("a", 10), shot("b", 60), line=[0, 0, 1]) == []


def test_shots_are_joined_and_must_match_in_size_and_rate():
    shots = (shot("a", 0), shot("b", 40, frames=5), shot("c", 90))
    path = join_shots(shots)
    assert len(path) == 29 and first_frames(shots) == [0, 12, 17]
    np.testing.assert_array_equal(path.world_from_camera[12], shots[1].path.world_from_camera[0])
    with pytest.raises(InputError, match="size and rate"):
        join_shots((shots[0], replace(shots[1], path=shots[1].path.with_fps(30))))
    with pytest.raises(InputError, match="at least one shot"):
        join_shots(())


def test_an_edl_counts_frames_at_the_clip_rate():
    lines = edl_text((shot("wide", 0, frames=30), shot("close\nup", 40, frames=5)), name="Été").splitlines()
    assert lines[:2] == ["TITLE: ?t?", "FCM: NON-DROP FRAME"]
    assert lines[3] == "001  AX       V     C        00:00:00:00 00:00:01:06 00:00:00:00 00:00:01:06"
    assert lines[5] == "002  AX       V     C        00:00:00:00 00:00:00:05 00:00:01:06 00:00:01:11"
    assert lines[6] == "* FROM CLIP NAME: close up"
    with pytest.raises(InputError, match=r"23\.976"):
        edl_text((replace(shot("a", 0), path=shot("a", 0).path.with_fps(23.976)),), name="x")


def test_opentimelineio_reads_the_timeline():
    shots = (shot("wide", 0), shot("close", 40, frames=5))
    text = otio_text(shots, name="Two shots", media=("wide.mp4", "close.mp4"))
    read = otio.adapters.read_from_string(text, "otio_json")
    clips = list(read.find_clips())
    assert [clip.name for clip in clips] == ["wide", "close"] and read.duration().value == 17
    assert clips[1].range_in_parent().start_time.value == 12 and clips[1].media_reference.target_url == "close.mp4"
    assert clips[0].metadata["reshoot"]["focal_mm"] == pytest.approx(shots[0].path.intrinsics[0, 0, 0] * 36 / 160)
