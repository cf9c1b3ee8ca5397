"""A USD file of scene and camera, opened with OpenUSD: its frustum projects the points as our camera does, its colours match ours."""

from __future__ import annotations

import numpy as np
import pytest

from camera.cloud import PointCloud
from camera.exchange.relief import relief_of
from camera.exchange.usd import usd_of
from camera.formats import read
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View

Usd = pytest.importorskip("pxr.Usd")
WIDTH, HEIGHT, FRAMES = 64, 40, 4


def path() -> CameraPath:
    """A path with a zoom and an off-centre principal point."""
    poses = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    poses[:, :3, 3] = np.linspace([0, 0, 0], [0.3, -0.1, 0.4], FRAMES)
    poses[:, :3, :3] = [from_pan_tilt_roll(pan, 3, 5) for pan in np.linspace(0, 12, FRAMES)]
    lenses = np.stack([pinhole(WIDTH, HEIGHT, fov) for fov in np.linspace(50, 40, FRAMES)])
    lenses[:, :2, 2] += [5, -3]
    return CameraPath(poses, lenses, WIDTH, HEIGHT, 12)


def scene() -> Scene:
    """A slanted wall with a box in front of it."""
    chance = np.random.default_rng(0)
    depth = np.tile(np.linspace(4, 5, WIDTH, dtype=np.float32), (HEIGHT, 1))
    depth[10:30, 20:40] = 2
    return Scene((View.of(chance.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), depth, pinhole(WIDTH, HEIGHT, 50)),))


def stage_of(data: bytes, tmp_path):
    file = tmp_path / "scene.usdc"
    file.write_bytes(data)
    return Usd.Stage.Open(str(file))


def project_by_usd(stage, points: np.ndarray, frame: int) -> np.ndarray:
    """Pixels (centres at integers) by OpenUSD's own frustum."""
    from pxr import UsdGeom

    frustum = UsdGeom.Camera(stage.GetPrimAtPath("/Shot/Camera")).GetCamera(frame).frustum
    matrix = np.array(frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix())
    flat = np.append(points, np.ones((len(points), 1)), axis=1) @ matrix
    x, y = (flat[:, :2] / flat[:, 3:]).T
    return np.stack([(x + 1) / 2 * WIDTH - 0.5, (1 - y) / 2 * HEIGHT - 0.5], axis=1)


def project_by_camera(points: np.ndarray, frame: int) -> np.ndarray:
    camera = path().camera_from_world[frame]
    local = points @ camera[:3, :3].T + camera[:3, 3]
    return (local @ path().intrinsics[frame].T)[:, :2] / local[:, 2:]


def shown(stage) -> tuple[np.ndarray, np.ndarray]:
    from pxr import UsdGeom

    prim = UsdGeom.PointBased(stage.GetPrimAtPath("/Shot/Scene"))
    return np.array(prim.GetPointsAttr().Get()), np.array(prim.GetDisplayColorAttr().Get())


def srgb(linear: np.ndarray) -> np.ndarray:
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("as_points", [False, True])
def test_openusd_projects_the_points_as_our_camera_does(tmp_path, as_points):
    relief = relief_of(scene())
    what = PointCloud(relief.vertices, relief.colours) if as_points else relief
    stage = stage_of(usd_of(what, path()), tmp_path)
    points, colours = shown(stage)
    for frame in range(FRAMES):
        apart = project_by_usd(stage, points, frame) - project_by_camera(relief.vertices, frame)
        assert np.abs(apart).max() < 0.01
    assert np.abs(srgb(colours) - relief.colours).max() < 0.5


def test_the_file_is_in_metres_and_y_up_and_its_camera_round_trips(tmp_path):
    from pxr import UsdGeom

    data = usd_of(relief_of(scene()), path(), unit="relative")
    stage = stage_of(data, tmp_path)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1 and UsdGeom.GetStageUpAxis(stage) == "Y"
    assert "unknown" in stage.GetRootLayer().comment and stage.GetDefaultPrim().GetName() == "Shot"
    back = read("scene.usdc", data, like=path())
    np.testing.assert_allclose(back.intrinsics, path().intrinsics, rtol=1e-5)
    np.testing.assert_allclose(back.world_from_camera, path().world_from_camera, atol=1e-6)


def test_no_triangle_spans_a_depth_edge():
    relief = relief_of(scene())
    corners = relief.vertices[relief.triangles][..., 2]
    assert len(relief.triangles) > HEIGHT * WIDTH and (np.ptp(corners, axis=1) < 0.1).all()
