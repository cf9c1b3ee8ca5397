"""The Scene tab through its API: from a result, posed frames or an example to 3D, files and a flight."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import trimesh
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from bench.room import orbit, shot
from camera import formats
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines import method
from pipelines.media.image_metrics import psnr
from pipelines.media.video import probe
from pipelines.method import Clip
from pipelines.methods.dimensionx.grid_4d import Grid, as_clip
from pipelines.options import RunOptions
from pipelines.reconstruct import display
from pipelines.reconstruct.dynamic_points import find_moving_points
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.reconstruct.pipeline import Reconstruction, Shots, make, shots_of_clip, shots_of_views
from pipelines.registry import FIVE, NAMES
from pipelines.results.depth_frames import DEPTH_FILE, disparity_range, sixteen_bit_zip
from pipelines.results.embedded_scene import scene_to_embed
from pipelines.results.record import beside_file, record, save
from pipelines.shot import Shot
from pipelines.splats.files import read_ply, read_splat
from tabs.parts.send_to_scene import offers
from tabs.scene import tab
from tabs.scene.orbit import OrbitView, caption, follow_viewer, orbit_value, picture
from tabs.scene.session import AS_SHOT, STANDS, OpenedFrames, SceneTabState, read_result
from tabs.serving.named_files import file_of
from tests.tabs.visitor import Visitor

SMALL_SPLATS = {"iterations": 20, "most_splats": 600, "longest_side": 64}
HEIGHT, WIDTH, FRAMES = 64, 96, 8


@pytest.fixture
def client(address, tmp_path):
    return Visitor(address, tmp_path)


def room() -> tuple[np.ndarray, CameraPath, tuple[View, ...]]:
    views = tuple(shot(orbit(HEIGHT, WIDTH, float(angle))) for angle in np.linspace(-10, 10, FRAMES))
    path = CameraPath(np.array([view.world_from_camera for view in views]), views[0].intrinsics, WIDTH, HEIGHT)
    return np.stack([view.colour for view in views]), path, views


def result(folder: Path, frames: np.ndarray, path: CameraPath, weights: str = "real", **carried: bytes) -> Path:
    """A result's mp4 as saved by the app."""
    gen3c, (_, _, views) = method("gen3c"), room()
    made = record(Shot(gen3c, Scene(views[:1]), path, gen3c.settings(), RunOptions(weights=weights)))
    return save(folder, f"gen3c-{weights}", Clip(frames, path.fps, path), made, **carried).video


def value(answer):
    return answer["value"] if isinstance(answer, dict) and "value" in answer else answer


def made(client: Client, view: str = "", **choices) -> tuple[str, Path | None]:
    """The final message, and the file in the viewer."""
    told = client.predict(**choices, api_name="/scene_make")[0]
    return told, Path(value(client.predict(view, api_name="/scene_show"))) if view else None


def taken_home(client: Client) -> dict[str, bytes]:
    return {Path(file).name: Path(file).read_bytes() for file in value(client.predict(api_name="/scene_files"))}


def test_an_example_becomes_points_mesh_and_splats(client, monkeypatch):
    monkeypatch.setattr(tab, "EXAMPLE_SIDE", WIDTH)
    assert "3 frames" in client.predict("courtyard", "", api_name="/scene_open_example")[1]
    status, model = made(client, "With the cameras", kind="points")
    assert "points" in status
    shown = trimesh.load(str(model), file_type="glb")
    assert {type(part) for part in shown.geometry.values()} == {trimesh.PointCloud, trimesh.path.Path3D}
    bare = trimesh.load(client.predict("Without the cameras", api_name="/scene_show"), file_type="glb")
    assert len(bare.geometry) == 1

    assert "with a texture" in made(client, kind="mesh", texture=True)[0]
    assert {"mesh.ply", "mesh.glb", "textured.glb"} <= set(taken_home(client))

    status, model = made(client, "Splats", kind="splats", **SMALL_SPLATS)
    assert "dB on frames" in status and "own rasteriser" in status
    assert len(read_ply(model.read_bytes())) > 100
    files = taken_home(client)
    assert {"points.ply", "points.glb", "colmap.zip", "nerfstudio.zip"} <= set(files)
    with zipfile.ZipFile(io.BytesIO(files["colmap.zip"])) as archive:
        assert sum(name.startswith("images/") for name in archive.namelist()) == 3
    assert len(read_ply(files["splats.ply"])) == len(read_splat(files["scene.splat"]))
    flight = value(client.predict("Film moves", "arc 10", 5, 64, api_name="/scene_fly"))
    flight = flight["video"] if isinstance(flight, dict) else flight
    assert (probe(flight).frames, probe(flight).width) == (5, 64)


