"""The figure is valid Plotly, small and fast, and its camera matches the path."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import trimesh

from camera.figure.path import cloud, figure, frustum_lines, plain, spec, to_display
from camera.objects.model import read_model
from camera.objects.scene import Key, Placement, SceneObject, StagedScene, new_object, stage_objects
from camera.path import CameraPath, pinhole
from camera.view import Scene, View


@pytest.fixture(scope="module")
def scene() -> Scene:
    rows, columns = np.indices((90, 160))
    colour = np.stack([rows * 2, columns, rows + columns], axis=-1).astype(np.uint8)
    depth = np.where(rows < 20, np.nan, 3 + columns / 160)
    return Scene((View.of(colour, depth, pinhole(160, 90, 60)),), unit="metres")


@pytest.fixture(scope="module")
def path() -> CameraPath:
    poses = np.repeat(np.eye(4)[None], 25, axis=0)
    poses[:, 0, 3] = np.linspace(0, 1, 25)
    return CameraPath(poses, pinhole(160, 90, 60), 160, 90)


def test_every_part_is_valid_plotly(path, scene):
    made = figure(path, scene, nominal=True)
    assert isinstance(made, go.Figure) and len(made.frames) == 25
    assert "nominal" in made.layout.title.text.lower()
    assert {trace.name for trace in made.data} == {"scene", "picture", "frusta", "path", "camera"}


def test_frustum_lines_start_at_the_camera_centre(path, scene):
    made = spec(path, scene)
    line = made["frames"][24]["data"][0]
    np.testing.assert_allclose([line["x"][0], line["y"][0], line["z"][0]], [1, 0, 0], atol=1e-6)


def test_display_axes_have_depth_along_y_and_height_along_z():
    np.testing.assert_allclose(to_display(np.array([[0, 0, 1], [0, -1, 0]])), [[0, 1, 0], [0, 0, 1]])


def test_a_longer_lens_draws_a_narrower_frustum(path):
    tele = CameraPath(path.world_from_camera, pinhole(160, 90, 20), 160, 90)
    wide_line, tele_line = (frustum_lines(p, [0], 1.0)[0] for p in (path, tele))
    assert np.ptp(tele_line[1:3, 0]) < 0.5 * np.ptp(wide_line[1:3, 0])


def test_the_cloud_stays_within_its_budget_and_leaves_out_the_sky(scene):
    points, colours = cloud(scene, 2000)
    assert 1000 < len(points) <= 2000 and len(points) == len(colours)
    assert points[:, 2].min() >= 3 and points[:, 2].max() < 4.1


def test_a_hundred_thousand_points_give_a_small_figure_quickly(path):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (400, 640, 3), np.uint8)
    big = Scene((View.of(colour, np.full((400, 640), 2.0), pinhole(640, 400, 60)),))
    spec(path, big)
    start = time.perf_counter()
    text = json.dumps(plain(spec(path, big)))
    assert time.perf_counter() - start < 0.5
    assert len(text) < 1_000_000


@pytest.fixture(scope="module")
def staged_ball(scene) -> StagedScene:
    ball = read_model(trimesh.creation.icosphere(3).export(file_type="ply"), "ball.ply")
    way = (Key(0, Placement(0, 0, 1, size=0.2)), Key(1, Placement(0.5, 0, 1, size=0.4)))
    return stage_objects(scene, [SceneObject(ball, way), SceneObject(ball)])


def test_objects_are_in_the_figure_and_move_with_its_frames(path, staged_ball):
    made = spec(path, staged_ball)
    names = [trace["name"] for trace in made["data"]]
    moving, standing = made["data"][names.index("1: ball.ply")], made["data"][names.index("2: ball.ply")]
    assert names.index("2: ball.ply") not in made["frames"][0]["traces"] and standing["type"] == "mesh3d"
    centres = []
    for step in made["frames"]:
        assert step["traces"] == [names.index("camera"), names.index("1: ball.ply")]
        assert len(step["data"][1]["x"]) == len(moving["x"])
        centres.append([float(step["data"][1][axis].mean()) for axis in "xyz"])
    distance = staged_ball.distance
    assert centres[0] == pytest.approx([0, distance, 0.1 * distance], abs=0.02 * distance), "on its feet, up is up"
    assert centres[-1] == pytest.approx([0.5 * distance, distance, 0.2 * distance], abs=0.02 * distance)
    room = next(trace for trace in made["data"] if trace["name"] == "room")
    assert room["x"].max() >= max(step["data"][1]["x"].max() for step in made["frames"])
    assert len(figure(path, staged_ball).frames[3].data) == 2


def test_objects_keep_their_colours_and_stay_small(path, scene):
    ball = trimesh.creation.icosphere(2)
    ball.visual = trimesh.visual.ColorVisuals(
        ball, vertex_colors=np.tile([[200, 10, 30, 255]], (len(ball.vertices), 1))
    )
    many = stage_objects(
        scene, [new_object(read_model(ball.export(file_type="ply"), "b.ply"), Placement()) for _ in range(20)]
    )
    long = path.resampled(241)
    turning = [replace(item, keys=(Key(0, Placement()), Key(1, Placement(turn=90)))) for item in many.objects]
    for shown in (many, many.with_objects(turning)):
        text = json.dumps(plain(spec(long, shown)))
        assert len(text) < len(json.dumps(plain(spec(long, scene)))) + 4_000_000
    colours = {
        colour for trace in spec(path, many)["data"] if trace["type"] == "mesh3d" for colour in trace["facecolor"]
    }
    assert colours == {"#c80a1e"}


def test_a_model_that_cannot_be_thinned_is_shown_as_a_box(path, scene):
    pieces = [
        trimesh.creation.box(transform=trimesh.transformations.translation_matrix([3 * x, 0, 0])) for x in range(900)
    ]
    row = read_model(trimesh.util.concatenate(pieces).export(file_type="ply"), "row.ply")
    shown = next(
        trace for trace in spec(path, stage_objects(scene, [SceneObject(row)]))["data"] if trace["type"] == "mesh3d"
    )
    assert len(shown["i"]) == 12


def test_animated_objects_move_in_the_figure(path, scene):
    fox = read_model((Path(__file__).parents[3] / "examples" / "fox" / "fox.glb").read_bytes(), "fox.glb")
    walking = stage_objects(scene, [new_object(fox, Placement())])
    frames = spec(path, walking)["frames"]
    legs = np.stack([step["data"][1]["x"] for step in frames])
    assert np.ptp(legs, axis=0).max() > 0.01 * walking.distance, "legs move though the fox stays"
    assert len(spec(path, stage_objects(scene, [replace(walking.objects[0], speed=0.0)]))["frames"][0]["data"]) == 1
