"""The compiled warp, unprojection, point filter and foreground mask against the readable torch versions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from camera.cache3d.occlusion import ForegroundMesh, foreground_mesh, hidden_mask, mesh_depth
from camera.depth_edges import reliable_depth
from camera.render import reference_warp
from camera.render.forward_splat import greatest_depth, splat
from camera.unproject import unproject

GOLDEN = Path(__file__).parents[2] / "golden" / "gen3c"
CASES = [
    "identity",
    "translate",
    "rot_zoom",
    "batch2_mask",
    "points_batch2",
    "behind_camera",
    "raydist",
    "diffK",
    "fg_single",
    "fg_batch2",
]


@pytest.fixture(scope="module")
def warps():
    with np.load(GOLDEN / "forward_warp.npz", allow_pickle=False) as arrays:
        return {key: a.astype(np.float32) if a.dtype == np.float16 else a for key, a in arrays.items()}


@pytest.fixture(scope="module")
def primitives():
    with np.load(GOLDEN / "warp_primitives.npz", allow_pickle=False) as arrays:
        return {key: a.astype(np.float32) if a.dtype == np.float16 else a for key, a in arrays.items()}


@pytest.mark.parametrize("name", CASES)
def test_splat_equals_the_original_code(warps, name):
    case = {key.split("/")[1]: a for key, a in warps.items() if key.startswith(name + "/")}
    pose, lens = case["w2c2"], case["K2"]
    points = case.get("world_points")
    if points is None:
        depth_is = "distance" if name == "raydist" else "z"
        points = np.stack(
            [
                unproject(d[0], k, np.linalg.inv(w), depth_is=depth_is)
                for d, k, w in zip(case["depth"], case["K1"], case["w2c1"])
            ]
        )
    depth_range = max(greatest_depth(p, w) for p, w in zip(points, pose))
    height, width = case["depth"].shape[-2:]
    for i, image in enumerate(case["image"]):
        ours = splat(
            np.ascontiguousarray(image.transpose(1, 2, 0)),
            points[i],
            camera_from_world=pose[i],
            intrinsics=lens[i],
            size=(height, width),
            strength=case["mask"][i, 0] if "mask" in case else None,
            depth_range=depth_range,
            with_depth=True,
        )
        colour, known, depth = ours.image, ours.known, ours.depth
        assert depth is not None
        if "boundary_mask" in case:
            behind = hidden_mask(depth, foreground_mesh(points[i], case["boundary_mask"][i]), pose[i], lens[i])
            assert behind.any()
            colour[behind], known[behind], depth[behind] = -1, False, 0
        differing = known != case["out_mask"][i, 0].astype(bool)
        assert differing.mean() <= (0.1 if name == "identity" else 0.0)
        np.testing.assert_allclose(
            colour[~differing], case["out_image"][i].transpose(1, 2, 0)[~differing], atol=1e-4, rtol=0
        )
        np.testing.assert_allclose(depth[~differing], case["out_depth"][i][~differing], atol=1e-4, rtol=1e-5)


def bumpy(height: int, width: int, seed: int = 0):
    """Depth with steps and slopes, an image, intrinsics, and a pose that views it from the side."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    depth = 4 + 2 * np.sin(x / 17) + np.cos(y / 11)
    depth = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2, 2.0, depth)
    image = rng.uniform(-1, 1, (height, width, 3))
    lens = np.array([[width * 0.8, 0, (width - 1) / 2], [0, width * 0.8, (height - 1) / 2], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(0.1), 0, np.sin(0.1)], [0, 1, 0], [-np.sin(0.1), 0, np.cos(0.1)]]
    pose[:3, 3] = [0.3, -0.05, 0.2]
    return image.astype(np.float32), depth.astype(np.float32), lens.astype(np.float32), pose.astype(np.float32)


