"""A COLMAP folder written by hand becomes views with fitted depth."""

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from pipelines.gen3c.colmap import read_colmap

pytest.importorskip("pycolmap")
WIDTH, HEIGHT, FOCAL = 64, 48, 60.0


def _depth():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (2 + 3 * y / HEIGHT + x / WIDTH).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Three cameras side by side, each with forty points of its own on one slanted surface."""
    (tmp_path / "images").mkdir()
    (tmp_path / "sparse/0").mkdir(parents=True)
    random, depth = np.random.default_rng(0), _depth()
    images, points, number = [], [], 1
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"images/{index}.png"), np.full((HEIGHT, WIDTH, 3), 40 * index, np.uint8))
        pixels = random.integers(0, [WIDTH, HEIGHT], (40, 2))
        track = []
        for x, y in pixels:
            z = depth[y, x]
            ray = np.array([(x + 0.5 - WIDTH / 2) / FOCAL, (y + 0.5 - HEIGHT / 2) / FOCAL, 1]) * z
            place = ray + np.array([index, 0, 0])
            points.append(f"{number} {place[0]} {place[1]} {place[2]} 9 9 9 0.1 {index + 1} {len(track)}")
            track.append(f"{x + 0.5} {y + 0.5} {number}")
            number += 1
        images += [f"{index + 1} 1 0 0 0 {-index} 0 0 1 {index}.png", " ".join(track)]
    (tmp_path / "sparse/0/cameras.txt").write_text(
        f"1 PINHOLE {WIDTH} {HEIGHT} {FOCAL} {FOCAL} {WIDTH / 2} {HEIGHT / 2}\n"
    )
    (tmp_path / "sparse/0/images.txt").write_text("\n".join(images) + "\n")
    (tmp_path / "sparse/0/points3D.txt").write_text("\n".join(points) + "\n")
    return tmp_path


def _estimate(picture):
    return (1 / (0.4 / _depth() + 0.05)).astype(np.float32)


def test_pictures_cameras_and_depth(folder):
    scene = read_colmap(folder, _estimate)
    assert scene.kind == "views" and len(scene.views) == 3
    for index, view in enumerate(scene.views):
        assert (view.colour == 40 * index).all()
        np.testing.assert_allclose(view.world_from_camera[:3, 3], [index, 0, 0], atol=1e-9)
        np.testing.assert_allclose(view.intrinsics[:2, 2], [(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        np.testing.assert_allclose(view.depth, _depth(), rtol=1e-3)
    assert len(read_colmap(folder, _estimate, most=2).views) == 2


def test_what_is_missing_or_distorted_is_named(folder, tmp_path_factory):
    with pytest.raises(InputError, match="holds no COLMAP model"):
        read_colmap(tmp_path_factory.mktemp("empty"), _estimate)
    (folder / "images/1.png").rename(folder / "other.png")
    with pytest.raises(InputError, match=r"The picture 1\.png of the COLMAP model is not in images"):
        read_colmap(folder, _estimate)
    (folder / "other.png").rename(folder / "images/1.png")
    lens = f"1 SIMPLE_RADIAL {WIDTH} {HEIGHT} {FOCAL} {WIDTH / 2} {HEIGHT / 2} 0.1\n"
    (folder / "sparse/0/cameras.txt").write_text(lens)
    with pytest.raises(InputError, match="SIMPLE_RADIAL; run its image_undistorter"):
        read_colmap(folder, _estimate)
