"""Path files lose nothing silently: every field that a format's writers write is used, named or refused."""

import io
import json
import math
import zipfile

import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import FORMATS, FileNote, read, write
from camera.formats.account import Account
from camera.path import CameraPath, pinhole

EYE = np.eye(4)
LIKE = CameraPath(EYE[None], pinhole(160, 120, 55), 160, 120)
PATH = CameraPath(np.repeat(EYE[None], 3, 0), pinhole(160, 120, 50), 160, 120, 10.0)


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.readable])
def test_our_own_files_have_no_unknown_fields(name):
    file, data = write(name, PATH)
    account = Account(file)
    read(file, data, like=LIKE, account=account)
    assert "not known" not in account.text()


def test_without_an_account_notes_are_warnings():
    values = {"w": 9, "h": 9, "fl_x": 9, "frames": [{"transform_matrix": EYE.tolist()}], "mood": 1}
    with pytest.warns(FileNote, match="mood"):
        read("transforms.json", json.dumps(values).encode())


# --- image and lens selection -------------------------------------------------------------------------------------------


def zipped(files: dict[str, str]) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return box.getvalue()


LENS = "1 PINHOLE 160 120 150 150 80 60\n"
POINTS = "10.5 20.5 -1 3 4 17\n"


def images(names, between="\n") -> str:
    return "".join(f"{i} 1 0 0 0 {-float(i)} 0 0 1 {name}\n{between}" for i, name in enumerate(names, 1))


@pytest.mark.parametrize("between", ["\n", "", POINTS, "\n\n\n", "# a comment\n", "# a comment\n\n", "\r\n", "  \n"])
def test_images_txt_with_and_without_point_lines(between):
    names = [f"{i}.png" for i in range(1, 13)]
    data = zipped({"sparse/0/cameras.txt": LENS, "sparse/0/images.txt": "# head\n\n" + images(names, between)})
    assert read("m.zip", data, account=Account("m")).centres[:, 0].tolist() == list(range(1, 13))


@pytest.mark.parametrize(
    "names", [["1", "2", "10"], ["a 1.png", "a 2.png", "a 10.png"], ["c/9.png", "c/10.png", "d/1.png"]]
)
@pytest.mark.parametrize("between", ["\n", "", POINTS])
def test_image_names_may_be_numbers_or_have_spaces(names, between):
    data = zipped({"cameras.txt": LENS, "images.txt": images(names, between)})
    assert read("m.zip", data, account=Account("m")).centres[:, 0].tolist() == [1, 2, 3]


def test_the_largest_of_several_models_is_read_with_its_own_lens():
    two = {"sparse/0/images.txt": images("ab"), "sparse/0/cameras.txt": LENS.replace("150", "90")}
    three = {"sparse/1/images.txt": images("abc"), "sparse/1/cameras.txt": LENS}
    lensless = {"sparse/2/images.txt": images("abcd")}
    account = Account("m.zip")
    path = read("m.zip", zipped({**two, **three, **lensless}), account=account)
    assert (len(path), path.intrinsics[0, 0, 0]) == (3, 150)
    assert "sparse/0 (2), sparse/1 (3)" in account.text()


def test_rigs_are_reported_and_rig_files_have_no_effect():
    files = {
        "cameras.txt": LENS,
        "images.txt": images(["c1/1.png", "c2/1.png"]),
        "rigs.txt": "",
        "frames.txt": "",
        "odd.txt": "",
    }
    account = Account("m.zip")
    read("m.zip", zipped(files), account=account)
    assert account.notes() == [
        "The pictures of m.zip lie in 2 folders (c1, c2); the path runs through one after the other.",
        "m.zip also holds rigs.txt, frames.txt, which changes nothing here.",
        "m.zip also holds odd.txt, which is not known and was not used.",
    ]


def test_a_distorted_lens_is_noted_and_sizes_are_fitted():
    lenses = "1 OPENCV 160 120 150 150 80 60 0.1 0 0 0\n2 SIMPLE_PINHOLE 320 240 300 160 120\n"
    text = images("a") + "2 1 0 0 0 0 0 0 2 b\n\n"
    account = Account("m.zip")
    path = read("m.zip", zipped({"cameras.txt": lenses, "images.txt": text}), account=account)
    np.testing.assert_allclose(path.intrinsics[0], path.intrinsics[1], atol=1e-9)
    assert "1 of 2 cameras of m.zip is distorted" in account.text() and "fitted to 160 x 120" in account.text()


def transforms(**more) -> CameraPath:
    values = {"w": 320, "h": 240, "frames": [{"file_path": "a.png", "transform_matrix": EYE.tolist()}], **more}
    return read("transforms.json", json.dumps(values).encode(), account=Account("t"))


