"""Coarse-render benchmark rows: both renderers are measured and agree, or the reason why one could not be measured."""

import re

from bench import QUICK, SUBJECTS, Row, discover
from bench.__main__ import cells
from bench.drawing.mesh import SIZE, _foxes, _row, _sweep
from pipelines.methods.i2v3d.scene import renderer as drawing
from pipelines.methods.i2v3d.scene.renderer import OPENGL, PLAIN


def rows() -> dict[str, Row]:
    discover()
    return {row.what.rpartition(", ")[2]: row for row in SUBJECTS["coarse_render"](QUICK)}


def test_both_renderers_are_measured_and_agree():
    found = rows()
    assert found["plain"].ours_ms > 0 and found["plain"].met is None  # the targets apply to the full size
    if words := drawing.refusal():
        assert found["OpenGL"].agreement == f"not measured: {words}"
        return
    above, pixels, differing = re.search(
        r"(\d+) of ([\d,]+) pixels above 1e-3; (\d+) mask pixels differ", found["OpenGL"].agreement
    ).groups()
    assert int(pixels.replace(",", "")) > 5000
    assert int(above) <= 5 and int(differing) <= 10


def test_without_opengl_the_table_gives_the_reason(monkeypatch):
    monkeypatch.setattr("bench.drawing.mesh.refusal", lambda: "There is none here.")
    found = rows()
    assert found["plain"].ours_ms > 0
    assert cells(found["OpenGL"])[1:] == ("nan", "", "", "not measured: There is none here.", "", "")


def test_scene_size_and_targets_for_all_frames():
    scene, path = _foxes(36, 64), _sweep(*SIZE, 16)
    assert sum(len(part.triangles) for part in scene.surfaces(0, 16, 24.0)) == 60_208 and len(path) == 16
    for renderer, taken, met in ((OPENGL, 1990.0, True), (OPENGL, 2010.0, False), (PLAIN, 14000.0, True)):
        row = _row(renderer, taken, path, "", True)
        assert row.met is met and row.ours_ms == taken / 16 and row.target.startswith("16 frames in")
