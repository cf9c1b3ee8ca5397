"""Research formats against values worked out by hand, and raw matrices in the eight readings."""

import io
import json

import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import read, write
from camera.formats.account import Account
from camera.formats.research.matrices import CONVENTIONS, find_likeliest, poses_of
from camera.path import CameraPath, inverse, pinhole
from camera.rotation import about_axis, look_at

LIKE = CameraPath(np.eye(4)[None], pinhole(96, 64, 50), 96, 64, 10.0)


def orbit(frames: int = 12, degrees: float = 40.0) -> CameraPath:
    """An orbit around a point five units ahead, looking at it."""
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    for pose, angle in zip(poses, np.linspace(0, degrees, frames)):
        turn = about_axis([0, 1, 0], angle)
        pose[:3, 3] = turn @ [0, -0.5, -5] + [1, 2, 5]
        pose[:3, :3] = look_at(pose[:3, 3], [1, 2, 5])[:3, :3]
    return CameraPath(poses, pinhole(96, 64, 50), 96, 64, 10.0)


def npz(**arrays) -> bytes:
    box = io.BytesIO()
    np.savez(box, **arrays)
    return box.getvalue()


def test_recammaster_uses_unreal_axes_in_centimetres():
    """Unreal's x is forward, y right, z up: 200 cm forward, 100 right, 50 up become (1, -0.5, 2) here."""
    rows = "[1 0 0 0] [0 1 0 0] [0 0 1 0] [200 100 50 1] "
    values = {
        "frame0": {"cam01": rows.replace("200 100 50", "0 0 0"), "cam02": rows},
        "frame1": {"cam01": rows, "cam02": rows},
    }
    account = Account("camera_extrinsics.json")
    path = read("camera_extrinsics.json", json.dumps(values).encode(), like=LIKE, account=account)
    np.testing.assert_allclose(path.centres, [[0, 0, 0], [1, -0.5, 2]])
    np.testing.assert_allclose(path.world_from_camera[1, :3, :3], np.eye(3), atol=1e-12)
    assert "2 cameras; cam01 is taken, not cam02" in account.text()


def test_recammaster_relative_poses_equal_upstream():
    """Upstream: transposed, columns right-up-forward, the second negated, divided by 100, then relative to the first."""
    file, data = write("recammaster", orbit())
    ups = []
    for cameras in json.loads(data).values():
        m = np.array([[float(v) for v in row.split()] for row in cameras["cam01"].strip(" []").split("] [")]).T
        m = m[:, [1, 2, 0, 3]]
        m[:3, 1] *= -1
        m[:3, 3] /= 100
        ups.append(m)
    relative = np.linalg.inv(ups[0]) @ np.stack(ups)
    got = read(file, data, like=LIKE, account=Account("a")).relative_to_first().world_from_camera
    np.testing.assert_allclose(got, relative, atol=1e-9)


def test_splat_cameras_use_names_and_sizes():
    one = {
        "id": 0,
        "position": [1, 2, 3],
        "rotation": np.eye(3).tolist(),
        "width": 96,
        "height": 64,
        "fx": 80,
        "fy": 81,
    }
    values = [
        {**one, "img_name": "10"},
        {**one, "img_name": "9", "position": [0, 0, 0]},
        {**one, "img_name": "11", "odd": 1},
    ]
    account = Account("cameras.json")
    path = read("cameras.json", json.dumps(values).encode(), account=account)
    assert path.centres[:, 0].tolist() == [0, 1, 1] and path.intrinsics[0, [0, 1, 0, 1], [0, 1, 2, 2]].tolist() == [
        80,
        81,
        47.5,
        31.5,
    ]
    assert account.notes()[-1] == "cameras.json also holds odd (cameras), which is not known and was not used."


def test_worldplay_image_size_is_twice_the_principal_point():
    frames = {
        str(i): {"extrinsic": np.eye(4).tolist(), "K": [[969.7, 0, 960], [0, 969.7, 540], [0, 0, 1]]} for i in range(11)
    }
    path = read("pose.json", json.dumps(frames).encode(), account=Account("pose.json"))
    assert (path.width, path.height, len(path)) == (1920, 1080, 11) and path.intrinsics[0, 0, 2] == 959.5


