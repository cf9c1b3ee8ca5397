"""The readable torch warp against arrays from GEN3C's own code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from camera.render import reference_warp

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


def golden(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / name, allow_pickle=False) as arrays:
        return {
            key: torch.from_numpy(a.astype(np.float32) if a.dtype == np.float16 else a) for key, a in arrays.items()
        }


@pytest.fixture(scope="module")
def warps():
    return golden("forward_warp.npz")


@pytest.fixture(scope="module")
def primitives():
    return golden("warp_primitives.npz")


@pytest.mark.parametrize("name", CASES)
def test_forward_warp(warps, name):
    case = {key.split("/")[1]: a for key, a in warps.items() if key.startswith(name + "/")}
    points = case.get("world_points")
    if points is None:
        depth_is = "distance" if name == "raydist" else "z"
        points = reference_warp.unproject(case["depth"], case["w2c1"], case["K1"], depth_is=depth_is)
    warp = reference_warp.forward_warp(
        case["image"], points, case["w2c2"], case["K2"], mask=case.get("mask"), boundary=case.get("boundary_mask")
    )
    # reprojection into the source camera gives integer positions +- rounding, which decides about far corners
    budget = 0.1 if name == "identity" else 0.0
    differing = warp.mask != case["out_mask"]
    assert differing.float().mean() <= budget
    same = ~differing
    np.testing.assert_allclose(
        torch.where(same, warp.image, 0), torch.where(same, case["out_image"], 0), atol=1e-4, rtol=0
    )
    np.testing.assert_allclose(
        torch.where(same[:, 0], warp.depth, 0), torch.where(same[:, 0], case["out_depth"], 0), atol=1e-4, rtol=1e-5
    )
    np.testing.assert_allclose(warp.flow, case["out_flow"], atol=1e-4, rtol=1e-5)


def test_unproject(primitives):
    depth, w2c, lens = (primitives[k] for k in ("depth", "w2c", "K"))
    np.testing.assert_allclose(reference_warp.unproject(depth, w2c, lens), primitives["unproject_z"], atol=1e-5)
    by_ray = reference_warp.unproject(depth, w2c, lens, depth_is="distance")
    np.testing.assert_allclose(by_ray, primitives["unproject_ray"], atol=1e-5)
    masked = reference_warp.unproject(depth, w2c, lens, mask=primitives["unproject_mask"])
    np.testing.assert_allclose(masked, primitives["unproject_masked"], atol=1e-5)


def test_project(primitives):
    pixels, camera = reference_warp.project(primitives["unproject_z"], primitives["project_w2c"], primitives["K"])
    np.testing.assert_allclose(pixels, primitives["project_px"], atol=1e-4, rtol=1e-5)
    np.testing.assert_allclose(camera, primitives["project_cam"], atol=1e-5)


@pytest.mark.parametrize("threshold", ["0.05", "0.1"])
def test_reliable_depth(primitives, threshold):
    reliable = reference_warp.reliable_depth(primitives["depth"], float(threshold))
    np.testing.assert_array_equal(reliable, primitives[f"reliable_{threshold}"])


def test_bilinear_splat(primitives):
    p = primitives
    out, mask = reference_warp.bilinear_splat(p["splat_frame"], p["splat_mask"], p["splat_depth"], p["splat_flow"])
    np.testing.assert_array_equal(mask, p["splat_out_mask"])
    np.testing.assert_allclose(out.clamp(-1, 1), p["splat_out"], atol=1e-4)


def test_depth_weights_depend_on_the_whole_batch():
    z = torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
    alone = reference_warp.depth_weight(z)
    paired = reference_warp.depth_weight(torch.cat([z, 5 * z]))[:1]
    assert (paired < 0.1 * alone).all()


def test_boundary_mesh(primitives):
    h, w = primitives["mesh_mask"].shape
    vertices, triangles = reference_warp.foreground_mesh(primitives["mesh_points"], primitives["mesh_mask"])
    np.testing.assert_allclose(vertices, primitives["mesh_vertices"], atol=1e-6)
    np.testing.assert_array_equal(triangles, primitives["mesh_faces"])
    rays = reference_warp.ray_directions(h, w, primitives["K"][0])
    np.testing.assert_allclose(rays, primitives["rays"][0], atol=1e-6)
    distance = reference_warp.mesh_distance(vertices, triangles, rays.reshape(-1, 3)).reshape(h, w)
    np.testing.assert_allclose(distance, primitives["ray_mesh_depth"], atol=1e-4)
