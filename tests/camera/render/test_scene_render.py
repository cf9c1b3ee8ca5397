"""Scene rendering: renderers, kinds of scenes, holes, sky, padding, inpainting, cancellation."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from camera.errors import InputError
from camera.horizon import padding_mask
from camera.path import CameraPath, pinhole
from camera.render.painters import RenderedFrame
from camera.render.scene import render, render_all, warm_up
from camera.view import FAR, Scene, View

W, H = 48, 32
LENS = pinhole(W, H, 60)
RENDERERS = ("mesh", "zbuffer", "splat")


def colours(seed: int = 0, low: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, 256, (H, W, 3), dtype=np.uint8)


def wall(depth: float = 4.0, colour: np.ndarray | None = None, x: float = 0.0) -> View:
    pose = np.eye(4)
    pose[0, 3] = x
    return View.of(colours() if colour is None else colour, np.full((H, W), depth, np.float32), LENS, pose)


def box() -> View:
    """A red square at depth 2 in front of a green wall at depth 4."""
    colour = np.zeros((H, W, 3), np.uint8)
    colour[..., 1] = 200
    colour[10:22, 18:30] = (200, 0, 0)
    depth = np.full((H, W), 4, np.float32)
    depth[10:22, 18:30] = 2
    return View.of(colour, depth, LENS)


def sideways(*xs: float) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], len(xs), axis=0)
    poses[:, 0, 3] = xs
    return CameraPath(poses, LENS, W, H)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_source_camera_reproduces_the_image(renderer):
    view = box()
    rendered = render(Scene((view,)), view.camera, renderer=renderer)
    assert not rendered.holes.any() and not rendered.far.any()
    np.testing.assert_allclose(rendered.depth, view.depth, rtol=2e-3 if renderer != "splat" else 1)
    wrong = np.abs(rendered.colour.astype(int) - view.colour).max(axis=2) > 1
    assert wrong.mean() < (0.05 if renderer == "splat" else 1e-9)  # integer positions leak, see reference_warp


@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_wall_shifts_by_whole_pixels(renderer):
    """Two pixels of parallax: x = 2 * depth / focal."""
    view = wall()
    rendered = render(Scene((view,)), sideways(2 * 4 / LENS[0, 0]), renderer=renderer)
    wrong = np.abs(rendered.colour[:, 1:-3].astype(int) - view.colour[:, 3:-1]).max(axis=2) > 2
    assert wrong.mean() < 0.02
    assert rendered.holes[:, -1].all() and not rendered.holes[1:-1, 1:-3].any()


@pytest.mark.parametrize("renderer", RENDERERS)
def test_camera_motion_disoccludes_a_hole_and_near_surfaces_occlude(renderer):
    scene = Scene((box(),))
    rendered = render(scene, sideways(0.5), renderer=renderer)
    red = rendered.colour[..., 0] > 100
    assert red[16, 8:18].any() and not red[16, 22:].any()
    assert rendered.holes[14:18, 21:24].any()  # disocclusion on the side the box moved away from
    np.testing.assert_allclose(rendered.depth[red & (rendered.depth < 3)], 2, rtol=0.05)


def test_mesh_does_not_stretch_across_depth_edges():
    rendered = render(Scene((box(),)), sideways(0.4), renderer="mesh")
    drawn = ~rendered.holes
    assert (np.minimum(np.abs(rendered.depth - 2), np.abs(rendered.depth - 4))[drawn] < 0.01).all()
    mixed = (rendered.colour[..., 0] > 20) & (rendered.colour[..., 1] > 20)
    assert not mixed[drawn].any()


def test_floor_reaches_the_horizon_and_is_not_joined_to_the_sky():
    """Near the horizon, neighbouring rows differ by far more than the cut ratio."""
    view = floor()
    own = render(Scene((view,)), view.camera)
    assert not own.holes.any()
    np.testing.assert_array_equal(own.far, ~view.known)
    lower = np.eye(4)
    lower[1, 3] = -0.3
    moved = render(Scene((view,)), CameraPath(lower[None], LENS, W, H))
    assert moved.holes[:-4].mean() < 0.05


def test_thin_structures_survive_and_mixed_edge_pixels_are_removed():
    depth = np.full((H, W), 4, np.float32)
    depth[:, 24] = 2  # a pole
    depth[8, 2:20] = 2  # a wire
    depth[:, 30:] = 2  # a near wall,
    depth[:, 29] = 3  # whose edge is mixed
    view = View.of(colours(), depth, LENS)
    own = render(Scene((view,)), view.camera)
    np.testing.assert_array_equal(own.colour[1:-1, 24], view.colour[1:-1, 24])
    np.testing.assert_array_equal(own.colour[8, 3:19], view.colour[8, 3:19])
    moved = render(Scene((view,)), sideways(0.3))
    assert (np.abs(moved.depth - 2) < 0.01)[1:-1, 15:24].any(axis=1).all()
    assert not (np.abs(moved.depth - 3) < 0.01).any()


def floor() -> View:
    rows = np.arange(H) - (H // 2 - 0.5)
    depth = np.where(rows > 0, 1.5 * LENS[1, 1] / np.maximum(rows, 0.1), np.inf)
    return View.of(colours(), np.repeat(depth[:, None], W, axis=1), LENS)


def test_mesh_back_faces_are_culled():
    behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    behind[2, 3] = 8
    rendered = render(Scene((wall(),)), CameraPath(behind[None], LENS, W, H))
    assert rendered.holes.all()


@pytest.mark.parametrize("renderer", RENDERERS)
def test_camera_inside_the_scene(renderer):
    poses = np.eye(4)[None].repeat(3, axis=0)
    poses[:, 2, 3] = 1.99, 4.0, 9.0
    path = CameraPath(poses, LENS, W, H)
    for frame in range(3):
        rendered = render(Scene((box(),)), path, frame=frame, renderer=renderer, fill="background")
        assert np.isfinite(rendered.depth).all()
    assert rendered.holes.all()


@pytest.mark.parametrize("renderer", ("mesh", "zbuffer"))
def test_target_size_and_lens_may_differ(renderer):
    view = wall(colour=np.full((H, W, 3), (10, 100, 200), np.uint8))
    for path in (view.camera.resized(97, 70), view.camera.resized(20, 11)):
        rendered = render(Scene((view,)), path, renderer=renderer)
        assert rendered.colour.shape == (path.height, path.width, 3)
        inner = rendered.holes[3:-3, 3:-3]
        assert inner.mean() < 0.01
        assert (rendered.colour[~rendered.holes] == (10, 100, 200)).all()
    wide = CameraPath(view.world_from_camera[None], pinhole(W, H, 120), W, H)
    assert 0.2 < render(Scene((view,)), wide, renderer=renderer).holes.mean() < 0.95


@pytest.mark.parametrize("renderer", RENDERERS)
def test_sky_stays_far_and_is_marked(renderer):
    depth = np.full((H, W), 4, np.float32)
    depth[:12] = np.inf
    view = View.of(colours(), depth, LENS)
    still = render(Scene((view,)), view.camera, renderer=renderer)
    assert not still.holes.any()
    np.testing.assert_array_equal(still.far, ~view.known)
    moved = render(Scene((view,)), sideways(0.3), renderer=renderer)
    assert not moved.holes[:10, 2:-4].any()
    np.testing.assert_allclose(moved.far[:10, 2:-4], True)
    if renderer != "splat":  # no parallax
        assert np.abs(moved.colour[2:9, 2:-4].astype(int) - view.colour[2:9, 2:-4]).max() <= 2


@pytest.mark.parametrize("renderer", RENDERERS)
def test_padding_becomes_a_hole(renderer):
    view = wall().fitted(W, 48, "pad")
    assert padding_mask(view).sum() == W * 16
    rendered = render(Scene((view,)), view.camera, renderer=renderer)
    assert (
        rendered.holes[:7].all()
        and rendered.holes[-7:].all()
        and not rendered.holes[9:-9].any()
        and not rendered.far.any()
    )


def test_black_sky_is_padding_only_in_fully_black_lines():
    depth = np.full((H, W), 4, np.float32)
    depth[:12] = np.inf
    night = colours()
    night[:12] = 0
    night[6, 5] = 255  # a star
    assert padding_mask(View.of(night, depth, LENS)).any(axis=1).sum() == 6


def test_views_are_merged():
    left, right = wall(4, x=-0.8), wall(4, x=0.8)
    path = sideways(0.0)
    for renderer in RENDERERS:
        alone = render(Scene((left,)), path, renderer=renderer)
        both = render(Scene((left, right), kind="views"), path, renderer=renderer)
        assert both.holes.mean() < 0.6 * alone.holes.mean()
        near = wall(2, colour=np.full((H, W, 3), 255, np.uint8))
        nearest = render(Scene((left, near), kind="views"), path, renderer=renderer)
        assert (nearest.colour[8:24, 8:40] == 255).all()


def test_clips_show_frame_f_and_hold_the_last():
    views = tuple(wall(colour=np.full((H, W, 3), value, np.uint8)) for value in (50, 100, 150))
    frames = list(render_all(Scene(views, kind="clip"), sideways(0, 0, 0, 0), threads=2))
    assert [int(frame.colour[H // 2, W // 2, 0]) for frame in frames] == [50, 100, 150, 150]


@pytest.mark.parametrize("fill", ["holes", "background"])
def test_batches_are_ordered_and_equal_single_frames(fill):
    scene, path = Scene((box(),)), sideways(*np.linspace(0, 0.5, 9))
    frames = list(render_all(scene, path, fill=fill, threads=3))
    assert len(frames) == 9
    for i, frame in enumerate(frames):
        single = render(scene, path, frame=i, fill=fill)
        np.testing.assert_array_equal(frame.colour, single.colour)
        np.testing.assert_array_equal(frame.holes, single.holes)


def test_closing_the_iterator_stops_the_work(monkeypatch):
    import camera.render.painters as module

    drawn = []
    paint = module._paint_mesh
    monkeypatch.setattr(module, "_paint_mesh", lambda *a: (drawn.append(1), time.sleep(0.005), paint(*a))[-1])
    frames = render_all(Scene((box(),)), sideways(*np.linspace(0, 0.5, 200)), threads=2)
    next(frames)
    frames.close()
    count = len(drawn)
    time.sleep(0.05)
    assert len(drawn) == count < 20


def test_holes_are_inpainted_from_the_background():
    scene, path = Scene((box(),)), sideways(0.5)
    shown = render(scene, path)
    filled = render(scene, path, fill="background")
    np.testing.assert_array_equal(filled.holes, shown.holes)
    assert (shown.colour[shown.holes] == 0).all()
    inside = filled.colour[8:24, 16:40][shown.holes[8:24, 16:40]]
    assert len(inside) and (inside[:, 1] > 150).all() and (inside[:, 0] < 50).all()  # green wall, not red box
    painted = render(scene, path, hole_colour=(255, 0, 255))
    assert (painted.colour[painted.holes] == (255, 0, 255)).all()


def test_inpainting_of_extreme_inputs():
    from camera.render.inpaint import from_background

    colour, depth = colours(), np.ones((H, W), np.float32)
    everything, nothing = np.ones((H, W), bool), np.zeros((H, W), bool)
    np.testing.assert_array_equal(from_background(colour, depth, everything), colour)
    np.testing.assert_array_equal(from_background(colour, depth, nothing), colour)
    one = everything.copy()
    one[3, 40] = False
    assert (from_background(colour, depth, one) == colour[3, 40]).all()
    for shape in ((1, 9), (9, 1), (2, 3), (7, 5)):
        flat = np.full((*shape, 3), 77, np.uint8)
        holes = np.ones(shape, bool)
        holes[0, 0] = False
        assert (from_background(flat, np.ones(shape, np.float32), holes) == 77).all()


def test_inpainting_has_no_seam_between_two_sources():
    """Far background on the left of the hole, near background on the right: no straight seam between them."""
    from camera.render.inpaint import from_background

    colour = np.zeros((96, 300, 3), np.uint8)
    colour[:, :37], colour[:, 37:] = (40, 90, 200), (180, 140, 90)
    depth = np.where(np.arange(300) < 37, np.float32(100), np.float32(3)) * np.ones((96, 1), np.float32)
    holes = np.zeros((96, 300), bool)
    holes[40:] = True
    result = from_background(colour, depth, holes).astype(int)[44:]  # an edge is allowed next to known pixels
    assert np.abs(np.diff(result, axis=1)).max() < 10 and np.abs(np.diff(result, axis=0)).max() < 10


def test_sky_does_not_fill_holes_in_the_ground():
    height, width = 96, 160
    colour = np.full((height, width, 3), (150, 190, 230), np.uint8)
    colour[48:] = (90, 70, 40)
    depth = np.zeros((height, width), np.float32)
    depth[48:] = (40.0 * 120 / (np.arange(48, height) - 47.5))[:, None] / 10
    lens = np.array([[120.0, 0, 79.5], [0, 120, 47.5], [0, 0, 1]])
    scene = Scene((View.of(colour, depth, lens),))
    path = scene.first.camera.cropped(-60, 0, width, height)  # extends beyond the image's left border
    rendered = render(scene, path, fill="background")
    new = rendered.colour[:, :50].astype(int)
    assert rendered.holes[:, :50].all()
    assert np.abs(new[56:] - (90, 70, 40)).max() < 12, "ground"
    assert np.abs(new[:40] - (150, 190, 230)).max() < 12, "sky"


def test_invalid_arguments_are_refused_with_a_reason():
    scene, path = Scene((box(),)), sideways(0)
    with pytest.raises(InputError, match="frames 0 to 0"):
        render(scene, path, frame=1)
    with pytest.raises(InputError, match="mesh, splat, zbuffer"):
        render(scene, path, renderer="raytrace")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="background"):
        render(scene, path, fill="telea")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="background"):
        render_all(scene, path, fill="telea")  # type: ignore[arg-type]


def test_large_depth_is_not_taken_for_sky():
    view = wall(FAR * 0.5)
    rendered = render(Scene((view,)), view.camera)
    assert isinstance(rendered, RenderedFrame) and not rendered.far.any()


@pytest.mark.parametrize("renderer", RENDERERS)
def test_an_image_of_sky_only(renderer):
    """A crop of a landscape may contain only sky; black sky is indistinguishable from padding."""
    sky = replace(wall(), depth=np.full((H, W), FAR, np.float32), known=np.zeros((H, W), bool))
    rendered = render(Scene((sky,)), sky.camera, renderer=renderer, fill="background")
    assert rendered.far.all() and not rendered.holes.any()
    black = replace(sky, colour=np.zeros((H, W, 3), np.uint8))
    assert render(Scene((black,)), sky.camera, renderer=renderer).holes.all()


def test_warm_up_compiles_every_kernel():
    from camera.render import depth_mesh, forward_splat, framebuffer, zbuffer
    from camera.render import inpaint as fill

    warm_up()
    kernels = (fill._push_last, framebuffer._close_cracks, depth_mesh._draw, forward_splat._accumulate, zbuffer._draw)
    compiled = [len(kernel.signatures) for kernel in kernels]
    for renderer in RENDERERS:
        render(Scene((box(),)), sideways(0.5), renderer=renderer, fill="background")
    assert all(compiled) and compiled == [len(kernel.signatures) for kernel in kernels]


def test_importing_the_renderer_loads_no_heavy_modules():
    code = "import sys, camera.render.scene, camera.cache3d.cache; print([m for m in ('numba', 'torch', 'trimesh') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_kernels_work_without_a_writable_cache(tmp_path):
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from camera.kernel import kernel\n"
        "print(kernel(lambda x: x + 1)(2))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "3"
