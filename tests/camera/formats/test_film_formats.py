"""Cameras of film and photogrammetry tools: conventions worked out by hand, and every field used, named or refused."""

from __future__ import annotations

import io
import json
import zipfile

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import read, write
from camera.formats.account import Account
from camera.objects.glb import chunks, pack_glb
from camera.path import CameraPath, pinhole

LIKE = CameraPath(np.eye(4)[None], pinhole(320, 240, 60), 320, 240, 25.0)


def opened(name: str, data: bytes | str, like: CameraPath | None = LIKE) -> tuple[CameraPath, str]:
    account = Account(name)
    path = read(name, data.encode() if isinstance(data, str) else data, like=like, account=account)
    return path, account.text()


def straight(frames: int = 3) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 3] = np.arange(frames)
    return CameraPath(poses, pinhole(320, 240, 50), 320, 240, 10.0)


# --- Metashape ------------------------------------------------------------------------------------------------------------

METASHAPE = """<?xml version="1.0" encoding="UTF-8"?>
<document version="2.0.0"><chunk label="Chunk 1" enabled="true">
<sensors><sensor id="0" label="DJI" type="{kind}"><resolution width="400" height="300"/>
<calibration type="frame" class="initial"><f>1</f></calibration>
<calibration type="frame" class="adjusted"><resolution width="400" height="300"/><f>350</f><cx>4</cx><cy>-2</cy><b1>5</b1>{more}</calibration>
</sensor></sensors>
<cameras>
<camera id="1" sensor_id="0" label="a_10"><transform>1 0 0 10 0 1 0 0 0 0 1 0 0 0 0 1</transform></camera>
<camera id="0" sensor_id="0" label="a_9"><transform>0 0 1 9 0 1 0 0 -1 0 0 0 0 0 0 1</transform></camera>
<camera id="2" sensor_id="0" label="a_11"></camera>
</cameras>{chunk}</chunk></document>"""


def metashape(kind: str = "frame", more: str = "", chunk: str = "") -> tuple[CameraPath, str]:
    return opened("cameras.xml", METASHAPE.format(kind=kind, more=more, chunk=chunk))


def test_metashape_cameras_by_hand():
    path, said = metashape()
    assert path.centres.tolist() == [[9, 0, 0], [10, 0, 0]], "in the natural order of the labels"
    assert path.world_from_camera[0, :3, 2].tolist() == [1, 0, 0], "the third column is the way it looks"
    assert path.intrinsics[0].tolist() == [[355, 0, 203.5], [0, 350, 147.5], [0, 0, 1]] and path.width == 400
    assert "1 of 3 cameras of cameras.xml is left out" in said


@pytest.mark.parametrize("term", ["k1", "k2", "k3", "k4", "p1", "p2", "p3"])
def test_metashape_distortion_is_named(term):
    path, said = metashape(more=f"<{term}>0.01</{term}>")
    assert f"distorted ({term})" in said and path.intrinsics[0, 0, 0] == 355
    assert "distorted" not in metashape(more=f"<{term}>0</{term}>")[1]


def test_metashape_chunk_transform_applies_and_unknown_elements_are_named():
    turn = (
        "<transform><rotation>0 -1 0 1 0 0 0 0 1</rotation><translation>1 2 3</translation><scale>2</scale></transform>"
    )
    path, said = metashape(chunk=turn + "<novelty/>")
    assert path.centres.tolist() == [[1, 20, 3], [1, 22, 3]] and "its scale is 2" in said
    assert "novelty (elements), which is not known" in said
    assert path.world_from_camera[1, :3, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (METASHAPE.format(kind="fisheye", more="", chunk=""), "'fisheye' of sensor '0'"),
        ("<!DOCTYPE a><document/>", "document type"),
        ("<document><chunk/></document>", "1 to 100000 cameras"),
        ("<document/>", "no chunk"),
        ("<document>", "no valid XML"),
        (METASHAPE.format(kind="frame", more="", chunk="").replace("<f>350</f>", ""), "f of sensor"),
        (METASHAPE.format(kind="frame", more="", chunk="").replace("1 0 0 10 0", "1 0 0 x 0"), "camera 'a_10'"),
    ],
)
def test_unsupported_metashape_files_are_refused(text, words):
    with pytest.raises(InputError, match=words):
        opened("cameras.xml", text)


# --- RealityScan ----------------------------------------------------------------------------------------------------------

CSV = "#name,x,y,alt,heading,pitch,roll,f,px,py,k1,k2,k3,k4,t1,t2\n"


