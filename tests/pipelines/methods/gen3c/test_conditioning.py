"""The cache during a run: units, choice of views, growth by aligned depth, named options."""

from dataclasses import replace

import numpy as np
import pytest

from camera.cache3d.buffer import CacheOptions
from camera.cache3d.cache import KeyViewCache, cache_of, pool_buffers
from camera.view import Scene
from pipelines.methods.gen3c.cache_conditioning import Conditioning, cache_options, least_cover
from pipelines.methods.gen3c.method import AS_GIVEN, AS_UPSTREAM_SETTINGS, POOLED, Gen3cMoves, Gen3cSettings, path

SETTINGS = Gen3cSettings(chunk_frames=17)


def _path(scene, **changes):
    return path(Gen3cMoves(width=96, height=64, frames=17, **changes), scene)


def _large(scene, factor):
    pose = scene.first.world_from_camera.copy()
    pose[:3, 3] *= factor
    return Scene((replace(scene.first, depth=scene.first.depth * np.float32(factor), world_from_camera=pose),))


def test_the_unit_of_the_scene_does_not_matter(scene):
    """A scene twenty times as large would exceed the cache's largest depth, 100 units."""
    large = _large(scene, 40)
    small = Conditioning(scene, SETTINGS, []).render(_path(scene), first=0)
    same = Conditioning(large, SETTINGS, []).render(_path(large), first=0)
    np.testing.assert_array_equal(same.masks, small.masks)
    np.testing.assert_allclose(same.images, small.images, atol=1e-3)
    as_given = replace(SETTINGS, scene_scale=AS_GIVEN)
    cut = Conditioning(large, as_given, []).render(_path(large), first=0)
    assert np.abs(cut.images - small.images).mean() > 1e-2


def test_options_have_upstreams_names():
    assert cache_options(SETTINGS) == CacheOptions(filter_threshold=0.05, foreground_masking=True)
    upstream = cache_options(Gen3cSettings.of(AS_UPSTREAM_SETTINGS))
    assert upstream.pairs_share_depth_range and upstream.first_boundary_for_all


@pytest.mark.parametrize("method", ["rigid", "non_rigid"])
def test_a_generated_frame_enters_at_the_scale_of_the_scene(scene, method):
    conditioning = Conditioning(scene, replace(SETTINGS, alignment=method), [])
    camera = _path(scene).sliced(slice(0, 1))
    truth = scene.first.depth
    conditioning.add(scene.first.colour, lambda picture: 1 / (2.5 / truth + 0.1), camera)
    (added,) = conditioning.added
    np.testing.assert_allclose(added.depth, truth, rtol=0.03)
    shown = conditioning.render(_path(scene), first=16)
    assert shown.images.shape[1] == 2 and least_cover(shown)[1] > 0.5


def test_what_alignment_puts_behind_infinity_has_no_depth(scene):
    conditioning = Conditioning(scene, replace(SETTINGS, alignment="rigid"), [])
    pose = np.eye(4)
    pose[2, 3] = -0.5
    camera = _path(scene).with_poses(np.repeat(pose[None], 17, axis=0)).sliced(slice(0, 1))
    inverse_depth = 1 / (scene.first.depth + 0.5)
    inverse_depth[:4] = 0.01  # far away in the estimate, beyond infinity once its offset is subtracted

    conditioning.add(scene.first.colour, lambda picture: 1 / (inverse_depth + 0.2 * (inverse_depth > 0.02)), camera)
    (added,) = conditioning.added
    assert not added.known[1:3].any() and added.known[10:54].all()


def test_without_alignment_depth_is_taken_in_units_of_the_cache(scene):
    conditioning = Conditioning(scene, replace(SETTINGS, alignment="off"), [])
    camera = _path(scene).sliced(slice(0, 1))
    conditioning.add(scene.first.colour, lambda picture: np.full((64, 96), 2.0, np.float32), camera)
    np.testing.assert_allclose(conditioning.added[0].depth, 2 * scene.first.focus_depth, rtol=1e-5)


def test_noise_falls_on_generated_pictures_only(scene):
    conditioning = Conditioning(scene, replace(SETTINGS, noise_strength=0.2), [])
    clean = Conditioning(scene, SETTINGS, [])
    for one in (conditioning, clean):
        one.add(scene.first.colour, lambda picture: scene.first.depth, _path(scene).sliced(slice(0, 1)))
    noisy, plain = (one.render(_path(scene), first=16).images for one in (conditioning, clean))
    assert np.std(noisy[:, 0] - plain[:, 0]) == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(noisy[:, 1], plain[:, 1])


@pytest.fixture(scope="module")
def views(scene):
    """Four cameras side by side; the path starts at the first and moves left."""
    placed = []
    for x in (0.0, 2.5, -0.3, 1.5):
        pose = np.eye(4)
        pose[0, 3] = x
        placed.append(replace(scene.first, world_from_camera=pose))
    return Scene(tuple(placed), "views")


def test_views_are_chosen_as_the_cache_chooses(views):
    settings = replace(SETTINGS, scene_scale=AS_GIVEN)
    shown = Conditioning(views, settings, []).render(_path(views), first=0)
    expected = cache_of(views, cache_options(settings)).render(_path(views))
    np.testing.assert_array_equal(shown.images, expected.images)
    np.testing.assert_array_equal(shown.masks, expected.masks)


def test_pooled_views_are_one_picture(views):
    settings = replace(SETTINGS, scene_scale=AS_GIVEN, views=POOLED)
    shown = Conditioning(views, settings, []).render(_path(views), first=0)
    cache = cache_of(views, cache_options(settings))
    assert isinstance(cache, KeyViewCache)
    expected = pool_buffers(replace(cache, most=None, full=None).render(_path(views), with_depth=True))
    assert shown.images.shape[1] == 1
    np.testing.assert_array_equal(shown.images, expected.images)
    best = Conditioning(views, replace(settings, views="best two"), []).render(_path(views), first=0)
    assert least_cover(shown)[1] >= least_cover(best)[1]