def test_megasam_image_size_comes_from_its_images():
    lens = [[80.0, 0, 48], [0, 80, 32], [0, 0, 1]]
    poses = orbit(3).world_from_camera
    images = np.zeros((3, 64, 96, 3), np.uint8)
    path = read(
        "s_sgd_cvd_hr.npz",
        npz(images=images, depths=images[..., 0], intrinsic=np.array(lens), cam_c2w=poses),
        account=Account("s"),
    )
    np.testing.assert_allclose(path.world_from_camera, poses, atol=1e-9)
    assert (path.width, path.height) == (96, 64) and path.intrinsics[0, 0, 2] == 47.5


def test_vipe_interpolates_frames_without_a_pose():
    poses = np.repeat(np.eye(4)[None], 4, axis=0)
    poses[:, 0, 3] = [0, 1, 2, 5]
    account = Account("clip.npz")
    path = read("clip.npz", npz(data=poses, inds=np.array([0, 1, 2, 5])), like=LIKE, account=account)
    np.testing.assert_allclose(path.centres[:, 0], range(6), atol=1e-9)
    assert "resampled by time" in account.text()


def test_chan_by_hand():
    """After a 90-degree turn to the left about y, the camera looks along -x; frame 3 is missing."""
    lines = "1 0 0 0 0 0 0 40\n2 1 2 3 0 90 0 40\n4 3 6 9 0 90 0 40\n"
    path = read("a.chan", lines.encode(), like=LIKE, account=Account("a.chan"))
    np.testing.assert_allclose(path.world_from_camera[1, :3, 2], [-1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(path.centres[:, 0], range(4), atol=1e-9)
    np.testing.assert_allclose(path.centres[1], [1, -2, -3], atol=1e-9, err_msg="y is up in Nuke, and down here")
    assert path.fov_degrees[0, 1] == pytest.approx(40)
    with pytest.raises(InputError, match="all hold 7"):
        read("a.chan", b"1 0 0 0 0 0 0\n2 0 0 0 0 0 0 40\n", like=LIKE)


# --- raw matrices ------------------------------------------------------------------------------------------------------


def stored(path: CameraPath, convention: str) -> np.ndarray:
    reading = CONVENTIONS[convention]
    matrices = path.world_from_camera @ np.diag([1, -1, -1, 1]) if reading.opengl else path.world_from_camera
    matrices = matrices if reading.world_from_camera else inverse(matrices)
    return np.swapaxes(matrices, 1, 2) if reading.transposed else matrices


def same_move(first: np.ndarray, second: np.ndarray) -> bool:
    return np.allclose(inverse(first[:1]) @ first, inverse(second[:1]) @ second, atol=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_each_convention_reads_matrices_stored_in_it(convention):
    matrices = stored(orbit(), convention)
    assert same_move(poses_of(matrices, convention), orbit().world_from_camera)
    box = io.BytesIO()
    np.save(box, matrices)
    for name, data in (("m.npy", box.getvalue()), ("m.json", json.dumps(matrices.tolist()).encode())):
        path = read(name, data, like=LIKE, account=Account(name), convention=convention)
        assert same_move(path.world_from_camera, orbit().world_from_camera)


@pytest.mark.parametrize("convention", ["c2w-opencv", "c2w-opengl", "c2w-opencv-transposed", "c2w-opengl-transposed"])
def test_the_likeliest_reading_of_an_orbit_has_a_reason(convention):
    name, reason = find_likeliest(stored(orbit(), convention), "m.npy")
    assert name == convention and ("is 0 0 0 1" in reason)


def test_a_panning_straight_path_reveals_the_matrix_direction():
    poses = np.repeat(np.eye(4)[None], 12, axis=0)
    for i, pose in enumerate(poses):
        pose[:3, :3] = about_axis([0, 1, 0], 30 * np.sin(i))
        pose[:3, 3] = [i, 0, 3 * i]
    path = CameraPath(poses, LIKE.intrinsics[0], 96, 64)
    for way in ("c2w", "w2c"):
        name, reason = find_likeliest(stored(path, f"{way}-opencv"), "m.npy")
        assert name.startswith(way) and "times as smoothly" in reason


def test_invalid_poses_are_refused():
    with pytest.raises(InputError, match="no poses"):
        read("m.json", json.dumps([np.full((4, 4), 2.0).tolist()]).encode(), like=LIKE)
    with pytest.raises(InputError, match="no convention 'x'"):
        read("m.json", json.dumps([np.eye(4).tolist()]).encode(), like=LIKE, convention="x")
