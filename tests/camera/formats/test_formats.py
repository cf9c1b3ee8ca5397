"""Every format: files round-trip, and files of other programs are interpreted by their conventions."""

import io
import json
import sys
import types
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camera.errors import InputError
from camera.formats import FORMATS, gen3c, read, write
from camera.formats.account import Account
from camera.formats.parsing import npz_array
from camera.path import CameraPath, inverse, pinhole
from camera.rotation import about_axis, angle_degrees, look_at

READABLE = [name for name, form in FORMATS.items() if form.readable]
LENSLESS = ("gen3c_cameras", "tum", "recammaster", "motionctrl")
ONE_LENS = ("i2v3d", "gltf", "fantasyworld", "metashape")
CENTRED = (
    "nerfstudio_path",
    "gen3c_path",
    "i2v3d",
    "blender",
    "chan",
    "splat_cameras",
    "worldplay",
    "gltf",
    "fantasyworld",
    "realityscan",
    "usd",
    "realityscan_xmp",
)


def path_of(seed: int, frames: int, *, zoom: bool = False, shift: bool = False, fps: float = 12.0) -> CameraPath:
    random = np.random.default_rng(seed)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, :3, :3] = Rotation.from_rotvec(random.normal(size=(frames, 3)).cumsum(axis=0) * 0.3).as_matrix()
    poses[:, :3, 3] = random.normal(size=(frames, 3))
    lens = np.stack([pinhole(96, 64, 50 + (30 * i / frames if zoom else 0)) for i in range(frames)])
    if shift:
        lens[:, 0, 2] += 5.5
        lens[:, 1, 1] *= 1.1
    return CameraPath(poses, lens, 96, 64, fps)


@pytest.mark.parametrize("name", READABLE)
@given(st.integers(0, 1000), st.integers(1, 7), st.booleans(), st.booleans())
@settings(max_examples=12, deadline=None)
def test_files_round_trip(name, seed, frames, zoom, shift):
    path = path_of(seed, frames, zoom=zoom and name not in ONE_LENS, shift=shift and name not in CENTRED)
    fractional = name in ("realestate10k", "dualcamctrl")
    if fractional:
        path = path_of(seed, frames, zoom=zoom)
    back = read(*write(name, path), like=path)
    expected = path.relative_to_first() if name == "i2v3d" else path
    tolerance = 2e-6 if name in ("gen3c_npz", "dualcamctrl") else 1e-7
    np.testing.assert_allclose(back.world_from_camera, expected.world_from_camera, atol=tolerance)
    np.testing.assert_allclose(back.intrinsics, path.intrinsics, atol=1e-4)
    assert (back.width, back.height) == (path.width, path.height)
    assert back.fps == pytest.approx(path.fps, rel=1e-4)


@pytest.mark.parametrize(
    "name",
    sorted(
        set(READABLE)
        - set(LENSLESS)
        - {"lingbot", "chan", "gltf", "vista4d", "fantasyworld", "realityscan", "usd", "realityscan_xmp"}
    ),
)
def test_files_with_a_lens_need_no_other_source(name):
    path = path_of(1, 4)
    back = read(*write(name, path))
    across = 1 if name == "gen3c_path" else 0  # the client stores only the vertical field of view, no image size
    ends = [0, -1]  # nor does it store the frame rate
    np.testing.assert_allclose(back.fov_degrees[ends, across], path.fov_degrees[ends, across], rtol=1e-5)


@pytest.mark.parametrize("name", LENSLESS)
def test_files_without_a_lens_are_refused_without_one(name):
    with pytest.raises(InputError, match="does not say the lens"):
        read(*write(name, path_of(1, 4)))


def test_the_format_table_is_complete():
    names = [form.file_name for form in FORMATS.values()]
    assert len(set(names)) == len(names)
    for form in FORMATS.values():
        assert form.label and form.matrix and form.axes and form.units and form.lens
    with pytest.raises(InputError, match="Unknown format 'fbx'"):
        write("fbx", path_of(0, 2))


# --- other programs' files --------------------------------------------------------------------------------------------

LOOKING = np.eye(4)
"""A camera two units to the right and one up, looking at the origin, in a world with y down."""
LOOKING[:3, :3], LOOKING[:3, 3] = look_at([2, -1, -3], [0, 0, 0]), [2, -1, -3]