def test_masks_say_what_is_kept_and_what_moves(client, monkeypatch, tmp_path):
    monkeypatch.setattr(tab, "EXAMPLE_SIDE", WIDTH)
    client.predict("courtyard", "", api_name="/scene_open_example")
    masks = []
    for number in (9, 10, 8):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[:, : WIDTH // 2] = 255
        Image.fromarray(mask).save(tmp_path / f"{number}.png")
        masks.append(handle_file(str(tmp_path / f"{number}.png")))

    def points(**choices) -> int:
        client.predict(kind="points", **choices, api_name="/scene_make")
        return len(trimesh.load(io.BytesIO(taken_home(client)["points.ply"]), file_type="ply").vertices)

    whole = points()
    assert "3 masks" in value(client.predict(masks, api_name="/scene_open_moving_masks"))
    still = points()
    client.predict("courtyard", "", api_name="/scene_open_example")
    assert points() == whole, "masks are of the frames that were open"
    assert "3 masks" in value(client.predict(masks, api_name="/scene_open_masks"))
    kept = points(keep="what the masks mark")
    assert 0.2 * whole < kept < 0.8 * whole and 0.2 * whole < still < 0.8 * whole
    assert kept + still <= whole
    assert points(keep="everything") == whole
    with pytest.raises(AppError, match="3 frames needs a mask, got 2"):
        client.predict(masks[:2], api_name="/scene_open_moving_masks")


def test_splats_are_shown_without_their_backdrop():
    frames, path, views = room()
    shots = shots_of_clip(Clip(frames, 24, path, scene=Scene(views, "clip")), name="room")
    *_, done = (
        step
        for step in make(shots, "splats", settings=SplatSettings(**SMALL_SPLATS))
        if isinstance(step, Reconstruction)
    )
    assert done.fitted is not None
    splats = done.fitted.splats
    behind = replace(
        splats, means=done.path.centres.mean(axis=0) + 50 * (splats.means - done.path.centres.mean(axis=0))
    )
    backed = replace(done, fitted=replace(done.fitted, splats=splats.joined(behind).joined(behind)))
    assert np.ptp(display.near_points(backed).points, axis=0).max() < 3 * np.ptp(done.cloud.points, axis=0).max()
    assert len(read_ply(display.splats_for_viewer(backed))) == len(read_ply(display.splats_for_viewer(done)))


def test_own_frames_with_a_camera_file_need_a_depth_model_for_more_than_points(client, tmp_path):
    frames, path, _ = room()
    pictures = []
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"frame_{number:02d}.png")
        pictures.append(handle_file(str(tmp_path / f"frame_{number:02d}.png")))
    name, data = formats.write("reshoot", path)
    (tmp_path / name).write_bytes(data)
    opened = client.predict(pictures, handle_file(str(tmp_path / name)), api_name="/scene_open_frames")[1]
    assert "8 frames of 96 x 64" in opened and "without their own depth" in opened
    with pytest.raises(AppError, match=r"[Dd]epth"):
        client.predict(kind="mesh", api_name="/scene_make")
    status, _ = made(client, kind="points")
    assert "no depth is available" in status
    assert "8 frames" in client.predict(handle_file(str(tmp_path / name)), api_name="/scene_open_path")
    flight = value(client.predict("Path file", "", 5, 64, api_name="/scene_fly"))
    assert probe(flight["video"] if isinstance(flight, dict) else flight).frames == 8


