"""The depth of all frames of a clip in one file: in numerical order, from any kind of map, with a note for everything dropped."""

import zipfile

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.formats.account import Account
from pipelines.inputs.depth_frames import depth_of_file

FRAMES = np.zeros((12, 8, 8, 3), np.uint8)
DEPTH = np.arange(1, 13, dtype=np.float32)[:, None, None] * np.ones((1, 16, 16), np.float32)


def read(file, frames=FRAMES) -> tuple[np.ndarray, str]:
    account = Account(file.name)
    return depth_of_file(file, frames, account=account)[:, 0, 0], account.text()


def zipped(file, members: dict[str, bytes]):
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def exr(folder, depth: np.ndarray) -> bytes:
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"Z": np.ascontiguousarray(depth)}) as file:
        file.write(str(folder / "one.exr"))
    return (folder / "one.exr").read_bytes()


def test_pngs_are_nearness_in_the_order_of_their_numbers(tmp_path):
    pictures = {
        f"part/{i}.png": cv2.imencode(".png", np.full((8, 8, 3), 60000 // i, np.uint16))[1].tobytes()
        for i in range(1, 13)
    }
    got, told = read(zipped(tmp_path / "depth.zip", {**pictures, "mood.txt": b"blue", "one.exr": b"x"}))
    np.testing.assert_allclose(got, np.arange(1, 13), rtol=1e-3)
    assert "mood.txt" in told and "one.exr" in told


def test_exr_of_a_zip_are_distances(tmp_path):
    got, _ = read(zipped(tmp_path / "depth.zip", {f"{i + 1}.exr": exr(tmp_path, DEPTH[i]) for i in range(12)}))
    np.testing.assert_allclose(got, np.arange(1, 13))


def test_arrays_go_by_their_names_and_others_are_named(tmp_path):
    file = tmp_path / "depth.npz"
    np.savez(file, confidence=1 / DEPTH, depth=DEPTH, mask=DEPTH > 1)
    got, told = read(file)
    assert np.isnan(got[0]) and got[1:].tolist() == list(range(2, 13)) and "confidence" in told
    np.savez(file, disparity=1 / DEPTH)
    np.testing.assert_allclose(read(file)[0], np.arange(1, 13), rtol=1e-6)
    np.savez(file, one=DEPTH, two=DEPTH)
    with pytest.raises(InputError, match="no array called depth; it contains one, two"):
        read(file)
    np.save(tmp_path / "depth.npy", DEPTH[:5])
    with pytest.raises(InputError, match="12 depth maps, one per frame"):
        read(tmp_path / "depth.npy")
