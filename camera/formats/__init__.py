"""Reads and writes camera path files: the table of formats and their conventions, `read` and `write`.

`read` detects the format from the file's name and content. Picture size, lens and rate that a file lacks are taken from the path
``like``, which is the path that the page already shows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from camera.errors import InputError, json_kind
from camera.formats import colmap, gen3c, nerfstudio, realestate10k, reshoot, tum
from camera.formats.account import Account
from camera.formats.content import with_suffix
from camera.formats.film import blender, chan, gltf, metashape, opencv, realityscan, usd, xmp
from camera.formats.parsing import json_value, npz_shapes, numbers, text_of, unzip_members
from camera.formats.research import (
    actions,
    arrays,
    dualcamctrl,
    fantasyworld,
    i2v3d,
    matrices,
    recammaster,
    splat_cameras,
    worldplay,
)
from camera.path import CameraPath

LARGEST_FILE = 1 << 30
UNREAD = {
    "fbx": "FBX", "abc": "Alembic", "blend": "a Blender file", "ma": "a Maya scene", "mb": "a Maya scene", "max": "a 3ds Max scene",
    "c4d": "a Cinema 4D scene", "nk": "a Nuke script", "bvh": "motion capture",
}  # fmt: skip
"""Files that contain cameras but that no released Python library reads."""


@dataclass(frozen=True)
class Format:
    """One format. ``file_name``: name of the written file; ``matrix``, ``axes``, ``units`` and ``lens`` describe its convention in words."""

    label: str
    file_name: str
    matrix: str
    axes: str
    units: str
    lens: str
    write: Callable[[CameraPath], bytes]
    readable: bool = True

    @property
    def suffix(self) -> str:
        return "." + self.file_name.rsplit(".", 1)[-1]


CV, GL = "x right, y down, z forward", "x right, y up, z backward"
Y_UP = f"{GL}; world y up"
WORLD, CAMERA = "world from camera", "camera from world"
AS_GIVEN = "as the scene's"

FORMATS: dict[str, Format] = {
    "reshoot": Format(
        "Reshoot JSON", "camera_path.json", f"{WORLD}, 4x4", CV, AS_GIVEN, "3x3 in pixels, centres at integers", reshoot.write
    ),
    "colmap_txt": Format(
        "COLMAP text", "colmap_txt.zip", f"{CAMERA}, quaternion wxyz", CV, AS_GIVEN,
        "PINHOLE in pixels, centres at half-integers", colmap.write_txt,
    ),
    "colmap_bin": Format(
        "COLMAP binary", "colmap_bin.zip", f"{CAMERA}, quaternion wxyz", CV, AS_GIVEN,
        "PINHOLE in pixels, centres at half-integers", colmap.write_bin,
    ),
    "nerfstudio": Format(
        "nerfstudio transforms.json", "transforms.json", f"{WORLD}, 4x4", GL, AS_GIVEN,
        "fl_x fl_y cx cy in pixels, centres at half-integers", nerfstudio.write_transforms,
    ),
    "nerfstudio_path": Format(
        "nerfstudio camera path", "nerfstudio_camera_path.json", f"{WORLD}, 16 numbers in rows", GL, AS_GIVEN,
        "vertical field of view in degrees, centred", nerfstudio.write_camera_path,
    ),
    "realestate10k": Format(
        "RealEstate10K", "realestate10k.txt", f"{CAMERA}, 3x4 in rows", CV, f"{AS_GIVEN}; time in microseconds",
        "fx fy cx cy as fractions of width and height", realestate10k.write,
    ),
    "gen3c_path": Format(
        "GEN3C client, camera path", "gen3c_camera_path.json", f"{WORLD}, quaternion xyzw", CV,
        f"{AS_GIVEN}; time in seconds", "vertical field of view in degrees, centred", gen3c.write_gui_path,
    ),
    "gen3c_cameras": Format(
        "GEN3C client, exported cameras", "gen3c_cameras.json", f"{WORLD}, 3x4", CV, AS_GIVEN, "none", gen3c.write_gui_cameras
    ),
    "gen3c_npz": Format(
        "GEN3C npz", "camera.npz", f"{CAMERA}, 4x4", CV, AS_GIVEN, "3x3 in pixels, centres at integers", gen3c.write_npz
    ),
    "dualcamctrl": Format(
        "DualCamCtrl .torch", "cameras.torch", f"{CAMERA}, 3x4 in rows", CV, AS_GIVEN,
        "fx fy cx cy as fractions of width and height", dualcamctrl.write,
    ),
    "i2v3d": Format(
        "I2V3D camera JSON", "save_camera_infos.json", "three points per camera: centre, ahead, above",
        "world x left, y up, z forward, on the first camera", AS_GIVEN,
        "horizontal field of view in degrees, one for all", i2v3d.write,
    ),
    "tum": Format("TUM", "trajectory_tum.txt", f"{WORLD}, quaternion xyzw", CV, f"{AS_GIVEN}; time in seconds", "none", tum.write),
    "recammaster": Format(
        "ReCamMaster, InfCam", "camera_extrinsics.json", f"{WORLD}, row vectors in brackets",
        "x forward, y right, z up; left-handed world", "centimetres", "none", recammaster.write,
    ),
    "splat_cameras": Format(
        "Gaussian splatting (INRIA, SuperSplat)", "cameras.json", f"{WORLD}: position and 3x3", CV, AS_GIVEN,
        "fx fy in pixels, centred", splat_cameras.write,
    ),
    "worldplay": Format(
        "HY-WorldPlay", "worldplay_trajectory.json", f"{WORLD}, 4x4", CV, AS_GIVEN,
        "3x3 in pixels; the picture is twice cx by cy", worldplay.write,
    ),
    "lingbot": Format(
        "LingBot-World", "lingbot_action.zip", f"{WORLD}, 4x4", CV, AS_GIVEN, "fx fy cx cy in pixels", arrays.write_npy_pair
    ),
    "motionctrl": Format(
        "MotionCtrl", "motionctrl_poses.json", f"{CAMERA}, rows of 12", CV, AS_GIVEN, "none", matrices.write
    ),
    "chan": Format(
        "Nuke .chan", "camera.chan", f"{WORLD}, angles in degrees, order ZXY", Y_UP, f"{AS_GIVEN}; time in frames",
        "vertical field of view in degrees, centred", chan.write,
    ),
    "gltf": Format(
        "glTF camera", "camera_path.glb", f"{WORLD}, translation and quaternion xyzw", Y_UP, f"{AS_GIVEN}; time in seconds",
        "vertical field of view in radians, one for all, centred", gltf.write,
    ),
    "vista4d": Format(
        "Vista4D", "vista4d_cameras.npz", f"{WORLD}, 4x4", CV, AS_GIVEN, "3x3 in pixels, centres at half-integers",
        arrays.write_vista4d,
    ),
    "fantasyworld": Format(
        "FantasyWorld", "fantasyworld_cameras.json", f"{WORLD}, 4x4", CV, AS_GIVEN,
        "focal length in pixels, one for all, centred", fantasyworld.write,
    ),
    "metashape": Format(
        "Metashape XML", "metashape_cameras.xml", f"{WORLD}, 4x4 in rows", CV, "the chunk's, its transform applied",
        "f b1 b2 in pixels, cx cy from the middle, one for all", metashape.write,
    ),
    "realityscan": Format(
        "RealityScan CSV", "realityscan_cameras.csv", f"{WORLD}, heading pitch roll in degrees", f"{GL}; world z up", AS_GIVEN,
        "f px py in mm of a 36 mm sensor, from the middle", realityscan.write,
    ),
    "realityscan_xmp": Format(
        "RealityScan XMP", "realityscan_xmp.zip", f"{CAMERA}: 3x3 and position", CV, AS_GIVEN,
        "focal length in mm of a 36 mm sensor, offsets in longer sides", xmp.write,
    ),
    "usd": Format(
        "USD camera", "camera_path.usda", f"{WORLD}, row vectors", Y_UP, "metres (metersPerUnit); time in time codes",
        "focal length and apertures in tenths of a unit, offsets", usd.write,
    ),
    "blender": Format(
        "Blender script", "reshoot_camera.py", f"{WORLD}, 4x4", f"{GL}; world z up", AS_GIVEN,
        "focal length in mm of a 36 mm sensor, shift", blender.write, readable=False,
    ),
}  # fmt: skip

_JSON_KEYS: dict[str, Callable] = {
    "world_from_camera": lambda values, name, like, account: reshoot.read(values, name, account),
    "camera_path": nerfstudio.read_camera_path,
    "frames": nerfstudio.read_transforms,
    "path": gen3c.read_gui_path,
    "cameras": gen3c.read_gui_cameras,
    "start_pos": i2v3d.read,
    "frame0": recammaster.read,
    "0": worldplay.read,
    "cameras_interp": fantasyworld.read,
}
"""The field that identifies each JSON format, and the format's reader."""


