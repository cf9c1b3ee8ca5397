"""A user's own model is found by name and called, and its output is checked; the command line accepts it too."""

import numpy as np
import pytest
import trimesh

from camera.errors import InputError
from pipelines.__main__ import main
from pipelines.media.video import write_mp4
from pipelines.reconstruct.plugin import load_plugin, run_plugin
from tests.scenes.reconstruct_room import path_of, room, to_surface

MODEL = """
import numpy as np

def place(frames):
    known = np.load({file!r})
    return known["poses"], known["lens"], known["depth"]

nothing = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The module's name; its output is like VGGT's, in a world of its own."""
    truth = room(48, 64)
    own = path_of(truth).scaled(0.5)
    depth = np.stack([0.5 * view.depth for view in truth.views])
    np.savez(tmp_path / "known.npz", poses=own.world_from_camera, lens=own.intrinsics[0], depth=depth)
    (tmp_path / "reshoot_own_model.py").write_text(MODEL.format(file=str(tmp_path / "known.npz")))
    write_mp4(tmp_path / "clip.mp4", np.stack([view.colour for view in truth.views]), 8)
    monkeypatch.syspath_prepend(tmp_path)
    return "reshoot_own_model"


def test_the_command_line_makes_3d_with_it(own, tmp_path):
    out = tmp_path / "made"
    asked = ["scene", str(tmp_path / "clip.mp4"), "--out", str(out), "--model", f"{own}:place", "--mesh", "none"]
    assert main(asked) == 0
    points = trimesh.load(out / "points.ply").vertices
    assert len(points) > 2000 and np.median(to_surface(2 * points)) < 1e-3
    assert main([*asked, "--cameras", "refined"]) != 0 and main([*asked, "--matcher", f"{own}:place"]) != 0


def test_what_is_not_there_or_answers_otherwise_is_said(own):
    for name, words in (
        ("nowhere", "module:function"),
        ("nowhere_at_all:f", "cannot be imported"),
        (f"{own}:missing", "cannot be imported"),
        (f"{own}:nothing", "not a function"),
    ):
        with pytest.raises(InputError, match=words):
            load_plugin(name)
    frames = np.zeros((3, 4, 6, 3), np.uint8)
    poses, lens, depth = np.repeat(np.eye(4)[None], 3, axis=0), np.diag([5.0, 5, 1]), np.ones((3, 4, 6))
    path, found = run_plugin(lambda _: (poses, lens, depth), frames, 8)
    assert len(path) == 3 and found.dtype == np.float32
    for answer, words in (
        (poses, "returns world_from_camera"),
        ((poses[:2], lens, depth), r"\(3, 4, 4\), got \(2, 4, 4\)"),
        ((poses, lens, depth[0]), "depth should"),
        ((poses, np.eye(4), depth), "intrinsics should"),
    ):
        with pytest.raises(InputError, match=words):
            run_plugin(lambda _, answer=answer: answer, frames, 8)