def torch_warp(image, points, pose, lens, boundary=None):
    t = torch.from_numpy
    return reference_warp.forward_warp(
        t(image.transpose(2, 0, 1))[None],
        t(points)[None],
        t(pose)[None],
        t(lens)[None],
        boundary=None if boundary is None else t(boundary)[None],
    )


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_splat_agrees_with_the_reference(scale):
    image, depth, lens, pose = bumpy(120, 161)
    pose[:3, 3] *= scale
    points = unproject(depth * scale, lens, np.eye(4))
    ours = splat(image, points, camera_from_world=pose, intrinsics=lens, size=(120, 161), with_depth=True)
    theirs = torch_warp(image, points, pose, lens)
    known = theirs.mask[0, 0].numpy() > 0
    assert (ours.known != known).sum() <= 5
    same = ours.known == known
    assert np.abs(ours.image - theirs.image[0].permute(1, 2, 0).numpy())[same].mean() < 1e-6
    assert ours.depth is not None
    np.testing.assert_allclose(ours.depth[same], theirs.depth[0].numpy()[same], rtol=1e-3)


def test_splat_supports_another_target_size():
    image, depth, lens, pose = bumpy(60, 80)
    points = unproject(depth, lens, np.eye(4))
    half = np.diag([0.5, 0.5, 1]) @ lens
    small = splat(image, points, camera_from_world=pose, intrinsics=half, size=(30, 40))
    assert small.image.shape == (30, 40, 3)
    assert small.known.mean() > 0.8


def test_unproject(primitives):
    for i in range(2):
        depth, lens, pose = primitives["depth"][i, 0], primitives["K"][i], np.linalg.inv(primitives["w2c"][i])
        np.testing.assert_allclose(unproject(depth, lens, pose), primitives["unproject_z"][i], atol=1e-4)
        by_ray = unproject(depth, lens, pose, depth_is="distance")
        np.testing.assert_allclose(by_ray, primitives["unproject_ray"][i], atol=1e-4)


@pytest.mark.parametrize("threshold", ["0.05", "0.1"])
def test_reliable_depth(primitives, threshold):
    for i in range(2):
        reliable = reliable_depth(primitives["depth"][i, 0], float(threshold))
        np.testing.assert_array_equal(reliable, primitives[f"reliable_{threshold}"][i, 0])


def test_foreground_mesh_and_its_depth(primitives):
    height, width = primitives["mesh_mask"].shape
    mesh = foreground_mesh(primitives["mesh_points"], primitives["mesh_mask"])
    np.testing.assert_allclose(mesh.vertices, primitives["mesh_vertices"], atol=1e-6)
    np.testing.assert_array_equal(mesh.triangles, primitives["mesh_faces"])
    depth = mesh_depth(mesh, np.eye(4), primitives["K"][0], (height, width))
    expected = primitives["ray_mesh_depth"] * primitives["rays"][0][..., 2]
    np.testing.assert_allclose(depth, expected, atol=1e-4)


@pytest.mark.parametrize("forward", [0.0, 3.0])
def test_foreground_depth_equals_brute_force(forward):
    """Also with the camera inside the scene, where triangles cross the camera plane."""
    _, depth, lens, pose = bumpy(72, 96)
    pose[2, 3] -= forward
    points = unproject(depth, lens, np.eye(4))
    mesh = foreground_mesh(points, ~reliable_depth(depth))
    ours = mesh_depth(mesh, pose, lens, (72, 96))
    vertices = torch.from_numpy(mesh.vertices @ pose[:3, :3].T + pose[:3, 3])
    rays = reference_warp.ray_directions(72, 96, torch.from_numpy(lens))
    theirs = reference_warp.mesh_distance(vertices, torch.from_numpy(mesh.triangles), rays.reshape(-1, 3))
    theirs = (theirs.reshape(72, 96) * rays[..., 2]).numpy()
    assert (theirs > 0).mean() > 0.05
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_no_edges_occlude_nothing():
    mesh = foreground_mesh(np.ones((16, 16, 3), np.float32), np.zeros((16, 16), bool))
    assert isinstance(mesh, ForegroundMesh) and len(mesh.triangles) == 0
    assert not hidden_mask(np.ones((16, 16), np.float32), mesh, np.eye(4), np.eye(3)).any()