def test_a_result_of_random_weights_is_said_to_be_noise(client, tmp_path):
    _, path, _ = room()
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    opened = client.predict([handle_file(str(result(tmp_path, noise, path, "tiny")))], api_name="/scene_open_result")[1]
    assert "GEN3C" in opened and "there is no 3D" in opened
    with pytest.raises(AppError, match="tiny random weights"):
        client.predict(kind="points", api_name="/scene_make")


def test_a_4d_result_becomes_points_in_motion(client, tmp_path):
    frames, path, _ = room()
    dimensionx, moments = method("dimensionx"), (frames, np.ascontiguousarray(frames[:, ::-1]))
    settings = replace(dimensionx.settings(), key_frames=2)
    clip = as_clip(Grid(frames, (0, 24), moments), path, 24, ())
    saved = save(tmp_path, "four", clip, record(Shot(dimensionx, Scene(room()[2][:1]), path, settings)))
    with pytest.raises(AppError, match="all files of the result"):
        client.predict([handle_file(str(saved.video))], api_name="/scene_open_result")
    everything = [saved.video, *saved.companions.values(), *saved.files.values()]
    opened = client.predict([handle_file(str(file)) for file in everything], api_name="/scene_open_result")
    assert "2 moments" in opened[1] and "the path requested from the method" in opened[1]
    assert [value(each) for each in opened[2:4]] == ["points in motion", "estimated from the frames"]
    status, _ = made(client, kind="points in motion", cameras="as they are")
    assert "2 moments of 1.0 seconds" in status and "8 cameras" in status
    files = taken_home(client)
    assert b"Plotly.newPlot" in files["points_in_motion.html"]
    with zipfile.ZipFile(io.BytesIO(files["moments.zip"])) as archive:
        assert {"moments.json", "moment_001/sparse/0/images.txt"} <= set(archive.namelist())
    flight = value(client.predict("The path it was shot on", "", 2, 64, "stands still", 0.5, api_name="/scene_fly"))
    assert probe(flight["video"] if isinstance(flight, dict) else flight).frames == FRAMES


def test_of_moving_clips_every_frame_is_a_moment_and_orbits_are_seen_to_close():
    _, path, views = room()
    shots = shots_of_views(Scene(views, "clip"))
    solid = SceneTabState(OpenedFrames(shots, moves=True)).with_made(list(find_moving_points(shots))[-1])
    value = orbit_value(solid)
    counts = value["points"]["counts"]
    file = file_of(value["points"]["url"])
    assert file is not None
    data = file.read_bytes()
    assert value["frames"] == FRAMES == len(counts) and len(data) == 13 * sum(counts)
    at = follow_viewer(solid, OrbitView(), 3, [0, 0, 0], [0, 0, 0])
    assert psnr(picture(solid, at), views[3].colour, picture(solid, at).any(axis=2)) > 15
    away = follow_viewer(solid, at, None, [0, 0, 0], [0.2, 0, 0])
    later = follow_viewer(solid, away, 5, [0, 0, 0], [0, 0, 0])
    assert later.frame == 5 and later.free is away.free and "your position" in caption(solid, later)
    path = solid.path(AS_SHOT, "", 0, WIDTH)
    passing, standing = list(solid.frames(path)), list(solid.frames(path, STANDS, 0.5))
    halfway = FRAMES // 2
    assert [np.array_equal(*pair) for pair in zip(passing, standing)] == [i == halfway for i in range(FRAMES)]
    assert not OpenedFrames(shots).closes
    round_trip = [orbit(HEIGHT, WIDTH, float(angle)).world_from_camera[0] for angle in np.linspace(0, 360, 24)]
    frames = np.zeros((24, HEIGHT, WIDTH, 3), np.uint8)
    assert OpenedFrames(
        Shots(frames, CameraPath(np.array(round_trip), path.intrinsics[0], WIDTH, HEIGHT), "round")
    ).closes
    solid.folder.is_dir() and shutil.rmtree(solid.folder)


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("/scene_make", {}, "no frames yet"),
        ("/scene_files", {}, "Make points, a mesh or splats first"),
        ("/scene_fly", {}, "Make points, a mesh or splats first"),
        ("/scene_open_example", {"example": "nowhere", "film_moves": ""}, "nowhere"),
    ],
)
def test_errors_arrive_as_sentences(client, endpoint, values, words):
    with pytest.raises((AppError, ValueError), match=words):
        client.predict(**values, api_name=endpoint)