class FileNote(UserWarning):
    """A warning about what a reader ignored or assumed, for callers that pass no `Account`."""


def read(
    file_name: str,
    data: bytes,
    *,
    like: CameraPath | None = None,
    account: Account | None = None,
    convention: str = "",
) -> CameraPath:
    """The camera path in a file; raises `InputError` that says what is wrong and where.

    ``convention``: of raw matrices, one of `matrices.CONVENTIONS`; "" chooses the likeliest and notes why.
    Ignored fields and assumptions are noted in ``account``; without one, each note is a `FileNote` warning.
    """
    name = with_suffix(file_name.replace("\\", "/").rsplit("/", 1)[-1], data)
    own = Account(name)
    path = _read(name, data, like, own, convention)
    if account is not None:
        account.add(own)
    else:
        for note in own.notes():
            warnings.warn(note, FileNote, stacklevel=2)
    return path


def _read(name: str, data: bytes, like: CameraPath | None, account: Account, convention: str) -> CameraPath:
    if not data:
        raise InputError(f"{name} is empty; give a camera file.")
    if len(data) > LARGEST_FILE:
        raise InputError(f"{name} has {len(data) >> 20} MB; camera files up to {LARGEST_FILE >> 20} MB are read.")
    suffix = name.lower().rsplit(".", 1)[-1]
    if suffix == "npy":
        return _read_npy(data, name, like, account, convention)
    if suffix == "json":
        return _read_json(data, name, like, account, convention)
    if suffix == "txt":
        return _read_txt(data, name, like, account, convention)
    readers = {
        "zip": _read_zip, "npz": _read_npz, "chan": chan.read, "torch": dualcamctrl.read, "pt": dualcamctrl.read,
        "pth": dualcamctrl.read, "glb": gltf.read, "gltf": gltf.read, "csv": realityscan.read, "xmp": xmp.read, "xml": _read_xml,
        "yaml": opencv.read, "yml": opencv.read, "usd": usd.read, "usda": usd.read, "usdc": usd.read, "usdz": usd.read,
    }  # fmt: skip
    if suffix == "bin" and name.lower() != "images.bin":
        raise InputError(f"{name} cannot be read alone; give COLMAP's cameras.bin and images.bin together in one zip.")
    if suffix in UNREAD:
        raise InputError(
            f"{name} is {UNREAD[suffix]}, which is of no kind that is read; export the camera as glTF (.glb), USD or Nuke's .chan "
            "from the program that made it."
        )
    reader = colmap.read_images if suffix == "bin" else readers.get(suffix)
    if reader is None:
        known = ", ".join(
            sorted(
                {
                    ".npy",
                    ".xmp",
                    ".yaml",
                    ".usdc",
                    ".usdz",
                    *(each.suffix for each in FORMATS.values() if each.readable),
                }
            )
        )
        raise InputError(f"{name} is of no kind that is read; give one of {known}.")
    return reader(data, name, like, account)


