"""The data that the page receives to draw the stage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from camera.figure.path import plain, spec
from camera.render.exposure import Exposure
from camera.render.painters import SelfRenderedScene
from camera.trajectories import film_script
from examples import load
from tabs.browser.stage import stage_value, viewfinder_value


def test_points_come_once_and_not_with_every_change_of_the_path(tmp_path):
    scene = load("reading_room")
    values = []
    for move in ("arc 20", "arc 30"):
        path = film_script.path_of(move, scene.first, frames=121)
        values.append(stage_value(path, scene, tmp_path.joinpath, nominal=False))
    assert values[0]["points"] == values[1]["points"] and values[0]["sight"]["scene"] == values[1]["sight"]["scene"]
    assert len(list(tmp_path.iterdir())) == 2 and values[0]["sight"]["poses"] != values[1]["sight"]["poses"]
    assert values[0]["figure"] != values[1]["figure"]

    dots = next(trace for trace in spec(path, scene)["data"] if trace["name"] == "scene")
    points = values[0]["points"]
    (count,) = points["counts"]
    assert values[0]["figure"].root["data"][points["trace"]]["name"] == "scene" and count == len(dots["x"]) > 10_000
    data = Path(points["url"].removeprefix("gradio_api/file=")).read_bytes()
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", count), dots["x"])
    np.testing.assert_array_equal(np.frombuffer(data, np.uint8, offset=12 * count), dots["marker"]["color"])
    whole = len(json.dumps(plain(spec(path, scene))))
    assert len(json.dumps(values[0], default=lambda figure: figure.root)) < 0.4 * whole


def test_sessions_that_show_one_scene_share_its_files_and_its_figure(tmp_path):
    scene = load("still_life")
    path = film_script.path_of("arc 20", scene.first, frames=5)
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    values = [stage_value(path, scene, folder.joinpath, nominal=False) for folder in folders[:2]]
    assert values[0]["figure"].root is values[1]["figure"].root and values[0]["id"] != values[1]["id"]
    places = [{file.name: file.stat().st_ino for file in folder.iterdir()} for folder in folders[:2]]
    assert places[0] == places[1] and len(places[0]) == 2
    content = {file.name: file.read_bytes() for file in folders[0].iterdir()}
    for folder in folders[:2]:  # both sessions end
        shutil.rmtree(folder)
    stage_value(path, scene, folders[2].joinpath, nominal=False)
    assert {file.name: file.read_bytes() for file in folders[2].iterdir()} == content


def test_the_page_is_told_what_it_cannot_draw_itself_and_the_look(tmp_path):
    scene = load("reading_room")
    path = film_script.path_of("arc 20", scene.first, frames=3)
    plain = viewfinder_value(path, scene, tmp_path.joinpath)
    assert plain["stands_for"] == "" and plain["look"] is None
    self_drawn = SelfRenderedScene(scene.views)
    exposure = Exposure(2.0, f_stop=2.8, point=(0.0, 0.0, 2.0))
    told = json.loads(json.dumps(viewfinder_value(path, self_drawn, tmp_path.joinpath, exposure)))
    assert "first picture only" in told["stands_for"]
    assert told["look"] == {
        "distance": 2,
        "f_stop": 2.8,
        "shutter_degrees": 0,
        "point": [0, 0, 2],
        "count": exposure.count(path),
    }
