"""Drawings of the eight readings of the same pose matrices."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from camera.errors import InputError
from camera.figure.readings import draw_readings, rank_readings
from camera.formats.research.matrices import CONVENTIONS, poses_of, read_raw
from camera.rotation import look_at
from pipelines.cli.readings import main


def orbit() -> np.ndarray:
    """An arc around (0, 0, 4) as OpenGL world-from-camera matrices."""
    angles = np.radians(np.linspace(-50, 60, 12))
    poses = np.repeat(np.eye(4)[None], 12, axis=0)
    poses[:, :3, 3] = np.stack([3 * np.sin(angles), 0.2 * angles, 4 - 3 * np.cos(angles)], axis=1)
    poses[:, :3, :3] = [look_at(centre, [0, 0, 4]) for centre in poses[:, :3, 3]]
    return poses @ np.diag([1.0, -1, -1, 1])


def test_the_likeliest_reading_comes_first_and_all_differ():
    found = rank_readings(orbit(), "poses.npy")
    assert found[0].convention == "c2w-opengl" and "last row" in found[0].reason
    assert {each.convention for each in found} == set(CONVENTIONS)
    for each in found:
        if each.convention.endswith("-transposed"):
            assert each.poses is None, "with zeros in the last row the transposed are no poses"
        else:
            np.testing.assert_allclose(each.poses, poses_of(orbit(), each.convention), atol=1e-9)


def test_the_image_has_a_tile_per_reading_with_its_path_inside():
    root = ElementTree.fromstring(draw_readings(rank_readings(orbit(), "poses.npy")))
    tiles = [element for element in root if element.tag.endswith("}g")]
    ways = [element.get("points", "") for element in root.iter() if element.tag.endswith("polyline")]
    assert len(tiles) == 8 and len(ways) == 4
    assert len({ElementTree.tostring(tile) for tile in tiles[:4]}) == 4
    places = np.array([list(map(float, re.findall(r"-?[\d.]+", way))) for way in ways])
    assert places.shape == (4, 24) and places.min() >= 0 and places.max() <= 150
    assert "Likeliest: c2w-opengl" in "".join(root.itertext()) and "no poses" in "".join(root.itertext())


def npy(values: np.ndarray) -> bytes:
    box = io.BytesIO()
    np.save(box, values)
    return box.getvalue()


def test_matrices_are_read_from_npy_json_and_txt(tmp_path, capsys):
    poses = orbit()
    for data, name in (
        (npy(poses), "a.npy"),
        (npy(poses[:, :3]), "a.npy"),
        (json.dumps(poses.tolist()).encode(), "a.json"),
        (json.dumps(poses[:, :3].reshape(12, 12).tolist()).encode(), "a.json"),
        ("\n".join(" ".join(map(repr, row)) for row in poses[:, :3].reshape(12, 12).tolist()).encode(), "a.txt"),
    ):
        np.testing.assert_allclose(read_raw(data, name), poses)
    (tmp_path / "a.npy").write_bytes(npy(poses))
    assert main([str(tmp_path / "a.npy"), str(tmp_path / "out.svg")]) == 0
    assert "c2w-opengl" in capsys.readouterr().out and (tmp_path / "out.svg").read_text().startswith("<svg")
    assert main([str(tmp_path / "b.npy"), str(tmp_path / "out.svg")]) == 1
    with pytest.raises(InputError, match="list of matrices"):
        read_raw(b"{}", "a.json")
    with pytest.raises(InputError, match="matrices of 3x4 or 4x4"):
        read_raw(npy(np.zeros((3, 5))), "a.npy")