def test_depth_that_was_generated_beside_a_result_comes_with_it(tmp_path):
    frames, path, views = room()
    file = result(
        tmp_path, frames, path, carries=scene_to_embed(Clip(frames, path.fps, path), Scene(views[:1]), goes_on=False)
    )
    assert read_result([file]).shots.depth is None
    span = disparity_range(views[0])
    brightness = np.stack([(1 / view.depth - span.black) / (span.white - span.black) for view in views]).clip(0, 1)
    beside_file(file, DEPTH_FILE).write_bytes(sixteen_bit_zip(brightness))
    shots = read_result([file]).shots
    assert shots.depth is not None and "GEN3C" in shots.source
    inner = views[3].depth < np.quantile(views[3].depth, 0.9)
    np.testing.assert_allclose(shots.depth[3][inner], views[3].depth[inner], rtol=0.01)


def test_who_stops_keeps_the_best_so_far():
    frames, path, views = room()
    shots = shots_of_clip(Clip(frames, 24, path, scene=Scene(views, "clip")), name="room")
    steps = make(shots, "splats", settings=SplatSettings(**{**SMALL_SPLATS, "iterations": 400}))
    kept = next(step for step in steps if isinstance(step, Reconstruction))
    steps.close()
    assert kept.fitted is not None and kept.fitted.iteration == 1
    solid = SceneTabState(OpenedFrames(shots), kept)
    assert len(solid.path("Round the ellipse of its cameras", "", 12, 64)) == 12
    assert solid.path("The path it was shot on", "", 2, 32).width == 32


def test_a_mesh_stands_where_its_frames_saw_it():
    frames, path, views = room()
    shots = shots_of_clip(Clip(frames, 24, path, scene=Scene(views, "clip")), name="room")
    made = next(step for step in make(shots, "mesh") if isinstance(step, Reconstruction))
    assert made.mesh is not None and {"mesh.glb", "mesh.ply", "points.ply"} <= set(display.files(made))
    seen = next(display.render_flight(made, path.sliced(slice(4, 5))))
    covered = seen.any(axis=2)
    assert covered.mean() > 0.7 and psnr(seen, frames[4], covered) > 18
    viewed = trimesh.load(io.BytesIO(display.glb_for_viewer(made)), file_type="glb")
    mesh, cameras = viewed.geometry.values()
    assert isinstance(mesh, trimesh.Trimesh) and abs(cameras.vertices[:, 2]).max() < 2
    (around, down), distance = np.radians(display.viewpoint(made)[:2]), display.viewpoint(made)[2]
    way = np.array([np.cos(around) * np.sin(down), np.cos(down), np.sin(around) * np.sin(down)])
    eye, first = distance * way, path.centres[0] * [1, -1, -1] - viewed.bounds.mean(axis=0)
    assert np.linalg.norm(eye) > np.linalg.norm(first) and way @ first == pytest.approx(np.linalg.norm(first), rel=1e-3)


def test_every_result_has_a_button_that_leads_here(blocks):
    (tabs,) = (block for block in blocks.blocks.values() if isinstance(block, gr.Tabs))
    buttons = {offer.button._id: offer for offer in offers(blocks)}
    assert len(buttons) == len(NAMES) + len(FIVE), "beside each method's result, and in Side by side"
    clicked = {}
    for listener in blocks.fns.values():
        for block, event in listener.targets:
            if event == "click" and block in buttons:
                clicked[block] = {output._id for output in listener.outputs}, [each._id for each in listener.inputs]
    assert set(clicked) == set(buttons)
    for button, (outputs, inputs) in clicked.items():
        assert tabs._id in outputs and buttons[button].shot._id in inputs
