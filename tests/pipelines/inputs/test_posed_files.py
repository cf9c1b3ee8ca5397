"""Pictures with cameras as users have them: any format, loose or zipped, in any order; the wrong ones are refused with an explanation."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camera import formats
from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.rotation import from_pan_tilt_roll
from pipelines.__main__ import main
from pipelines.inputs import open as material_module
from pipelines.inputs import posed_files
from pipelines.inputs.open import read_material
from pipelines.media.video import write_mp4
from pipelines.methods.genxd.export import reconstruction_zip
from pipelines.results.record import restore

WIDTH, HEIGHT, COUNT = 48, 32, 11
LENS = np.array([[40.0, 0, 22.5], [0, 40.0, 16.5], [0, 0, 1]])


def path_of(count: int = COUNT, lens: np.ndarray = LENS) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], count, axis=0)
    poses[:, :3, :3] = [from_pan_tilt_roll(3.0 * i, i, 0) for i in range(count)]
    poses[:, :3, 3] = [[0.1 * i, 0.02 * i, 0] for i in range(count)]
    return CameraPath(poses, lens, WIDTH, HEIGHT, 6)


def picture(number: int, mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """A grey picture whose brightness is its number, which reveals mix-ups."""
    made = Image.new("RGB", size, (10 * number + 20,) * 3)
    return made.quantize(8) if mode == "P" else made.convert(mode)


def written(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        picture(i).save(folder / name)
    return [folder / name for name in names]


def numbers(material) -> list[int]:
    """The numbers of the pictures in a scene's views."""
    return [round((float(view.colour[HEIGHT // 2, WIDTH // 4].mean()) - 20) / 10) for view in material.scene.views]


COLMAP_NAMES = [f"frame_{i:05d}.png" for i in range(1, COUNT + 1)]
PLAIN_NAMES = [f"{i}.png" for i in range(COUNT)]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("colmap_txt", COLMAP_NAMES),
        ("colmap_bin", COLMAP_NAMES),
        ("nerfstudio", COLMAP_NAMES),
        ("realestate10k", PLAIN_NAMES),
        ("reshoot", PLAIN_NAMES),
        ("gen3c_npz", PLAIN_NAMES),
    ],
)
def test_pictures_find_their_cameras_in_every_format(tmp_path, kind, names):
    """Given in any order; plain names are in natural order, 9 before 10."""
    files = written(tmp_path, names)
    name, data = formats.write(kind, path_of())
    (tmp_path / name).write_bytes(data)
    files.append(tmp_path / name)
    random.Random(1).shuffle(files)
    material = read_material(files)
    assert numbers(material) == list(range(COUNT)) and material.path is None
    for view, pose in zip(material.scene.views, path_of().world_from_camera):
        np.testing.assert_allclose(view.world_from_camera, pose, atol=1e-6)
        if kind != "gen3c_npz":  # which contains no size
            np.testing.assert_allclose(view.intrinsics, LENS, atol=1e-3)


def test_cameras_without_a_picture_are_known_targets(tmp_path):
    files = written(tmp_path, COLMAP_NAMES)
    (tmp_path / "model.zip").write_bytes(formats.write("colmap_bin", path_of())[1])
    material = read_material([files[8], tmp_path / "model.zip", files[2]])
    assert numbers(material) == [2, 8] and material.path_as_given and "9 further cameras" in material.note
    rest = [i for i in range(COUNT) if i not in (2, 8)]
    np.testing.assert_allclose(material.path.world_from_camera, path_of().world_from_camera[rest], atol=1e-9)


def test_some_of_the_pictures_can_be_given_and_the_others_made(tmp_path):
    files = [*written(tmp_path, COLMAP_NAMES), tmp_path / "transforms.json"]
    files[-1].write_bytes(formats.write("nerfstudio", path_of())[1])
    material = read_material(files, given_views=3)
    assert numbers(material) == [0, 5, 10] and len(material.path) == 8
    assert "3 of 11 pictures are given" in material.note


def test_the_time_stamps_of_realestate10k_name_pictures(tmp_path):
    stamps = [str(round(i / 6 * 1e6)) for i in range(COUNT)]
    files = written(tmp_path, [f"{stamp}.png" for stamp in stamps])
    (tmp_path / "clip.txt").write_bytes(formats.write("realestate10k", path_of())[1])
    material = read_material([files[9], files[4], tmp_path / "clip.txt"])
    assert sorted(numbers(material)) == [4, 9] and len(material.path) == 9
    np.testing.assert_allclose(material.scene.first.world_from_camera, path_of().world_from_camera[4], atol=1e-6)


def test_a_whole_data_set_comes_as_one_zip(tmp_path):
    """As written by nerfstudio: with smaller copies of the pictures, and a lens with distortion."""
    values = json.loads(formats.write("nerfstudio", path_of())[1]) | {"k1": 0.3, "k2": 0.0, "p1": 0.0, "p2": 0.0}
    for frame, name in zip(values["frames"], COLMAP_NAMES):
        frame["file_path"] = f"images/{name}"
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("set/transforms.json", json.dumps(values))
        for folder, size in (("images_2", (WIDTH // 2, HEIGHT // 2)), ("images", (WIDTH, HEIGHT))):
            for i, name in enumerate(COLMAP_NAMES):
                buffer = io.BytesIO()
                bent = picture(i, size=size)
                bent.putpixel((0, 0), (255, 0, 0))
                bent.save(buffer, "png")
                archive.writestr(f"set/{folder}/{name}", buffer.getvalue())
    material = read_material([tmp_path / "set.zip"])
    assert numbers(material) == list(range(COUNT))
    assert material.scene.first.width == WIDTH and (material.scene.first.colour[0, 0] != (255, 0, 0)).any()


def test_the_folder_that_a_shot_writes_is_read_again(tmp_path):
    material = read_material([*written(tmp_path, COLMAP_NAMES), _file(tmp_path, "colmap_txt")])
    frames = np.stack([view.colour for view in material.scene.views])
    (tmp_path / "colmap.zip").write_bytes(reconstruction_zip(frames, path_of(), material.scene))
    again = read_material([tmp_path / "colmap.zip"])
    assert numbers(again) == [*range(COUNT), *range(COUNT)] and len(again.points) > 1000


def _file(folder: Path, kind: str) -> Path:
    name, data = formats.write(kind, path_of())
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "I;16"])
def test_pictures_may_be_of_any_mode(tmp_path, mode):
    files = written(tmp_path, PLAIN_NAMES)
    if mode == "I;16":
        Image.fromarray(np.full((HEIGHT, WIDTH), 60 * 257, np.uint16)).save(files[4])
    else:
        picture(4, mode).save(files[4])
    material = read_material([*files, _file(tmp_path, "reshoot")])
    assert material.scene.views[4].colour.shape == (HEIGHT, WIDTH, 3)
    assert mode == "I;16" or numbers(material)[4] == 4


def test_pictures_may_be_of_other_sizes(tmp_path):
    """If the aspect ratio is the same, they are scaled together with their lens; each picture keeps its camera."""
    files = written(tmp_path, PLAIN_NAMES)
    picture(3, size=(2 * WIDTH, 2 * HEIGHT)).save(files[3])
    material = read_material([*files, _file(tmp_path, "reshoot")])
    assert numbers(material) == list(range(COUNT)) and "other sizes" in material.note
    np.testing.assert_allclose(material.scene.views[3].intrinsics, LENS, atol=1e-9)
    picture(3, size=(WIDTH, 2 * HEIGHT)).save(files[3])
    with pytest.raises(InputError, match=r"3\.png is 48 x 64, its camera is for 48 x 32"):
        read_material([*files, tmp_path / "camera_path.json"])


def test_a_crop_in_the_middle_is_that_of_the_lens():
    tall = np.random.default_rng(0).integers(0, 255, (60, 30, 3), dtype=np.uint8)
    tall = cv2.GaussianBlur(tall, (9, 9), 3)
    cropped = posed_files.fit_picture(tall, 20, 20)
    lens = CameraPath(np.eye(4)[None], pinhole(30, 60, 50), 30, 60).fitted(20, 20).intrinsics[0]
    x, y = (lens[:2] @ np.linalg.inv(pinhole(30, 60, 50)) @ [15, 30, 1]).round().astype(int)
    assert np.abs(cropped[y, x].astype(int) - tall[30, 15]).max() < 12


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["transforms.json"], "alone is not enough"),
        (["0.png", "1.png", "transforms.json"], "11 cameras for 2 pictures"),
        (["0.png", "transforms.json", "camera_path.json"], "one camera file"),
        (["0.png", "trajectory_tum.txt"], "does not contain the lens"),
        (["0.png", "images.txt"], "consists of cameras and images"),
        (["transforms.json", "camera_path.json"], "one video, zip or scene file"),
        (["none.zip"], "neither a folder|damaged"),
        (["empty.zip"], "no picture"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(tmp_path, files, words):
    written(tmp_path, PLAIN_NAMES)
    for kind in ("nerfstudio", "reshoot", "tum"):
        _file(tmp_path, kind)
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n\n")
    (tmp_path / "none.zip").write_bytes(b"no zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("transforms.json", "{}")
    with pytest.raises(InputError, match=words):
        read_material([tmp_path / name for name in files])


def test_a_set_of_pictures_is_kept_small(tmp_path, monkeypatch):
    monkeypatch.setattr(posed_files, "LARGEST_TOTAL", COUNT * WIDTH * HEIGHT / 4)
    material = read_material([*written(tmp_path, PLAIN_NAMES), _file(tmp_path, "reshoot")])
    assert (material.scene.first.width, material.scene.first.height) == (WIDTH // 2, HEIGHT // 2)
    np.testing.assert_allclose(material.scene.first.intrinsics[0, 0], LENS[0, 0] / 2)


def test_a_clip_without_a_depth_model_has_a_labelled_guess(tmp_path, monkeypatch):
    def missing(frame):
        raise InputError("The model cannot be had.")

    monkeypatch.setattr(material_module, "_estimate_depth", missing)
    write_mp4(tmp_path / "clip.mp4", np.full((4, 64, 64, 3), 90, np.uint8), 12)
    found = read_material([tmp_path / "clip.mp4"])
    assert found.scene.kind == "clip" and len(found.scene.views) == 4
    assert "guess" in found.scene.source and "cannot be had. Until then the depth is a **guess**" in found.note
    with pytest.raises(InputError, match="cannot be had"):
        read_material([tmp_path / "clip.mp4"], dense=True)


def test_the_command_line_shoots_known_targets_from_a_few_pictures(tmp_path, capsys):
    """Upstream's few-view flow with known test poses: 3 pictures are given, and the cameras of the other 8 are shot."""
    files = [*written(tmp_path, COLMAP_NAMES), _file(tmp_path, "colmap_txt")]
    command = ["run", "genxd", "--files", *map(str, files), "--given-views", "3", "--out", str(tmp_path / "shot.mp4")]
    small = ["--width", "64", "--height", "64", "--steps", "2", "--weights", "tiny"]
    assert main([*command, *small]) == 0
    said = capsys.readouterr()
    assert (
        "3 of 11 pictures are given" in said.err
        and "in 1 group of 9, each from the 3 given views in the data set's order" in said.out
    )
    shot = restore(tmp_path / "shot.mp4").path
    targets = [i for i in range(COUNT) if i not in (0, 5, 10)]
    np.testing.assert_allclose(shot.world_from_camera, path_of().world_from_camera[targets], atol=1e-9)
    assert main(["run", "dualcamctrl", "--files", *map(str, files), "--out", str(tmp_path / "no.mp4")]) == 1
    assert "takes still" in capsys.readouterr().err


@pytest.mark.parametrize("lies", [True, False])
def test_pictures_turned_by_exif_are_shown_as_their_cameras_were_made(tmp_path, lies):
    """COLMAP sees pictures as stored; cameras of upright pictures have the upright size."""
    stored = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    rows = ""
    for i in range(2):
        Image.fromarray(stored).save(tmp_path / f"{i}.png", exif=exif)
        rows += f"{i + 1} 1 0 0 0 {-i} 0 0 1 {i}.png\n\n"
    size = "64 48 60 60 32 24" if lies else "48 64 60 60 24 32"
    (tmp_path / "cameras.txt").write_text(f"1 PINHOLE {size}\n")
    (tmp_path / "images.txt").write_text(rows)
    given = posed_files.gather(sorted(tmp_path.iterdir()))
    np.testing.assert_array_equal(given.views.pictures[0], stored if lies else np.rot90(stored, -1))
    assert ("shown as stored" in given.note) == lies


def test_what_a_folder_holds_besides_is_named(tmp_path):
    test_pictures_turned_by_exif_are_shown_as_their_cameras_were_made(tmp_path, True)
    (tmp_path / "mood.blend").write_bytes(b"blue")
    assert "mood.blend" in posed_files.gather_folder(tmp_path, name="views").note
