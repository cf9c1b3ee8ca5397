"""The example renderer as ground truth: deterministic, consistent geometry across cameras, and its command line."""

import json

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import write
from camera.path import inverse
from examples import load
from examples.render import SCENES, depth_at, home, render, setting_of
from examples.render.__main__ import main
from examples.render.light import Light, develop
from examples.render.model import surface_net
from pipelines.media.video import probe

NAME = "still_life"
SMALL = (128, 72)


@pytest.fixture(scope="module")
def small():
    return render(NAME, home(setting_of(NAME), *SMALL), samples=2)


def test_the_stored_image_is_reproduced(small):
    stored = load(NAME).first
    shrunk = cv2.resize(stored.colour, SMALL, interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small.colour).mean() < 5
    assert np.median(np.abs(stored.resized(*SMALL).depth / small.depth - 1)) < 0.01


def test_rendering_is_deterministic(small):
    again = render(NAME, home(setting_of(NAME), *SMALL), samples=2)
    assert (again.colour == small.colour).all() and (again.depth == small.depth).all()


def test_depth_is_along_z_at_the_pixel_centre(small):
    """The table is the plane y = 0: rays through pixel centres intersect it at the stored depth."""
    y, x = np.mgrid[: small.height, : small.width]
    here = np.linalg.inv(small.intrinsics) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1) * small.depth.reshape(-1)
    world = small.world_from_camera[:3, :3] @ here + small.world_from_camera[:3, 3:]
    rays = small.world_from_camera[:3, :3] @ (here / small.depth.reshape(-1))
    on_table = np.abs(world[1]) < 2e-3
    assert on_table.mean() > 0.15
    exact = -small.world_from_camera[1, 3] / rays[1]
    error = np.abs(small.depth.reshape(-1)[on_table] / exact[on_table] - 1)
    assert np.median(error) < 1e-5


def test_surfaces_agree_from_a_moved_camera(small):
    path = small.camera
    step = np.eye(4)
    step[:3, 3] = 0.03, 0.01, 0.05
    moved = path.with_poses((small.world_from_camera @ step)[None])
    rows, columns = (axis.reshape(-1) for axis in np.mgrid[2:72:4, 2:128:4])
    here = np.linalg.inv(small.intrinsics) @ np.stack([columns, rows, np.ones_like(rows)]) * small.depth[rows, columns]
    there = (inverse(step)[:3, :3] @ here) + inverse(step)[:3, 3:]
    pixels = (small.intrinsics @ there / there[2])[:2].T
    found = depth_at(NAME, moved, pixels)
    nearer = found < 0.995 * there[2]
    assert (np.abs(found / there[2] - 1) < 0.002)[~nearer].mean() > 0.98
    assert nearer.mean() < 0.1


def test_the_command_line_renders_along_a_path_file(tmp_path, capsys):
    path = home(setting_of(NAME), 64, 36)
    _, data = write("reshoot", path)
    (tmp_path / "move.json").write_bytes(data)
    words = [NAME, "--path", str(tmp_path / "move.json"), "--out", str(tmp_path), "--samples", "1", "--size", "48x28"]
    assert main(words) == 0
    facts = probe(tmp_path / f"{NAME}_move.mp4")
    assert (facts.width, facts.height) == (48, 28)
    with np.load(tmp_path / f"{NAME}_move.npz", allow_pickle=False) as made:
        assert made["depth"].shape == (1, 28, 48)
    assert f"{NAME}_move.mp4" in capsys.readouterr().out


def test_the_command_line_makes_an_example(tmp_path):
    assert main([NAME, "--out", str(tmp_path), "--samples", "1", "--size", "64x36"]) == 0
    facts = json.loads((tmp_path / NAME / "camera.json").read_text())
    assert (facts["width"], facts["height"]) == (64, 36)
    assert sorted(file.name for file in (tmp_path / NAME).iterdir()) == [
        "camera.json", "colour.jpg", "depth.png", "thumbnail.jpg",
    ]  # fmt: skip


def test_invalid_names_and_sizes_are_reported(capsys):
    assert main(["atlantis"]) == 1
    assert "atlantis" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([NAME, "--size", "large"])
    with pytest.raises(InputError, match="lighthouse"):
        setting_of("atlantis")


def test_every_scene_has_a_unit_sun_vector_and_a_home_view():
    for name in SCENES:
        scene = setting_of(name)
        assert np.linalg.norm(scene.light.sun) == pytest.approx(1)
        assert len(home(scene, 64, 36)) == 1


def test_tone_mapping_is_monotonic():
    grey = np.repeat(np.linspace(0, 8, 64)[None, :, None], 3, axis=2)
    shades = develop(grey, Light(bloom=0.0))[0, :, 0].astype(int)
    assert shades[0] == 0 and shades[-1] == 255 and (np.diff(shades) >= 0).all()


def test_a_sphere_becomes_a_closed_mesh():
    import trimesh

    axes = np.mgrid[-1.3:1.3:27j, -1.3:1.3:27j, -1.3:1.3:27j]
    vertices, quads = surface_net(np.sqrt((axes**2).sum(axis=0)) - 1)
    mesh = trimesh.Trimesh(
        vertices * 0.1 - 1.3, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), process=False
    )
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.03)
