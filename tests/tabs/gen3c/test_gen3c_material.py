"""Everything that GEN3C's tab accepts is uploaded and shot with tiny weights; other files are refused with an explanation."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from camera.path import CameraPath, inverse, pinhole
from camera.view import Scene, View
from examples import EXAMPLES
from pipelines.inputs import open
from pipelines.media.video import read_video, write_mp4
from pipelines.methods.gen3c.export import views_npz
from pipelines.splats.formats import encode
from pipelines.splats.splats import Splats
from tests.tabs.visitor import Visitor

WIDTH, HEIGHT, COUNT = 96, 64, 9
LENS = pinhole(WIDTH, HEIGHT, 60)
STILL = next(example.name for example in EXAMPLES if example.kind == "still")
FRAME = {"frames": COUNT, "width": WIDTH, "height": HEIGHT}
QUICK = {"steps": 2, "weights": "tiny", "use_text": False, "guidance": 0}


def _poses() -> np.ndarray:
    """A sliding camera."""
    poses = np.repeat(np.eye(4)[None], COUNT, axis=0)
    poses[:, 0, 3] = np.linspace(0, 0.2, COUNT)
    return poses


def _picture() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 2, y * 3, (x + y) % 256], axis=-1).astype(np.uint8)


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()


def posed_clip(folder: Path) -> Path:
    write_mp4(folder / "rgb.mp4", [_picture()] * COUNT, 24)
    np.savez(folder / "depth.npz", depth=np.full((COUNT, HEIGHT, WIDTH), 2, np.float16))
    np.savez(folder / "mask.npz", mask=np.ones((COUNT, HEIGHT, WIDTH), bool))
    lenses = np.repeat(LENS[None], COUNT, axis=0).astype(np.float32)
    np.savez(folder / "camera.npz", w2c=inverse(_poses()).astype(np.float32), intrinsics=lenses)
    with zipfile.ZipFile(folder / "posed.zip", "w") as archive:
        for name in ("rgb.mp4", "depth.npz", "mask.npz", "camera.npz"):
            archive.write(folder / name, f"clip/{name}")
    return folder / "posed.zip"


def vipe(folder: Path) -> Path:
    """A result of ViPE as written by its command: half-precision depth, zipped twice if the folder is zipped."""
    write_mp4(folder / "walk.mp4", [_picture()] * (COUNT + 3), 24)
    exr = _half_exr(np.full((HEIGHT, WIDTH), 2, np.float32), folder / "one.exr")
    with zipfile.ZipFile(folder / "depth.zip", "w") as archive:
        for frame in range(COUNT + 3):
            archive.writestr(f"{frame:05d}.exr", exr)
    poses = np.concatenate([np.repeat(np.eye(4)[None], 3, axis=0), _poses()]).astype(np.float32)
    np.savez(folder / "pose.npz", inds=np.arange(COUNT + 3), data=poses)
    lens = np.float32([LENS[0, 0], LENS[1, 1], LENS[0, 2], LENS[1, 2]])
    np.savez(folder / "intrinsics.npz", inds=np.arange(COUNT + 3), data=np.tile(lens, (COUNT + 3, 1)))
    with zipfile.ZipFile(folder / "vipe.zip", "w") as archive:
        archive.write(folder / "walk.mp4", "vipe_results/rgb/walk.mp4")
        for part in ("depth.zip", "pose.npz", "intrinsics.npz"):
            name, ending = part.split(".")
            archive.write(folder / part, f"vipe_results/{name}/walk.{ending}")
    return folder / "vipe.zip"


def _half_exr(values: np.ndarray, file: Path) -> bytes:
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(head, {"Z": values.astype(np.float16)}).write(str(file))
    return file.read_bytes()


def key_frames(folder: Path) -> Path:
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    views = tuple(View.of(_picture(), depth, LENS, pose) for pose in _poses()[::4])
    file = folder / "key_frames.npz"
    file.write_bytes(views_npz(Scene(views, "views"), CameraPath(_poses(), LENS, WIDTH, HEIGHT)))
    return file


def colmap(folder: Path) -> Path:
    """Three pictures of a wall two units away, its points, and cameras side by side."""
    pixels = np.random.default_rng(0).uniform([0, 0], [WIDTH, HEIGHT], (60, 2))
    points = np.append((pixels - 0.5 - LENS[:2, 2]) / LENS[0, 0] * 2, np.full((60, 1), 2.0), axis=1)
    with zipfile.ZipFile(folder / "colmap.zip", "w") as archive:
        focal = f"{LENS[0, 0]} {LENS[1, 1]} {WIDTH / 2} {HEIGHT / 2}"
        archive.writestr("sparse/0/cameras.txt", f"1 PINHOLE {WIDTH} {HEIGHT} {focal}\n")
        rows = [f"{i + 1} 1 0 0 0 {-x} 0 0 1 {i}.png\n" for i, x in enumerate((0, 0.1, 0.2))]
        archive.writestr("sparse/0/images.txt", "\n".join(rows))
        places = [f"{i + 1} {x} {y} {z} 9 9 9 0.1 1 0 2 0" for i, (x, y, z) in enumerate(points)]
        archive.writestr("sparse/0/points3D.txt", "\n".join(places))
        for number in range(3):
            archive.writestr(f"images/{number}.png", _png(_picture()))
    return folder / "colmap.zip"


def plain_video(folder: Path) -> Path:
    return write_mp4(folder / "plain.mp4", [_picture()] * COUNT, 24)


@pytest.fixture
def client(address, tmp_path, monkeypatch):
    monkeypatch.setattr(open, "_estimate_depth", lambda frame: np.full(frame.shape[:2], 5.0, np.float32))
    return Visitor(address, tmp_path / "down")


@pytest.mark.parametrize(("make", "begin_at", "words"), [
    (posed_clip, 0, "clip of 9 frames"),
    (vipe, 3, "clip of 9 frames, 96 x 64, 60° across · subject at 2 m · depth: depth and poses estimated by ViPE"),
    (key_frames, 0, "3 views"),
    (colmap, 0, "3 views, 96 x 64, 60° across · subject at 2 units (scale unknown) · depth: depth model fitted to sparse points"),
    (plain_video, 0, "The camera is assumed to be static"),
])  # fmt: skip
def test_what_is_dropped_is_shot(client, tmp_path, make, begin_at, words):
    files = [handle_file(str(make(tmp_path)))]
    told = client.predict(files, 0, begin_at, api_name="/gen3c_open_files")
    assert words in str(told)
    _, notes = client.predict(**FRAME, distance=0.05, api_name="/gen3c_draw")
    assert "9 frames" in notes
    status, _, _, made, *_ = client.predict(**QUICK, filter_threshold=1, api_name="/gen3c_shoot")
    video = next(file for file in made["value"] if file.endswith(".mp4"))
    assert len(read_video(video)[0]) == COUNT and "tiny random weights" in status
    assert any(".glb" in file for file in made["value"])


def test_without_a_depth_model_a_plain_video_says_what_to_do(address, tmp_path):
    client = Visitor(address)
    with pytest.raises(AppError, match=r"[Dd]epth"):
        client.predict([handle_file(str(plain_video(tmp_path)))], 0, api_name="/gen3c_open_files")
    with pytest.raises(AppError, match="has 9 frames, so it cannot begin at frame 9"):
        client.predict([handle_file(str(plain_video(tmp_path)))], 0, 9, api_name="/gen3c_open_files")
    with pytest.raises(AppError, match="Only a clip can begin at another frame"):
        client.predict([handle_file(str(key_frames(tmp_path)))], 0, 1, api_name="/gen3c_open_files")


@pytest.mark.parametrize(("moves", "settings", "words"), [
    ({"trajectory": "zoom_in", "distance": 5, "rotation": "no_rotation"}, {}, "left the scene behind"),
    ({"frames": 17}, {"chunk_frames": 9}, ""),
    ({"frames": 25}, {"chunk_frames": 17}, r"16 N \+ 1 frames, got 25; use 17 or 33"),
    ({"frames": 130}, {}, r"120 N \+ 1 frames, got 130; use 121 or 241"),
    ({"frames": 12}, {}, r"8k\+1 frames in one chunk, got 12; use 9 or 17"),
    ({"width": 100}, {}, "multiples of 16, got 100 x 64; use 96 x 64"),
])  # fmt: skip
def test_what_cannot_be_shot_is_refused_before_anything_is_loaded(client, monkeypatch, moves, settings, words):
    from pipelines.runtime.runner import Runtime

    loads = []
    monkeypatch.setattr(Runtime, "load", lambda *given, **named: loads.append(given))
    client.predict(STILL, api_name="/gen3c_open_example")
    client.predict(**FRAME | moves, api_name="/gen3c_draw")
    with pytest.raises(AppError) as refusal:
        client.predict(**QUICK | settings, api_name="/gen3c_shoot")
    assert refusal.match(words) and len(loads) == (not words)


def test_depth_full_of_nan_and_views_of_several_sizes_are_refused(client, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), _picture())
    np.save(tmp_path / "nan.npy", np.full((HEIGHT, WIDTH), np.nan, np.float32))
    given = {"picture": handle_file(str(tmp_path / "a.png")), "depth_map": handle_file(str(tmp_path / "nan.npy"))}
    with pytest.raises(AppError, match=r"no .*finite"):
        client.predict(**given, depth_from="My depth map", api_name="/gen3c_open_picture")

    almost = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    almost[:2] = 2
    np.save(tmp_path / "nan.npy", almost)
    given["depth_map"] = handle_file(str(tmp_path / "nan.npy"))
    client.predict(**given, depth_from="My depth map", api_name="/gen3c_open_picture")
    client.predict(**FRAME, api_name="/gen3c_draw")
    with pytest.raises(AppError, match="has depth in only"):
        client.predict(**QUICK, api_name="/gen3c_shoot")

    with np.load(key_frames(tmp_path)) as arrays:
        changed = dict(arrays) | {"depth_key_frames": np.ones((3, 1, HEIGHT, 48), np.float32)}
    np.savez(tmp_path / "sizes.npz", **changed)
    with pytest.raises(AppError, match=r"depth_key_frames should have shape .*W=96"):
        client.predict([handle_file(str(tmp_path / "sizes.npz"))], 0, api_name="/gen3c_open_files")


def test_a_file_of_splats_is_shot_and_says_how_its_axes_were_read(client, tmp_path):
    """A wall of round splats, wider than the camera's view."""
    x, y = (each.ravel() for each in np.meshgrid(np.linspace(-4, 4, 40), np.linspace(-3, 3, 30)))
    places = np.stack([x, y, np.full(len(x), 4.0)], axis=1)
    colours = np.stack([x / 4, y / 3, 0 * x], axis=1)[:, None]
    turns = np.tile([1.0, 0, 0, 0], (len(x), 1))
    wall = Splats(places, turns, np.full((len(x), 3), -1.7), np.full(len(x), 6.0), colours)
    (tmp_path / "wall.spz").write_bytes(encode(wall, "spz"))
    file = [handle_file(str(tmp_path / "wall.spz"))]
    told = client.predict(file, 0, 0, "y-down", api_name="/gen3c_open_files")
    assert "y down, as 3DGS and COLMAP (chosen)" in str(told)
    told = client.predict(file, 0, api_name="/gen3c_open_files")
    assert "1,200 Gaussians" in str(told) and "y up, as glTF (the convention of .spz files)" in str(told)
    client.predict(**FRAME, distance=0.05, api_name="/gen3c_draw")
    _, _, _, made, *_ = client.predict(**QUICK, filter_threshold=1, api_name="/gen3c_shoot")
    video = next(file for file in made["value"] if file.endswith(".mp4"))
    assert len(read_video(video)[0]) == COUNT
