"""The benchmark runs, and its fast paths agree with the readable ones and are faster."""

import numpy as np
import pytest

from bench import LONG, QUICK, SUBJECTS, Row, discover
from bench.__main__ import main, table
from bench.room import front, orbit, shot, side
from camera.render.scene import render
from camera.view import Scene


def rows(name: str) -> dict[str, Row]:
    discover()
    return {row.what: row for row in SUBJECTS[name](QUICK)}


def test_soft_splat_agrees_and_is_faster():
    found = rows("soft_splat")
    assert float(found["soft splat"].agreement.split()[1].rstrip(",")) < 2e-6
    ratio = found["soft splat, one thread"].ratio
    assert ratio is not None and ratio > 2.5  # about 10


@pytest.mark.parametrize(
    ("name", "what", "least"),
    [
        ("z_buffer", "z-buffer, one thread", 5),  # about 25
        ("mesh", "grid mesh, one thread", 1),  # about 7
        ("pull_push", "pull-push fill, one thread", 3),  # about 25
        ("foreground_masking", "foreground mask, one thread", 100),  # about 10,000
    ],
)
def test_fast_paths_are_faster(name, what, least):
    ratio = rows(name)[what].ratio
    assert ratio is not None and ratio > least


def test_masking_covers_the_same_pixels():
    (first, _) = rows("foreground_masking").values()
    assert first.agreement.startswith("0 of ")


def test_inpainting_is_better_than_telea():
    assert rows("pull_push")["pull-push fill, against Telea"].agreement.startswith("+")


@pytest.mark.parametrize(("renderer", "least"), [("mesh", 36), ("zbuffer", 30), ("splat", 34)])
def test_renderers_approximate_the_truth(renderer, least):
    size = (176, 320)
    rendered = render(Scene((front(*size),)), orbit(*size), renderer=renderer)
    truth = side(*size)
    surface = ~rendered.holes
    error = (rendered.colour[surface].astype(float) - truth.colour[surface]) ** 2
    good = np.abs(rendered.depth / truth.depth - 1) < 0.02
    assert (good | rendered.holes).mean() > 0.985
    assert 10 * np.log10(255**2 / np.median(error.mean(axis=1)).clip(1e-9)) > least


def test_room_is_the_same_from_its_source_camera():
    np.testing.assert_array_equal(shot(orbit(20, 30, 0)).colour, front(20, 30).colour)


def test_command_line(capsys):
    assert main(["unprojection", "--quick"]) == 0
    out = capsys.readouterr().out
    assert "unprojection, one thread" in out and "peak memory" in out
    with pytest.raises(SystemExit):
        main(["nothing"])


def test_long_subjects_run_only_when_named(monkeypatch, capsys):
    discover()
    assert {"reconstruct", "reconstruct_orbit"} <= LONG < set(SUBJECTS)
    for name in SUBJECTS:
        monkeypatch.setitem(SUBJECTS, name, lambda scale, name=name: [Row(f"ran {name}", 1.0)])
    ran = {}
    for arguments in ([], ["--all"], ["reconstruct"]):
        main([*arguments, "--quick"])
        ran[" ".join(arguments)] = {
            line.split()[1] for line in capsys.readouterr().out.splitlines() if line[:4] == "ran "
        }
    assert ran[""] == set(SUBJECTS) - LONG and ran["--all"] == set(SUBJECTS) and ran["reconstruct"] == {"reconstruct"}
    with pytest.raises(SystemExit):
        main(["--help"])
    assert (
        "run only when named: agreement, camera_recovery, camera_recovery_speed, cancel, completion, completion_half, completion_time, context_parallel, hostile, load, opened_in, pace, pool, pool_restart, reconstruct"
        in " ".join(capsys.readouterr().out.split())
    )


def test_table_marks_missed_targets():
    text = table([Row("a", 1.0, 30.0, "same", "20x", True), Row("b", 2.0, 4.0, "same", "20x", False)])
    assert "30.0x" in text and "yes" in text and "NO" in text


def test_the_reference_of_splat_fit_replaces_what_exists():
    """Its old implementations are patched in by name, which a new name would break only after minutes."""
    from bench.geometry.splat_fit import _as_before
    from pipelines.reconstruct.gaussians import cameras

    ours = cameras.Cameras.corrected
    with _as_before():
        assert cameras.Cameras.corrected is not ours
    assert cameras.Cameras.corrected is ours