@pytest.mark.parametrize(
    ("more", "want"),
    [
        ({"camera_angle_x": 1.0}, (160 / math.tan(0.5), 160 / math.tan(0.5), 159.5, 119.5)),
        ({"camera_angle_y": 1.0}, (120 / math.tan(0.5), 120 / math.tan(0.5), 159.5, 119.5)),
        ({"camera_angle_x": 1.0, "camera_angle_y": 0.9}, (160 / math.tan(0.5), 120 / math.tan(0.45), 159.5, 119.5)),
        ({"camera_angle_x": 1.0, "cx": 100, "cy": 90}, (160 / math.tan(0.5), 160 / math.tan(0.5), 99.5, 89.5)),
        ({"fl_x": 200, "camera_angle_x": 1.0}, (200, 200, 159.5, 119.5)),
        ({"fl_x": 200, "camera_angle_y": 0.9}, (200, 120 / math.tan(0.45), 159.5, 119.5)),
        ({"fl_y": 210}, (210, 210, 159.5, 119.5)),
    ],
)
def test_lenses_of_transforms(more, want):
    lens = transforms(**more).intrinsics[0]
    assert (lens[0, 0], lens[1, 1], lens[0, 2], lens[1, 2]) == pytest.approx(want)


# --- time ------------------------------------------------------------------------------------------------------------------


def tum(stamps, account: Account) -> CameraPath:
    text = "".join(f"{stamp} {x} 0 0 0 0 0 1\n" for stamp, x in stamps)
    return read("a.txt", text.encode(), like=LIKE, account=account)


def test_gaps_are_resampled_by_time():
    account = Account("a.txt")
    path = tum([(0, 0), (0.1, 1), (0.2, 2), (0.3, 3), (0.8, 8)], account)
    np.testing.assert_allclose(path.centres[:, 0], np.arange(9), atol=1e-9)
    assert path.fps == pytest.approx(10) and "resampled by time to 9" in account.text()


def test_unordered_and_repeated_stamps_are_sorted_and_reported():
    account = Account("a.txt")
    path = tum([(0.2, 2), (0, 0), (0.1, 1), (0.1, 7)], account)
    assert path.centres[:, 0].tolist() == [0, 1, 2]
    assert "not in order" in account.text() and "1 of 4 cameras of a.txt is left out" in account.text()


@pytest.mark.parametrize(
    ("unit", "first"), [(1, 0), (1, 1.3e9), (10**9, 1403638627677829376), (10**6, 1403638627677829)]
)
def test_tum_in_any_unit_of_time(unit, first):
    path = tum([(f"{first + i * unit // 20 if unit > 1 else first + i / 20}", i) for i in range(4)], Account("a.txt"))
    assert path.fps == pytest.approx(20, rel=1e-4)


@pytest.mark.parametrize(
    ("stamps", "fps", "words"),
    [
        ([0, 33, 66, 99], 1000 / 33, "milliseconds"),
        ([0, 1, 2, 3], 24, "numbers of frames, 24 per second"),
        ([10, 15, 20, 25], 24 / 5, "numbers of frames"),
        ([0, 0.5, 1, 1.5], 2, ""),
    ],
)
def test_integer_stamps_are_frames_or_milliseconds_and_reported(stamps, fps, words):
    account = Account("a.txt")
    path = tum([(stamp, i) for i, stamp in enumerate(stamps)], account)
    assert path.fps == pytest.approx(fps) and words in account.text() and ("taken for" in account.text()) == bool(words)


def test_gaps_in_frame_numbers_are_resampled():
    account = Account("a.txt")
    path = tum([(0, 0), (1, 1), (2, 2), (5, 5)], account)
    np.testing.assert_allclose(path.centres[:, 0], range(6), atol=1e-9)
    assert path.fps == 24 and "resampled by time to 6" in account.text()


@pytest.mark.parametrize("name", ["move.fbx", "move.abc", "shot.blend", "shot.nk"])
def test_scene_files_of_other_programs_are_refused_with_export_advice(name):
    with pytest.raises(InputError, match=r"export the camera as glTF \(\.glb\), USD or Nuke's \.chan"):
        read(name, b"Kaydara FBX Binary  \0")


def test_realestate10k_stamps_are_microseconds():
    rows = "".join(
        f"{t} 0.5 0.8889 0.5 0.5 0 0 1 0 0 {-t / 1e5} 0 1 0 0 0 0 1 0\n" for t in (0, 100000, 200000, 500000)
    )
    account = Account("a.txt")
    path = read("a.txt", rows.encode(), like=LIKE, account=account)
    assert path.fps == pytest.approx(10) and len(path) == 6 and "resampled" in account.text()
    np.testing.assert_allclose(path.centres[:, 0], range(6), atol=1e-9)
    bent = rows.replace("0.5 0.5 0 0 1", "0.5 0.5 0.1 0 1")
    read("a.txt", bent.encode(), like=LIKE, account=account)
    assert "4 of 4 cameras of a.txt is distorted" in account.text()