def write(format_name: str, path: CameraPath) -> tuple[str, bytes]:
    """File name and content of a path in one of `FORMATS`; raises `InputError` if the format cannot store the path."""
    if format_name not in FORMATS:
        raise InputError(f"Unknown format {format_name!r}; choose one of {', '.join(FORMATS)}.")
    return FORMATS[format_name].file_name, FORMATS[format_name].write(path)


def write_all(path: CameraPath) -> dict[str, bytes]:
    """Contents by file name, in every format that can represent the path's lenses."""
    return dict(write(name, path) for name in FORMATS if _can_hold(name, path))


def _can_hold(format_name: str, path: CameraPath) -> bool:
    try:
        write(format_name, path)
    except InputError:
        return False
    return True


def _read_json(data: bytes, name: str, like: CameraPath | None, account: Account, convention: str) -> CameraPath:
    values = json_value(data, name)
    if isinstance(values, list) and values:
        if isinstance(values[0], dict):
            return splat_cameras.read(values, name, like, account)
        return _read_matrices(values, name, like, account, convention)
    if not isinstance(values, dict):
        raise InputError(f"{name} should hold a JSON object or a list of cameras, got {json_kind(values)}.")
    for key, reader in _JSON_KEYS.items():
        if key in values:
            return reader(values, name, like, account)
    raise InputError(
        f"{name} holds no known camera path; expected one of the fields {', '.join(_JSON_KEYS)}, "
        f"got {', '.join(list(values)[:8]) or 'none'}."
    )


