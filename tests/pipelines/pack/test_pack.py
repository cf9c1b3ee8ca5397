"""The control pack can be read with other libraries, and its parts agree: reprojecting one by the cameras gives the other."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

import reshoot
from camera import film_path, formats
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from examples import load
from pipelines.__main__ import main
from pipelines.media.video import read_video
from pipelines.pack.make import pack
from pipelines.pack.targets import TARGETS, describe_targets, preflight

WIDTH, HEIGHT, FRAMES = 160, 96, 5


@pytest.fixture(scope="module")
def scene() -> Scene:
    return load("reading_room").fitted(WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def path(scene) -> CameraPath:
    return film_path("arc 8 + dolly 0.1", scene, frames=FRAMES, fps=8)


@pytest.fixture(scope="module")
def packed(scene, path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    steps = pack(scene, path, folder / "pack.zip", targets=describe_targets(scene, path))
    assert [step.step for step in steps] == [1, 2, 3, 4, 5]
    with zipfile.ZipFile(folder / "pack.zip") as archive:
        archive.extractall(folder / "pack")
    return folder / "pack"


def depth(packed: Path, frame: int) -> np.ndarray:
    with OpenEXR.File(str(packed / f"depth/{frame:04}.exr"), separate_channels=True) as file:
        return file.channels()["Z"].pixels.copy()


def cameras(packed: Path) -> CameraPath:
    return formats.read("camera_path.json", (packed / "cameras/camera_path.json").read_bytes())


def lifted(packed: Path, frame: int) -> np.ndarray:
    """(H,W,3): world points from the pack's own depth and cameras; NaN without depth."""
    along, own = depth(packed, frame), cameras(packed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(own.intrinsics[frame]).T
    local = rays * np.where(along < 1e9, along, np.nan)[..., None]
    pose = own.world_from_camera[frame]
    return local @ pose[:3, :3].T + pose[:3, 3]


def seen(packed: Path, points: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
    own = cameras(packed)
    local = (points - own.world_from_camera[frame, :3, 3]) @ own.world_from_camera[frame, :3, :3]
    return (local @ own.intrinsics[frame].T)[..., :2] / local[..., 2:], local[..., 2]


def test_flow_is_depth_reprojected_by_the_cameras(packed):
    for frame in range(FRAMES - 1):
        flow = cv2.readOpticalFlow(str(packed / f"flow/{frame:04}.flo"))
        pixels, _ = seen(packed, lifted(packed, frame), frame + 1)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        known = np.isfinite(pixels[..., 0])
        assert known.mean() > 0.5 and (np.abs(flow[~known]) > 1e9).all()
        moved = flow + np.stack([columns, rows], axis=-1)
        assert np.abs(moved - pixels)[known].max() < 0.01
        assert np.abs(flow[known]).max() > 0.3, "the move is seen"


def test_a_frame_carried_along_the_flow_is_the_next_frame(packed):
    """Compares depth and colour where the flow leads; medians, because edges and hidden surfaces differ."""
    flow = cv2.readOpticalFlow(str(packed / "flow/0000.flo"))
    _, along = seen(packed, lifted(packed, 0), 1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    target = np.rint(np.where(np.abs(flow) < 1e9, flow, 0) + np.stack([columns, rows], axis=-1)).astype(int)
    inside = (target >= 0).all(-1) & (target < [WIDTH, HEIGHT]).all(-1) & np.isfinite(along)
    x, y = target[inside].T
    there = depth(packed, 1)[y, x]
    assert np.median(np.abs(there / along[inside] - 1)) < 0.005
    now, after = (cv2.imread(str(packed / f"warped/{frame:04}.png")).astype(int) for frame in (0, 1))
    assert np.median(np.abs(after[y, x] - now[inside])) <= 4


def test_tracks_are_points_of_the_first_depth_seen_by_every_camera(packed):
    tracks = np.array(
        [[[p["x"], p["y"]] for p in track] for track in json.loads((packed / "tracks/tracks.json").read_text())]
    )
    arrays = np.load(packed / "tracks/tracks.npz")
    shown = arrays["track_visibility"]
    np.testing.assert_allclose(arrays["track_path"].swapaxes(0, 1), tracks, atol=1e-3)
    assert shown[0].all() and shown.mean() > 0.5 and len(tracks) >= 8
    start = np.rint(tracks[:, 0]).astype(int)
    points = lifted(packed, 0)[start[:, 1], start[:, 0]]
    for frame in range(FRAMES):
        pixels, along = seen(packed, points, frame)
        np.testing.assert_allclose(pixels, tracks[:, frame], atol=2e-3)
        x, y = np.rint(pixels[shown[frame]]).astype(int).T
        assert (along[shown[frame]] < 1.03 * depth(packed, frame)[y, x]).all(), "nothing stands before a visible point"
    cut = json.loads((packed / "tracks/tracks_ati.json").read_text())
    assert [len(track) for track in cut] == [int(np.argmin(v)) if not v.all() else FRAMES for v in shown.T]


def test_sixteen_bits_holes_normals_and_cameras_agree_with_the_rest(packed, path):
    unit = float((packed / "README.md").read_text().split("value x ")[1].split(";")[0])
    for frame in (0, FRAMES - 1):
        exact, steps = depth(packed, frame), cv2.imread(str(packed / f"depth16/{frame:04}.png"), cv2.IMREAD_UNCHANGED)
        known = exact < 1e9
        assert steps.dtype == np.uint16 and ((steps > 0) == known).all()
        assert np.abs(steps[known] * unit - exact[known]).max() <= 0.51 * unit
        holes = cv2.imread(str(packed / f"holes/{frame:04}.png"), cv2.IMREAD_UNCHANGED) == 255
        assert not holes[known].any() and not cv2.imread(str(packed / f"warped/{frame:04}.png"))[holes].any()
        coded = cv2.imread(str(packed / f"normals/{frame:04}.png"))[..., ::-1]
        assert not coded[~known].any() and coded[known].any(axis=-1).mean() > 0.99
        normals = coded[coded.any(axis=-1)] / 127.5 - 1
        assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 0.02 and (normals[:, 2] > -0.6).mean() > 0.99
    np.testing.assert_allclose(cameras(packed).world_from_camera, path.world_from_camera, atol=1e-9)
    assert {"realestate10k.txt", "camera_extrinsics.json", "camera.npz"} <= {
        f.name for f in (packed / "cameras").iterdir()
    }
    for name in ("warped", "holes", "grey_box"):
        assert read_video(packed / f"{name}.mp4")[0].shape == (FRAMES, HEIGHT, WIDTH, 3)


def test_a_floor_has_the_normals_of_a_floor(tmp_path):
    """Up, towards the camera, everywhere, which is green in the picture."""
    from camera.objects.scene import empty_stage, plain

    stage = plain(empty_stage(96, 64))
    list(pack(stage, film_path("hold", stage, frames=2, fps=2), tmp_path / "p.zip"))
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        picture = cv2.imdecode(np.frombuffer(archive.read("normals/0000.png"), np.uint8), 1)[..., ::-1]
    assert (np.abs(picture[-8:-1, 1:-1].astype(int) - [128, 255, 128]) <= 3).all()
    assert (np.abs(picture[4:12, 4:-4].astype(int) - [128, 128, 255]) <= 3).all(), "the wall faces the camera"


def test_preflight_says_what_is_lost_and_refuses_what_cannot_work(scene, path):
    assert "becomes 160 x 96" not in preflight("vace", scene, path).sentence()
    assert "of 5 frames" not in preflight("vace", scene, path).sentence()
    assert "at least 9 frames" in preflight("ltx-ic-lora", scene, path).refusal
    assert "It uses 9 of 12 frames" in preflight("ltx-ic-lora", scene, path.resampled(12)).sentence()
    assert "re-shoots a video" in preflight("recammaster", scene, path).refusal
    zoomed = CameraPath(
        path.world_from_camera,
        path.intrinsics * np.linspace(1, 2, FRAMES)[:, None, None] ** [[[1, 1, 0]] * 2 + [[0] * 3]],
        WIDTH,
        HEIGHT,
    )
    assert "does not support zoom" in preflight("wan-fun-camera", scene, zoomed).refusal
    assert "becomes 160 x 112" in preflight("uni3c", scene, path.resized(162, 105)).sentence()
    assert all(preflight(name, scene, path).target.title in describe_targets(scene, path) for name in TARGETS)
    with pytest.raises(InputError, match="Known targets"):
        preflight("sora", scene, path)


def test_the_command_packs_a_picture_and_refuses_in_words(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "room.png"), np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8))
    given = [
        "pack",
        str(tmp_path / "room.png"),
        "arc 5",
        "-o",
        str(tmp_path / "p.zip"),
        "--depth",
        "guess",
        "--frames",
        "5",
    ]
    assert main([*given, "--size", "96x64", "--target", "vace"]) == 0
    assert "VACE takes warped.mp4" in capsys.readouterr().err and zipfile.is_zipfile(tmp_path / "p.zip")
    (tmp_path / "p.zip").unlink()
    assert main([*given, "--size", "96x64", "--target", "recammaster"]) == 1
    assert "ReCamMaster cannot shoot this" in capsys.readouterr().err and not (tmp_path / "p.zip").exists()
    assert main([*given, "--size", "wide"]) == 1 and "WIDTHxHEIGHT" in capsys.readouterr().err


def test_python_packs_a_scene_in_the_size_of_its_path(tmp_path):
    scene = load("reading_room")
    path = film_path("truck 0.1", scene, frames=2, fps=8).fitted(64, 48)
    assert zipfile.is_zipfile(reshoot.control_pack(scene, path, tmp_path / "p.zip"))
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        assert cv2.imdecode(np.frombuffer(archive.read("warped/0001.png"), np.uint8), 1).shape == (48, 64, 3)


def test_a_pack_that_is_given_up_leaves_no_file(scene, path, tmp_path):
    steps = pack(scene, path, tmp_path / "p.zip")
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []
