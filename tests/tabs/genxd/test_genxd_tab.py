"""GenXD's tab: which files it accepts, what it shows of them, and the outputs of a run."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from camera import formats
from camera.cloud import PointCloud
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from camera.view import Scene, View
from pipelines import method
from pipelines.media.video import probe, write_mp4
from pipelines.project.content import PATH_FILE, MoveSource
from tabs.genxd import given_views as views
from tabs.project.project import Project
from tests.scenes.rendered_clip import render
from tests.tabs.visitor import Visitor

GENXD = method("genxd")
SIZE = 64


def posed(*x: float) -> Scene:
    """Views side by side at ``x`` that look at one point of a wall 3 units away."""
    views = []
    for place in x:
        pose = np.eye(4)
        pose[:3, :3] = from_pan_tilt_roll(-np.degrees(np.arctan2(place, 3)), 0, 0)
        pose[0, 3] = place
        colour = np.random.default_rng(len(views)).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
        views.append(View.of(colour, np.full((SIZE, SIZE), 3.0), pinhole(SIZE, SIZE, 50), pose))
    return Scene(tuple(views), "views")


@pytest.mark.parametrize("with_the_scene", [True, False])
def test_known_cameras_are_taken_where_they_stand(with_the_scene):
    """Cameras in the scene's own world are neither moved to the picture nor resampled; those of a plain path file are both."""
    scene, moves = posed(1.0, 2.0), GENXD.moves(width=SIZE, height=SIZE)
    known = CameraPath(
        np.stack([view.world_from_camera for view in posed(5, 6, 8).views]), pinhole(SIZE, SIZE, 50), SIZE, SIZE
    )
    project = Project(method="genxd").opened(scene).with_own(known, as_given=with_the_scene).with_moves(moves)
    drawn = project.with_source(MoveSource(moves_from=PATH_FILE))
    assert (len(drawn.path), drawn.path.centres[0, 0]) == ((3, 5.0) if with_the_scene else (12, 1.0))
    again = project.with_source(MoveSource(moves_from=PATH_FILE, path_as_given=True))
    np.testing.assert_array_equal(again.path.centres, known.centres)
    assert (drawn.opened(scene).own is None) == with_the_scene, "another scene has other cameras"


# --- through the page's API --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    return Visitor(address, tmp_path_factory.mktemp("downloads"))


def value(answer):
    """A component's value, whether returned alone or as an update."""
    return answer["value"] if isinstance(answer, dict) and "value" in answer else answer


def given(folder: Path, scene: Scene, kind: str = "colmap_bin") -> list:
    """Pictures of a scene and a camera file, as a client uploads them."""
    poses = np.stack([view.world_from_camera for view in scene.views])
    name, data = formats.write(kind, CameraPath(poses, scene.first.intrinsics, SIZE, SIZE, 6))
    (folder / name).write_bytes(data)
    for i, view in enumerate(scene.views, 1):
        Image.fromarray(view.colour).save(folder / f"frame_{i:05d}.png")
    return [handle_file(str(file)) for file in (*sorted(folder.glob("frame_*.png")), folder / name)]


SMALL = {"width": SIZE, "height": SIZE}
TINY = {"steps": 2, "weights": "tiny"}


def test_known_targets_are_shot_and_leave_everything_behind(client, tmp_path):
    """Five posed pictures, three given: the cameras of the other two are the path; outputs are sheet, cameras and COLMAP folder."""
    told = client.predict(given(tmp_path, posed(0, 0.2, 0.4, 0.6, 0.8)), given_views=3, api_name="/genxd_open_files")
    assert "3 of 5 pictures are given" in told and "ready under Path file" in told
    figure, notes = client.predict(**SMALL, moves_from="Path file", api_name="/genxd_draw")
    assert len(figure["figure"]["frames"]) == 2 and "1 group of 9, each from the 3 given views" in notes
    status, _, _, files, *_ = client.predict(**TINY, api_name="/genxd_shoot")
    assert "in 1 group of 9" in status
    words, beside = client.predict(api_name="/genxd_compare")
    assert "2 frames against the true pictures" in words and "dB PSNR" in words
    seen = probe(value(beside))
    assert (seen.width, seen.height) == (5 * SIZE, SIZE), "three given, the true one, the made one"
    taken_up = client.predict(handle_file(value(files)[0]), api_name="/genxd_restore")
    assert "path of 2 frames" in str(taken_up)
    client.predict(**SMALL, moves_from="Path file", api_name="/genxd_draw")
    path = formats.read("camera_path.json", Path(client.predict("reshoot", api_name="/genxd_path_file")).read_bytes())
    np.testing.assert_allclose(path.centres[:, 0], [0.2, 0.6], atol=1e-9)
    left = {Path(file).name.split("-", 2)[-1]: Path(file) for file in value(files)}
    assert {"contact-sheet.png", "cameras.zip", "colmap.zip", "genxd.json", "genxd_rel.json"} <= left.keys()
    with zipfile.ZipFile(left["cameras.zip"]) as archive:
        shot = formats.read("camera_path.json", archive.read("camera_path.json"))
    np.testing.assert_allclose(shot.centres[:, 0], [0.2, 0.6], atol=1e-9)
    with zipfile.ZipFile(left["colmap.zip"]) as archive:
        assert sum(name.startswith("images/") for name in archive.namelist()) == 5, "two made, three given"


