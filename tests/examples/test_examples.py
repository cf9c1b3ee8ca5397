"""Example files: complete, consistent with their cameras, and equal to what the renderer makes today."""

import json
from pathlib import Path

import numpy as np
import pytest

from camera.errors import InputError
from camera.path import inverse
from camera.view import FAR, Scene
from examples import EXAMPLES, load
from examples.render import depth_at, setting_of
from examples.store import FOLDER, decode_depth, encode_depth, pack_planes, read, unpack_planes

KINDS = {"still": "still", "mesh": "still", "clip": "clip", "views": "views"}
NAMES = [example.name for example in EXAMPLES]


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {name: load(name) for name in NAMES}


def test_there_are_stills_a_clip_views_and_a_mesh():
    kinds = [example.kind for example in EXAMPLES]
    assert kinds.count("still") >= 6
    assert {"clip", "views", "mesh"} <= set(kinds)
    assert len({*NAMES}) == len(NAMES)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_examples_load_as_their_kind(example, scenes):
    scene = scenes[example.name]
    assert scene.kind == KINDS[example.kind]
    assert scene.unit == "metres"
    assert scene.name == example.title
    assert "\n" not in example.caption and len(example.caption) > 40
    assert example.thumbnail.is_file()
    assert (example.mesh is not None) == (example.kind == "mesh")
    assert len(scene.views) == {"clip": 49, "views": 3}.get(example.kind, 1)


@pytest.mark.parametrize("name", NAMES)
def test_stored_depth_equals_the_renderers(name, scenes):
    """The only errors allowed are half a quantisation step, and rays near depth edges that hit another surface."""
    scene = scenes[name]
    facts = json.loads((FOLDER / name / "camera.json").read_text())
    index = len(scene.views) // 2
    view = scene.views[index]
    rng = np.random.default_rng(0)
    points = rng.integers([0, 0], [view.width, view.height], (300, 2))
    clock = index / scene.fps if scene.kind == "clip" else setting_of(name).seconds
    found = depth_at(name, view.camera, points, time=clock)
    stored, known = view.depth[points[:, 1], points[:, 0]], view.known[points[:, 1], points[:, 0]]
    assert ((found > 0) == known).mean() > 0.99
    both = known & (found > 0)
    close = np.abs(1 / found[both] - 1 / stored[both]) < 0.6 / (facts["levels"] * facts["near"])
    assert close.mean() > 0.985


def test_sky_is_far_and_unknown(scenes):
    view = scenes["lighthouse"].first
    assert not view.known[5, 600]
    assert view.depth[5, 600] == FAR


def test_the_three_views_agree(scenes):
    """Points of one view reproject onto the surface of another view, with the same colour, unless they are occluded."""
    left, middle, _ = scenes["courtyard"].views
    rows, columns = (axis.reshape(-1) for axis in np.mgrid[4 : left.height : 8, 4 : left.width : 8])
    rows, columns = rows[left.known[rows, columns]], columns[left.known[rows, columns]]
    pixels = np.stack([columns, rows, np.ones(len(rows))])
    here = np.linalg.inv(left.intrinsics) @ pixels * left.depth[rows, columns]
    turn = inverse(middle.world_from_camera) @ left.world_from_camera
    there = turn[:3, :3] @ here + turn[:3, 3:]
    u, v, _ = np.round(middle.intrinsics @ there / there[2]).astype(int)
    inside = (there[2] > 0) & (u >= 0) & (v >= 0) & (u < middle.width) & (v < middle.height)
    u, v, z = u[inside], v[inside], there[2][inside]
    visible = np.abs(middle.depth[v, u] / z - 1) < 0.02
    occluding = middle.depth[v, u] < 0.98 * z
    assert inside.sum() > 2000
    assert visible.mean() > 0.6
    assert (visible | occluding).mean() > 0.97
    colour = np.abs(left.colour[rows, columns][inside][visible].astype(int) - middle.colour[v, u][visible]).mean(axis=1)
    assert np.median(colour) < 8


def test_the_clip_has_moving_objects_and_a_moving_camera(scenes):
    scene = scenes["toy_train"]
    places = np.stack([view.world_from_camera[:3, 3] for view in scene.views])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert 0.3 < steps.sum() < 3.0
    first, camera = scene.first, scene.first.camera
    points = np.argwhere(np.ones((first.height, first.width), bool))[::97, ::-1]
    start, later = (depth_at("toy_train", camera, points, time=seconds) for seconds in (0.0, 1.0))
    assert 0.005 < (np.abs(start - later) > 0.01).mean() < 0.4


def test_depth_codes_preserve_inverse_depth():
    depth = np.geomspace(0.7, 3000, 400)
    again = decode_depth(encode_depth(depth, np.ones(400, bool), 16383, 0.7), 16383, 0.7)
    assert np.abs(1 / again - 1 / depth).max() <= 0.51 / (16383 * 0.7) or np.abs(again[-1] - 16383 * 0.7) < 1
    assert (decode_depth(encode_depth(depth, np.zeros(400, bool), 16383, 0.7), 16383, 0.7) == 0).all()


def test_packed_frames_round_trip(tmp_path: Path):
    frames = np.random.default_rng(1).integers(0, 1 << 16, (3, 17, 23)).astype(np.uint16)
    np.savez_compressed(tmp_path / "depth.npz", planes=pack_planes(frames))
    assert (unpack_planes(tmp_path / "depth.npz") == frames).all()


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match=r"nowhere.*reading_room"):
        load("nowhere")


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"camera\.json of the example 'lost'"):
        read("lost", "Lost", tmp_path)


def test_examples_are_small_in_total():
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file() and "cache" not in str(file)) < 7e6


def test_loaded_examples_share_their_arrays(scenes):
    assert load("fox") is scenes["fox"]
    fitted = load("fox").fitted(96, 64)
    assert load("fox").fitted(96, 64).first.depth is fitted.first.depth
