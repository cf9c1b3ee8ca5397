"""A splat file is a scene: rendered from its splats along a path, seen by methods as a picture with depth, whichever way is up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reshoot
from camera import film_path
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.render.scene import render, render_all
from pipelines.__main__ import main
from pipelines.media.image_metrics import psnr
from pipelines.media.video import read_video
from pipelines.rehearsal import Viewfinder, rehearse
from pipelines.splats.drawing import render_path
from pipelines.splats.formats import NAMES, encode
from pipelines.splats.scene import SplatScene, open_splats
from pipelines.splats.splats import SH_C0, Splats


def wall(depth: float = 4.0, *, side: int = 60) -> Splats:
    """Opaque round splats on a plane in front of the origin, wider than a camera's view; red grows to the right, green downwards."""
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-4, 4, side), np.linspace(-3, 3, side)))
    n = len(x)
    colour = np.stack([(x + 4) / 8, (y + 3) / 6, np.full(n, 0.25)], axis=1)
    return Splats(
        np.stack([x, y, np.full(n, depth)], axis=1), np.tile([1.0, 0, 0, 0], (n, 1)), np.full((n, 3), np.log(0.1)),
        np.full(n, 6.0), ((colour - 0.5) / SH_C0)[:, None],
    )  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "wall.ply").write_bytes(encode(wall(), "ply"))
    return tmp_path / "wall.ply"


def move(scene: reshoot.Scene, frames: int = 3) -> CameraPath:
    return film_path("truck right 0.2", scene, frames=frames, fps=8)


@pytest.mark.parametrize("kind", NAMES)
def test_every_format_opens_as_the_same_upright_scene(kind, tmp_path):
    (tmp_path / NAMES[kind]).write_bytes(encode(wall(), kind))
    scene, words = open_splats(tmp_path / NAMES[kind])
    view = scene.first
    assert view.known.mean() > 0.99 and abs(view.focus_depth - 4) < 0.02
    corner = view.colour[60, 60].astype(int), view.colour[-60, -60].astype(int)
    assert (corner[1][:2] - corner[0][:2] > 60).all(), "red grows to the right, green downward"
    assert "3,600 Gaussians" in words and "the convention of" in words and "origin" in words


def test_another_way_up_turns_the_scene_and_an_origin_that_sees_nothing_is_left(file):
    scene, words = open_splats(file, up="y-up")
    assert "(chosen)" in words and "from in front of it" in words
    assert scene.first.world_from_camera[2, 3] < -4, "it stands before what lies behind the origin"
    corner = scene.first.colour[200, 500].astype(int), scene.first.colour[500, 500].astype(int)
    assert corner[1][1] < corner[0][1] - 10, "what was below is above"


def test_a_given_camera_takes_the_first_picture(file):
    pose = np.eye(4)
    pose[2, 3] = 1.0
    camera = CameraPath(pose[None], pinhole(320, 180, 50), 320, 180)
    scene = reshoot.open_splats(file, camera=camera)
    assert scene.first.colour.shape == (180, 320, 3) and abs(scene.first.focus_depth - 3) < 0.02
    pose[2, 3] = 9.0
    with pytest.raises(InputError, match="shows nothing from its first camera"):
        reshoot.open_splats(file, camera=camera.with_poses(pose[None]))


def test_a_rehearsal_shows_the_splats_and_not_their_picture(file, tmp_path):
    """Behind a screen in the picture is something that only the splats can show."""
    screen = replace(wall(2.0, side=40), means=wall(2.0, side=40).means * np.float32([0.08, 0.08, 1]))
    both = wall().joined(screen)
    (tmp_path / "both.ply").write_bytes(encode(both, "ply"))
    scene = reshoot.open_splats(tmp_path / "both.ply").fitted(160, 96)
    path = film_path("truck right 0.5", scene, frames=3, fps=8)
    frames = [image.colour for image in render_all(scene, path, fill="background")]
    truth = [colour for colour, _ in render_path(both, path)]
    assert min(psnr(_tensor(a), _tensor(b)) for a, b in zip(frames, truth)) > 40
    flat = reshoot.Scene(scene.views)
    assert psnr(_tensor(render(flat, path, frame=2).colour), _tensor(truth[2])) < 30
    *_, last = rehearse(scene, path, tmp_path / "out.mp4")
    assert last.holes.max() < 0.02 and read_video(last.video)[0].shape == (3, 96, 160, 3)
    seen, share = Viewfinder(scene, path).see(path.sliced(slice(2, 3)), frame=2)
    assert psnr(_tensor(seen), _tensor(truth[2])) > 35 and share < 0.02


def _tensor(picture: np.ndarray):
    import torch

    return torch.from_numpy(picture.transpose(2, 0, 1).copy()).float() / 255


def test_depth_of_a_frame_reprojects_the_scene(file):
    scene = reshoot.open_splats(file).fitted(160, 96)
    path = move(scene)
    image = render(scene, path, frame=2)
    assert np.abs(image.depth[~image.holes] - 4).max() < 0.05


def test_a_second_layer_is_refused(file, tmp_path):
    scene = reshoot.open_splats(file).fitted(64, 48)
    with pytest.raises(InputError, match="needs pictures"):
        list(rehearse(scene, move(scene), tmp_path / "a.mp4", holes="completed"))


def test_methods_take_splats_on_the_command_line(file, tmp_path, capsys):
    small = ["--width", "96", "--height", "64", "--frames", "5"]
    assert main(["preview", "dualcamctrl", "--files", str(file), "--out", str(tmp_path / "p.mp4"), *small]) == 0
    assert "convention of .ply" in capsys.readouterr().err and read_video(tmp_path / "p.mp4")[0].shape[0] == 5
    given = ["run", "dualcamctrl", "--weights", "tiny", "--steps", "1", "--files", str(file), "--up", "y-down", *small]
    assert main([*given, "--out", str(tmp_path / "r.mp4")]) == 0
    assert read_video(tmp_path / "r.mp4")[0].shape == (5, 64, 96, 3)
    assert isinstance(reshoot.open_splats(file).fitted(96, 64), SplatScene)


def test_what_is_no_splats_is_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "a.ply").write_bytes(b"ply\nformat ascii 1.0\nend_header\n")
    with pytest.raises(InputError, match="export it as 3DGS"):
        reshoot.open_splats(tmp_path / "a.ply")
    with pytest.raises(InputError, match="no file of splats"):
        reshoot.open_splats(tmp_path / "gone.ply")
