"""The command line converts splat files and turns one into a page that plays a path."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from camera import formats
from camera.path import CameraPath, pinhole
from pipelines.__main__ import main
from pipelines.splats.formats import NAMES, encode, kind_of, read
from pipelines.splats.splats import Splats


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    splats = Splats(
        rng.uniform([-1, -1, 3], [1, 1, 4], (500, 3)), rng.normal(size=(500, 4)), np.full((500, 3), -2.0), np.full(500, 4.0),
        rng.normal(size=(500, 1, 3)),
    )  # fmt: skip
    (tmp_path / "room.ply").write_bytes(encode(splats, "ply"))
    return tmp_path / "room.ply"


@pytest.mark.parametrize("kind", NAMES)
def test_splats_become_another_format(kind, file, tmp_path, capsys):
    out = tmp_path / "out" / f"a.{kind}"
    assert main(["convert", str(file), str(out)]) == 0
    assert "500 Gaussians" in capsys.readouterr().err
    assert kind_of(out.read_bytes(), out.name) == kind and len(read(out.read_bytes(), out.name)[0]) == 500


def test_splats_become_a_page_that_plays_a_path(file, tmp_path):
    poses = np.repeat(np.eye(4)[None], 4, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.3, 4)
    path = CameraPath(poses, pinhole(64, 48, 50), 64, 48, 12)
    (tmp_path / "path.json").write_bytes(formats.write("reshoot", path)[1])
    assert main(["convert", str(file), str(tmp_path / "a.html"), "--path", str(tmp_path / "path.json")]) == 0
    about = json.loads(re.search(r'id="about">(.*?)</script>', (tmp_path / "a.html").read_text()).group(1))
    assert about["count"] == 500 and about["path"]["fps"] == 12
    np.testing.assert_allclose(np.reshape(about["path"]["poses"], (-1, 4, 4)), poses, atol=1e-9)
    assert main(["convert", str(file), str(tmp_path / "b.html"), "--up", "z-up"]) == 0


def test_an_ending_that_is_not_written_is_refused(file, tmp_path, capsys):
    assert main(["convert", str(file), str(tmp_path / "a.obj")]) == 1
    assert "should end in .html" in capsys.readouterr().err and not (tmp_path / "a.obj").exists()
