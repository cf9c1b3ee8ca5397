"""A clip with flickering depth is stabilised when opened: from its file, on the command line, and by the page's handler."""

from __future__ import annotations

import numpy as np
import pytest

from bench.room import shot
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from pipelines.cli.parser import parser
from pipelines.cli.shot import _scene
from pipelines.inputs.open import read_material
from tabs.project.project import Project
from tabs.shared.source import open_files_of_any_kind

COUNT, WIDTH, HEIGHT = 5, 120, 90
SCALES = np.array([1.0, 1.5, 0.7, 1.3, 0.8])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A posed clip in MegaSaM's layout, with each frame's depth multiplied by a different number; and its true depth."""
    poses = np.repeat(np.eye(4)[None], COUNT, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.6, COUNT)
    path = CameraPath(poses, pinhole(WIDTH, HEIGHT, 60), WIDTH, HEIGHT)
    views = [shot(path.sliced(slice(i, i + 1))) for i in range(COUNT)]
    depth = np.stack([view.depth for view in views]).astype(np.float32)
    lens = path.intrinsics[0] + [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    file = tmp_path_factory.mktemp("clip") / "clip.npz"
    frames = np.stack([view.colour for view in views])
    with file.open("wb") as target:
        np.savez(target, images=frames, depths=depth * SCALES[:, None, None], intrinsic=lens, cam_c2w=poses)
    return file, depth


def apart(scene, depth) -> float:
    """The relative spread of the frames' scales."""
    ratios = np.array([np.median(view.depth / true) for view, true in zip(scene.views, depth)])
    return float(np.abs(ratios / ratios.mean() - 1).max())


def test_its_frames_get_one_scale_and_what_is_left_is_said(clip):
    file, depth = clip
    plain, steady = read_material([file]), read_material([file], steady=True)
    assert apart(plain.scene, depth) > 0.3 and "stabilised" not in plain.note
    assert apart(steady.scene, depth) < 0.03
    assert "Depth stabilised over 5 frames: neighbours differ by" in steady.note and "(before" in steady.note


def test_the_command_line_and_the_page_offer_it(clip, capsys):
    file, depth = clip
    words = ["preview", "gen3c", "--files", str(file), "--out", "x.mp4"]
    scene, _ = _scene(parser().parse_args([*words, "--steady-depth"]))
    assert apart(scene, depth) < 0.03 and "Depth stabilised over 5 frames" in capsys.readouterr().err
    project, told, _ = open_files_of_any_kind(Project(), [str(file)], 0, steady_depth=True)
    assert project.scene is not None and apart(project.scene, depth) < 0.03 and "Depth stabilised" in told


def test_views_are_no_clip(tmp_path):
    from PIL import Image

    files = []
    for name in ("a.png", "b.png", "transforms.json"):
        files.append(tmp_path / name)
    for file in files[:2]:
        Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(file)
    frames = ", ".join(
        f'{{"file_path": "{name}", "transform_matrix": {np.eye(4).tolist()}}}' for name in ("a.png", "b.png")
    )
    files[2].write_text(f'{{"fl_x": 30, "fl_y": 30, "cx": 16, "cy": 12, "w": 32, "h": 24, "frames": [{frames}]}}')
    with pytest.raises(InputError, match="stabilised over the frames of a clip"):
        read_material(files, steady=True)