def test_realityscan_angles_by_hand():
    rows = "b_10.jpg,1,2,3,0,0,0,36,0,0,0,0,0,0,0,0\nb_9.jpg,0,0,9,90,90,0,18,3.6,-1.8,0,0,0,0,0,0\n"
    path, said = opened("cams.csv", CSV + rows)
    assert path.centres.tolist() == [[0, 0, 9], [1, 2, 3]]
    down, level = path.world_from_camera[1], path.world_from_camera[0]
    np.testing.assert_allclose(down[:3, 2], [0, 0, -1], atol=1e-12)  # zero angles look straight down
    np.testing.assert_allclose(down[:3, 1], [0, -1, 0], atol=1e-12)  # with north at the top of the image
    np.testing.assert_allclose(level[:3, 2], [1, 0, 0], atol=1e-12)  # heading 90 looks east
    assert path.intrinsics[0].tolist() == [[160, 0, 191.5], [0, 160, 103.5], [0, 0, 1]] and "picture size" in said
    assert "distorted (k1)" in opened("cams.csv", CSV + rows.replace("36,0,0,0", "36,0,0,0.1"))[1]


def test_a_table_of_sensor_poses_is_refused():
    euroc = "#timestamp [ns],p_RS_R_x [m],p_RS_R_y [m],p_RS_R_z [m],q_RS_w []\n1403636580838555648,4.6,-1.7,0.8,0.5\n"
    with pytest.raises(InputError, match="of a sensor's body, not of a camera"):
        opened("data.csv", euroc)


def test_a_truncated_realityscan_table_is_refused():
    with pytest.raises(InputError, match=r"cams\.csv is damaged"):
        opened("cams.csv", CSV + "a.png,0,0\r0,0,0,0,35\n")


def test_realityscan_columns_are_used_or_named():
    table = CSV.replace("\n", ",sparkle\n") + "a,0,0,0,0,0,0,36,0,0,0,0,0,0,0,0,7\n"
    assert "sparkle (columns), which is not known" in opened("cams.csv", table)[1]
    with pytest.raises(InputError, match="no column 'heading'"):
        opened("cams.csv", "#name,x,y,alt\na,0,0,0\n")
    with pytest.raises(InputError, match=r"pitch of camera 'a'"):
        opened("cams.csv", CSV + "a,0,0,0,0,up,0,36,0,0,0,0,0,0,0,0\n")


# --- OpenCV ---------------------------------------------------------------------------------------------------------------


def calibration(kind: str = "yml", **more) -> str:
    storage = cv2.FileStorage(f"x.{kind}", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY)
    lens = np.array([[500.0, 0, 330], [0, 510, 250], [0, 0, 1]])
    for key, value in {"image_width": 640, "image_height": 480, "camera_matrix": lens, **more}.items():
        if value is not None:
            storage.write(key, value)
    return storage.releaseAndGetString()


@pytest.mark.parametrize("kind", ["yml", "yaml", "xml"])
def test_opencv_calibration_gives_the_lens_and_the_board_views(kind):
    poses = np.array([[0, 0, 0, 1.0, 2, 3], [0, np.pi / 2, 0, 0, 0, 4]])
    path, said = opened(f"calibration.{kind}", calibration(kind, extrinsic_parameters=poses), like=None)
    assert path.intrinsics[1].tolist() == [[500, 0, 330], [0, 510, 250], [0, 0, 1]] and (path.width, path.height) == (
        640,
        480,
    )
    np.testing.assert_allclose(path.centres, [[-1, -2, -3], [4, 0, 0]], atol=1e-12)
    assert said == ""
    alone, said = opened(f"calibration.{kind}", calibration(kind))
    assert len(alone) == len(LIKE) and "a lens but no poses" in said and alone.intrinsics[0, 0, 0] == 500


def test_other_opencv_fields_are_named():
    bent = np.array([[0.1, 0, 0, 0, 0]])
    assert "distorted" in opened("c.yml", calibration(distortion_coefficients=bent))[1]
    assert "distorted" not in opened("c.yml", calibration(distortion_coefficients=0 * bent))[1]
    _, said = opened("c.yml", calibration(avg_reprojection_error=0.3, mood="blue"))
    assert "avg_reprojection_error, which changes nothing" in said and "mood, which is not known" in said
    with pytest.raises(InputError, match="no camera_matrix"):
        opened("c.yml", calibration(camera_matrix=None))
    with pytest.raises(InputError, match="OpenCV"):
        opened("c.yml", "a: [1, 2\nb: {")


# --- glTF -----------------------------------------------------------------------------------------------------------------


def test_gltf_cameras_look_along_minus_z_with_y_up():
    about, binary = chunks(write("gltf", straight())[1], "x")
    node = about["nodes"][0]
    del about["animations"]
    path, said = opened("still.glb", pack_glb(about, binary))
    assert (
        len(path) == 1
        and "stands still" in said
        and path.fov_degrees[0, 1] == pytest.approx(straight().fov_degrees[0, 1])
    )
    np.testing.assert_allclose(path.world_from_camera[0], np.eye(4), atol=1e-7)
    assert node["rotation"] == pytest.approx([0, 0, 0, 1]), (
        "world and camera are both turned: neither against the other"
    )


def test_a_gltf_camera_moves_with_its_parent_node():
    about, binary = chunks(write("gltf", straight())[1], "x")
    about["nodes"] = [{"children": [1], "translation": [0, 0, 5]}, {"camera": 0}]
    path, _ = opened("dolly.glb", pack_glb(about, binary))
    assert path.centres.tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0]] and path.fps == 10