def test_few_views_take_a_fit_or_any_path_in_groups(client, tmp_path):
    """Several moves drawn from one upload, in a different format; the last one is shot with two given views per group."""
    client.predict(given(tmp_path, posed(0, 0.2, 0.5, 0.6), "nerfstudio"), api_name="/genxd_open_files")
    for moves, groups in (
        ({"move": "spiral"}, "2 groups of 9"),
        ({"move": "ellipse", "frames": 9}, "1 group of 9"),
        ({"moves_from": "Film moves", "film_moves": "truck 0.2", "frames": 30}, "4 groups of 9"),
        ({"move": "spline", "frames": 8}, "1 group of 9"),
    ):
        notes = client.predict(**SMALL, **moves, api_name="/genxd_draw")[1]
        assert f"{groups}, each from the 3 nearest of 4 given views" in notes
    status = client.predict(**TINY, contexts=2, grouping="by place", api_name="/genxd_shoot")[0]
    assert "1 group of 10, each from the 2 nearest of 4" in status


def test_a_video_is_curated_and_becomes_the_scene(client, tmp_path):
    write_mp4(tmp_path / "clip.mp4", render(4, speed=0, travel=0.6).frames, 12)
    told, entry = client.predict(handle_file(str(tmp_path / "clip.mp4")), api_name="/genxd_curate")
    assert "4 frames with cameras" in told and "motion strength 0.00" in told
    with zipfile.ZipFile(value(entry)) as archive:
        names = {name.split("/", 1)[1] for name in archive.namelist()}
    assert {"images/00003.jpg", "0/cameras.bin", "0/images.bin", "0/points3D.bin", "0/project.ini"} <= names
    notes = client.predict(**SMALL, move="spline", api_name="/genxd_draw")[1]
    assert "nearest of 4 given views" in notes


def test_what_is_missing_is_said(client):
    for given_files, endpoint, words in (
        ([], "open_files", "Open files first"),
        (None, "curate", "Choose a video first"),
    ):
        with pytest.raises(AppError, match=words):
            client.predict(given_files, api_name=f"/genxd_{endpoint}")
    with pytest.raises(AppError, match="Shoot the known cameras first"):
        Visitor(client.src).predict(api_name="/genxd_compare")


# --- the given cameras on the tab's stage ------------------------------------------------------------------------------


def test_the_stage_shows_all_cameras_and_the_points_of_the_set():
    scene = posed(*np.linspace(0, 1, 12))
    points = PointCloud(np.array([[0, 0, 3], [1, 2, 4]], np.float32), np.array([[9, 8, 7], [1, 2, 3]], np.uint8))
    figure = views.views_figure(scene, points)["figure"].root
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert traces["scene"]["marker"]["color"] == ["rgb(9,8,7)", "rgb(1,2,3)"]
    np.testing.assert_allclose(_array(traces["scene"]["z"]), [0, -2])
    assert np.isnan(_array(traces["frusta"]["x"])).sum() == 2 * len(scene.views), "a frustum for each of the 12"
    assert len(figure["frames"]) == 12 and "2 sparse points" in views.describe_views(scene, points)
    assert len(_array(views.views_figure(scene, None)["figure"].root["data"][0]["x"])) > 1000, "else the depth's points"


def _array(packed: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