def origin_projects_to_the_centre(path: CameraPath) -> bool:
    projected = path.intrinsics[0] @ path.camera_from_world[0][:3, 3]
    return bool(
        projected[2] > 0
        and np.allclose(projected[:2] / projected[2], [(path.width - 1) / 2, (path.height - 1) / 2], atol=0.01)
    )


def test_nerf_synthetic_transforms(like):
    """OpenGL camera: its z axis points away from the origin."""
    opengl = LOOKING @ np.diag([1, -1, -1, 1])
    values = {"camera_angle_x": 0.7, "frames": [{"file_path": "./train/r_0", "transform_matrix": opengl.tolist()}]}
    path = read("transforms_train.json", json.dumps(values).encode(), like=like)
    assert origin_projects_to_the_centre(path)
    assert path.fov_degrees[0, 0] == pytest.approx(np.degrees(0.7))


def test_nerfstudio_frames_are_sorted_by_name_and_may_have_their_own_lens():
    def frame(index: int) -> dict:
        pose = np.eye(4)
        pose[0, 3] = index
        return {"file_path": f"images/f_{index}.png", "fl_x": 50 + index, "transform_matrix": pose.tolist()}

    values = {"w": 96, "h": 64, "cx": 48, "cy": 32, "fl_y": 60, "frames": [frame(10), frame(9), frame(2)]}
    path = read("transforms.json", json.dumps(values).encode())
    assert path.centres[:, 0].tolist() == [2, 9, 10]
    assert path.intrinsics[:, 0, 0].tolist() == [52, 59, 60] and path.intrinsics[0, 1, 1] == 60
    assert path.intrinsics[0, :2, 2].tolist() == [47.5, 31.5]


def test_nerfstudio_camera_path():
    camera = {"camera_to_world": (LOOKING @ np.diag([1, -1, -1, 1])).ravel().tolist(), "fov": 50, "aspect": 1.5}
    values = {
        "camera_type": "perspective",
        "render_height": 64,
        "render_width": 96,
        "seconds": 1,
        "camera_path": [camera],
    }
    path = read("camera_path.json", json.dumps(values).encode())
    assert origin_projects_to_the_centre(path)
    assert path.fov_degrees[0, 1] == pytest.approx(50)


COLMAP_TXT = {
    "cameras.txt": "# comment\n1 PINHOLE 96 64 80.0 81.0 48.0 32.0\n2 SIMPLE_PINHOLE 96 64 70 48 32\n",
    "images.txt": (
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n"
        "7 0.7071067811865476 0 0.7071067811865476 0 1 2 3 1 b file.png\n12.0 13.0 -1 5 6 88\n"
        "3 1 0 0 0 0 0 -4 2 a.png\n\n"
    ),
}


def zipped(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"model/{name}", content)
    return buffer.getvalue()