def _read_matrices(values: list, name: str, like: CameraPath | None, account: Account, convention: str) -> CameraPath:
    """Read rows of 12 as MotionCtrl's, unless ``convention`` says otherwise."""
    if not isinstance(values[0], list):
        raise InputError(
            f"{name} should hold a JSON object or a list of cameras, got a list that starts with {json_kind(values[0])}."
        )
    shape = (-1, len(values[0])) if len(values[0]) in (12, 16) else (-1, len(values[0]), 4)
    if len(values[0]) == 12 and not convention:
        account.say(f"{name} holds rows of 12 numbers and is read as MotionCtrl's: camera from world, OpenCV axes.")
        convention = matrices.MOTIONCTRL[0]
    return matrices.read(numbers(values, shape, name), name, like, account, convention)


def _read_npy(data: bytes, name: str, like: CameraPath | None, account: Account, convention: str) -> CameraPath:
    """Rows of 7 numbers are SpatialVID's; anything else is matrices."""
    if arrays.array_shape(data, name)[1:] == (7,):
        return arrays.read_spatialvid(arrays.npy_array(data, (-1, 7), name), name, like, account)
    return matrices.read(arrays.npy_array(data, _matrix_shape(data), name), name, like, account, convention)


def _read_xml(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """OpenCV's storage is detected by its root, RealityScan's XMP by its namespace; anything else is Metashape's."""
    if b"<opencv_storage" in data[:4096]:
        return opencv.read(data, name, like, account)
    if b"capturingreality.com/ns/xcr" in data[:4096]:
        return xmp.read(data, name, like, account)
    return metashape.read(data, name, like, account)


def _matrix_shape(data: bytes) -> tuple[int, ...]:
    """The shape to require of a .npy file of matrices: (F,3,4) if its header has that, else (F,4,4)."""
    return (-1, 3, 4) if b", 3, 4)" in data[:256] else (-1, 4, 4)


def _read_zip(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    inside = unzip_members(data, name)
    if {"poses.npy", "intrinsics.npy"} <= {path.rsplit("/", 1)[-1] for path in inside}:
        return arrays.read_npy_pair(inside, name, like, account)
    if xmp.is_xmp(inside) and not colmap.models(inside):
        return xmp.read_files(inside, name, like, account)
    return colmap.read_zip(data, name, like, account)


def _read_npz(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    shapes = npz_shapes(data, name)
    if "cam_c2w" in shapes and "intrinsic" in shapes:
        return arrays.read_megasam(data, name, account.fields(shapes), like, account)
    if "cam_c2w" in shapes:
        return arrays.read_vista4d(data, name, account.fields(shapes), like, account)
    if shapes.get("data", ())[1:] == (4, 4) and "inds" in shapes:
        return arrays.read_vipe(data, name, account.fields(shapes), like, account)
    return gen3c.read_npz(data, name, like, account)


def _read_txt(data: bytes, name: str, like: CameraPath | None, account: Account, convention: str) -> CameraPath:
    """COLMAP is detected by the file name; TUM, RealEstate10K and rows of matrices by the number of numbers per line."""
    if name.lower() == "cameras.txt":
        raise InputError("cameras.txt contains lenses without poses; zip it with images.txt.")
    if name.lower() == "images.txt":
        return colmap.read_images(data, name, like, account)
    text = text_of(data, name)
    if actions.is_actions(text):
        return actions.read(text, name, like, account)
    counts = [len(line.split()) for _, line in tum.rows(text)]
    if counts[-1] == 8:
        return tum.read(text, name, like, account)
    if counts[-1] == 19:
        return realestate10k.read(text, name, like, account)
    if counts[-1] in (12, 16):
        return matrices.read(matrices.read_raw(data, name), name, like, account, convention)
    raise InputError(
        f"The last line of {name} holds {counts[-1]} words; TUM trajectories have 8 numbers per line, RealEstate10K has 19, "
        "matrices have 12 or 16."
    )