def test_uneven_keys_are_resampled_and_other_cameras_named():
    about, binary = chunks(write("gltf", straight())[1], "x")
    start = about["bufferViews"][0]["byteOffset"]
    uneven = binary[:start] + np.array([0, 0.1, 1], "<f4").tobytes() + binary[start + 12 :]
    about["nodes"].append({"camera": 0, "name": "other"})
    about["scenes"][0]["nodes"].append(1)
    path, said = opened("odd.glb", pack_glb(about, uneven))
    assert len(path) == 26 and path.fps == 25 and "uneven" in said and "2 cameras; 'Reshoot' is taken" in said


GLTF_CHANGES = {
    "yfov": lambda about: about["cameras"][0]["perspective"].update(yfov=1.0),
    "zfar": lambda about: about["cameras"][0]["perspective"].update(zfar=9.0),
    "width to height": lambda about: about["cameras"][0]["perspective"].update(aspectRatio=2.0),
    "novelty": lambda about: about["cameras"][0]["perspective"].update(novelty=1),
    "scaled nodes": lambda about: about["nodes"][0].update(scale=[2, 2, 2]),
    "KHR_animation_pointer": lambda about: about["animations"][0]["channels"].append({"sampler": 0, "target": {"path": "pointer"}}),
    "orthographic": lambda about: about["cameras"][0].update(type="orthographic"),
    "EXT_what": lambda about: about.update(extensionsRequired=["EXT_what"]),
}  # fmt: skip


@pytest.mark.parametrize("named", GLTF_CHANGES)
def test_every_gltf_camera_field_is_used_named_or_refused(named):
    about, binary = chunks(write("gltf", straight())[1], "x")
    plain, _ = opened("a.glb", pack_glb(about, binary))
    GLTF_CHANGES[named](about)
    try:
        path, said = opened("a.glb", pack_glb(about, binary))
    except InputError as error:
        assert named in str(error)
        return
    assert named in said or not np.allclose(path.intrinsics, plain.intrinsics)


# --- research ---------------------------------------------------------------------------------------------------------------


def test_sana_wm_action_string_ends_as_documented():
    path, said = opened("action.txt", "w-80, jw-40,w-40,lw-60,w-100")
    assert len(path) == 321 and path.fps == 16 and "SANA-WM's card" in said
    np.testing.assert_allclose(path.world_from_camera[0], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(path.centres[80], [0, 0, 80 * 0.05], atol=1e-9)
    assert path.world_from_camera[120, 0, 2] == pytest.approx(-np.sin(np.radians(48))), "j turns left"
    up, _ = opened("action.txt", "i-200,none-1,d-1")
    assert up.world_from_camera[-1, 1, 2] == pytest.approx(-np.sin(np.radians(84))), "i looks up, to 85 degrees"
    assert up.centres[-1] == pytest.approx([0.05, 0, 0])
    with pytest.raises(InputError, match=r"'q-3' of action\.txt"):
        opened("action.txt", "w-3,q-3")


def npy(values: np.ndarray) -> bytes:
    box = io.BytesIO()
    np.save(box, values)
    return box.getvalue()


def test_spatialvid_poses_are_camera_from_world_with_fractional_intrinsics():
    rows = np.array([[1.0, 0, 0, 0, 0, 0, 1], [0, 0, 4, 0, 0.5**0.5, 0, 0.5**0.5]])
    path, said = opened("poses.npy", npy(rows))
    np.testing.assert_allclose(path.centres, [[-1, 0, 0], [4, 0, 0]], atol=1e-9)
    assert "SpatialVID's" in said and "no lens" in said
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("clip/poses.npy", npy(rows))
        archive.writestr("clip/intrinsics.npy", npy(np.array([[0.9, 1.2, 0.5, 0.5]] * 2)))
        archive.writestr("clip/caption.json", "{}")
    path, said = opened("clip.zip", box.getvalue())
    assert path.intrinsics[0].tolist() == [[288, 0, 159.5], [0, 288, 119.5], [0, 0, 1]] and "caption.json" in said


def test_vista4d_and_fantasyworld_fields_are_used_or_named():
    poses = straight().world_from_camera
    box = io.BytesIO()
    np.savez(box, cam_c2w=poses, intrinsics=np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), tau=np.ones(3))
    path, said = opened("c.npz", box.getvalue())
    assert (
        path.intrinsics[2].tolist() == [[300, 0, 159.5], [0, 300, 119.5], [0, 0, 1]]
        and "tau, which is not known" in said
    )
    values = {"cameras_interp": poses.tolist(), "mood": 1}
    path, said = opened("camera_data.json", json.dumps(values))
    assert path.intrinsics[0, 0, 0] == 500 and "no focal length" in said and "mood" in said
    path, said = opened("camera_data.json", json.dumps(values | {"focal_length": 320}))
    assert path.intrinsics[0, 0, 0] == 320 and "no focal length" not in said and path.centres[2].tolist() == [2, 0, 0]