def test_colmap_text():
    path = read("model.zip", zipped(COLMAP_TXT))
    np.testing.assert_allclose(path.centres[0], [0, 0, 4])  # a.png: camera from world moves by -4 along z
    camera_from_world = path.camera_from_world[1]
    np.testing.assert_allclose(camera_from_world[:3, :3], about_axis([0, 1, 0], 90), atol=1e-12)
    np.testing.assert_allclose(camera_from_world[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(path.intrinsics[1], [[80, 0, 47.5], [0, 81, 31.5], [0, 0, 1]])


def test_colmap_images_txt_alone_takes_the_lens_from_elsewhere(like):
    path = read("images.txt", COLMAP_TXT["images.txt"].encode(), like=like)
    np.testing.assert_allclose(path.intrinsics[1], like.intrinsics[0])


def test_realestate10k_with_and_without_url():
    row = "0.5 0.75 0.5 0.5 0 0 " + " ".join(map(str, inverse(LOOKING)[:3].ravel()))
    text = f"https://www.youtube.com/watch?v=x\n1000000 {row}\n1040000 {row}\n"
    path = read("a.txt", text.encode())
    assert origin_projects_to_the_centre(path)
    assert path.width / path.height == pytest.approx(1.5, rel=1e-2)  # square pixels: 0.5 W = 0.75 H
    assert path.fps == pytest.approx(25)
    assert len(read("a.txt", text.split("\n", 1)[1].encode())) == 2


def test_fractional_intrinsics_keep_square_pixels_at_another_aspect_ratio():
    tall = CameraPath(np.eye(4)[None], pinhole(64, 96, 60), 64, 96)
    row = "0 0.5 0.75 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0"
    path = read("a.txt", f"x\n{row}\n".encode(), like=tall)
    assert path.width == 64 and path.intrinsics[0, 0, 0] == pytest.approx(path.intrinsics[0, 1, 1], rel=0.01)


def test_dualcamctrls_demo_cameras(golden):
    import torch
    from safetensors.torch import load_file

    cameras = load_file(golden / "dualcamctrl/cameras.safetensors")["demo.small.cameras"]
    buffer = io.BytesIO()
    torch.save({"cameras": cameras, "url": "https://example.org"}, buffer)
    path = read("demo.torch", buffer.getvalue())
    rows = cameras.double().numpy()
    np.testing.assert_allclose(path.camera_from_world[:, :3].reshape(-1, 12), rows[:, 6:], atol=1e-5)
    assert path.fov_degrees[0, 0] == pytest.approx(2 * np.degrees(np.arctan(0.5 / rows[0, 0])), rel=1e-4)


def test_gen3cs_npz(golden):
    data = (golden / "gen3c/multiview_sample.npz").read_bytes()
    path = read("mv_0.npz", data, like=CameraPath(np.eye(4)[None], pinhole(64, 48, 50), 64, 48))
    with np.load(io.BytesIO(data)) as arrays:
        np.testing.assert_allclose(path.camera_from_world, arrays["w2cs_all"], atol=1e-5)
        np.testing.assert_allclose(path.intrinsics, arrays["Ks_all"])
    assert (path.width, path.height) == (64, 48)
    given = (golden / "gen3c/dynamic_sample/camera.npz").read_bytes()
    lens = npz_array(given, "intrinsics", (-1, 3, 3), "camera.npz")[0]
    width, height = (int(2 * middle) + 3 for middle in lens[:2, 2])
    account = Account("camera.npz")
    shown = CameraPath(np.eye(4)[None], pinhole(width, height, 50), width, height)
    clip = read("camera.npz", given, like=shown, account=account)
    assert len(clip) == 6 and (clip.width, clip.height) == (width, height), "the scene's, not twice the principal point"
    assert f"{width} x {height}, the scene's" in account.text()
    with pytest.raises(InputError, match="resolution"):
        read("camera.npz", given)
    with pytest.raises(InputError, match="far from the middle"):
        read("camera.npz", given, like=shown.resized(2 * width, 2 * height))


def test_gen3c_client_uses_b_splines():
    """Order 1 interpolates its keys, placed at 0 and at the time stamps of their predecessors; order 3 rounds the corner."""
    keys = [
        {"R": [0, 0, 0, 1], "T": [x, y, 0], "fov": 40 + 10 * x, "timestamp": t}
        for x, y, t in ((0, 0, 1), (1, 0, 3), (1, 1, 4))
    ]
    values = {"loop": False, "path": keys, "spline_order": 1}
    like = CameraPath(np.eye(4)[None], pinhole(96, 64, 50), 96, 64, 10)
    straight = read("p.json", json.dumps(values).encode(), like=like)
    assert len(straight) == 31
    np.testing.assert_allclose(
        straight.centres[[0, 5, 10, 20, 30]], [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 0.5, 0], [1, 1, 0]]
    )
    assert straight.fov_degrees[5, 1] == pytest.approx(45)
    smooth = read("p.json", json.dumps({**values, "spline_order": 3}).encode(), like=like)
    np.testing.assert_allclose(smooth.centres[10], [5 / 6, 1 / 6, 0])  # (1 4 1)/6 of three keys
    looped = read("p.json", json.dumps({**values, "loop": True}).encode(), like=like)
    assert len(looped) == 40 and np.linalg.norm(looped.centres[-1] - looped.centres[0]) < 0.2
    for order in range(4):
        assert gen3c._weights(np.linspace(0, 1, 9), order).sum(axis=1) == pytest.approx(1)


def test_exported_cameras_of_the_gen3c_client_take_the_lens_from_elsewhere(like):
    values = {
        "cameras": [{"start": LOOKING[:3].tolist(), "end": LOOKING[:3].tolist()}],
        "resolution": [192, 128],
        "fps": 30,
    }
    path = read("cameras.json", json.dumps(values).encode(), like=like)
    assert origin_projects_to_the_centre(path) and path.fps == 30 and path.width == 192
    np.testing.assert_allclose(path.fov_degrees[0], like.fov_degrees[0], rtol=1e-6)


def test_i2v3d_json_has_upstream_units_and_axes():
    path = CameraPath(np.stack([np.eye(4), np.eye(4)]), pinhole(512, 288, 80.0626), 512, 288)
    path = path.with_poses(np.stack([np.eye(4), _moved(0.3, -0.2, 0.1)]))
    values = json.loads(write("i2v3d", path)[1])
    np.testing.assert_allclose(values["start_pos"][1], [-0.3, 0.2, 0.1])  # x left, y up, z forward
    focal = 512 / (2 * np.tan(np.radians(80.0626) / 2))
    np.testing.assert_allclose(values["end_pos"][0], [0, 0, focal * 0.05 / 288])
    np.testing.assert_allclose(np.subtract(values["up_pos"], values["end_pos"]), [[0, 0.025, 0]] * 2, atol=1e-12)
    assert values["fov"] == pytest.approx(80.0626)


def test_tum_is_world_from_camera(like):
    path = read("t.txt", b"# x\n10.0 1 2 3 0 0 0 1\n10.5 1 2 4 0 0 0 2\n", like=like)
    np.testing.assert_allclose(path.centres, [[1, 2, 3], [1, 2, 4]])
    assert path.fps == pytest.approx(2)


def test_blender_script_runs_and_keys_every_frame(monkeypatch):
    """Runs the script against mocks of Blender's modules; its camera projects points as ours does."""
    path = path_of(3, 5, zoom=True)
    recorded = _run_with_mock_blender(write("blender", path)[1].decode(), monkeypatch)
    assert len(recorded.matrices) == 5
    z_up = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    point = np.array([0.3, -0.2, 0.5, 1])
    for frame, matrix in enumerate(recorded.matrices):
        local = inverse(matrix) @ z_up @ point
        projected = path.intrinsics[frame] @ (path.camera_from_world[frame] @ point)[:3]
        focal_px = recorded.lens[frame] * path.width / 36
        middle = np.array([path.width - 1, path.height - 1]) / 2
        np.testing.assert_allclose(
            middle + focal_px * local[:2] * [1, -1] / -local[2], projected[:2] / projected[2], atol=1e-4
        )
    assert recorded.keys == {("camera", "location"): 5, ("camera", "rotation_quaternion"): 5, ("data", "lens"): 5,
                             ("data", "shift_x"): 5, ("data", "shift_y"): 5}  # fmt: skip


# --- helpers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def like() -> CameraPath:
    return CameraPath(np.eye(4)[None], pinhole(96, 64, 60), 96, 64, 24)


def _moved(x: float, y: float, z: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


def _run_with_mock_blender(script: str, monkeypatch) -> types.SimpleNamespace:
    """Runs the script with mocks of Blender's modules."""
    recorded = types.SimpleNamespace(matrices=[], lens=[], keys={})

    class Turn(np.ndarray):
        def make_compatible(self, other):
            assert angle_degrees(self, other) < 180

    class Matrix:
        def __init__(self, rows):
            self.rows = np.array(rows)

        def decompose(self):
            recorded.matrices.append(self.rows)
            return self.rows[:3, 3], self.rows[:3, :3].view(Turn), None

    class Keyed(types.SimpleNamespace):
        def keyframe_insert(self, name, frame):
            recorded.keys[(self.kind, name)] = recorded.keys.get((self.kind, name), 0) + 1
            if name == "lens":
                recorded.lens.append(self.lens)

    scene = types.SimpleNamespace(
        render=types.SimpleNamespace(),
        collection=types.SimpleNamespace(objects=types.SimpleNamespace(link=lambda each: None)),
    )
    data = types.SimpleNamespace(
        cameras=types.SimpleNamespace(new=lambda name: Keyed(kind="data")),
        objects=types.SimpleNamespace(new=lambda name, data: Keyed(kind="camera")),
    )
    bpy = types.SimpleNamespace(context=types.SimpleNamespace(scene=scene), data=data)
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    monkeypatch.setitem(sys.modules, "mathutils", types.SimpleNamespace(Matrix=Matrix))
    exec(compile(script, "reshoot_camera.py", "exec"), {})
    return recorded
