"""RealityScan's (formerly RealityCapture's) XMP files, one per picture, alone or in a zip.

``xcr:Rotation``: 3x3 in rows, camera from world, x right, y down, z forward; ``xcr:Position``: the centre. ``FocalLength35mm`` refers to a
longer side of 36 mm; ``PrincipalPointU`` and ``V`` are offsets from the centre, in longer sides. Each is an attribute or an element. Source:
Epic's "XMP alignment" pages and sample, and public converters (AliceVision's, nerfstudio's forum), which agree.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from camera.conventions import FULL_FRAME_MM
from camera.errors import InputError
from camera.formats import lens
from camera.formats.account import Account
from camera.formats.film.metashape import tree_of
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, line_numbers, natural_key, number, pose
from camera.path import CameraPath, inverse

_SPACE = "http://www.capturingreality.com/ns/xcr/1.1#"
_IDLE = ("Version", "PosePrior", "CalibrationPrior", "CalibrationGroup", "DistortionGroup", "InTexturing", "InColoring", "InMeshing",
         "ComponentId", "ExportCoordinateSystemType", "Rig", "RigInstance", "RigPoseIndex", "LatitudeRef", "LongitudeRef")  # fmt: skip


def is_xmp(files: Mapping[str, bytes]) -> bool:
    """Whether ``files`` (contents by name) contain such cameras."""
    return any(name.lower().endswith(".xmp") for name in files)


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read one file as a path of one frame."""
    called = name if name.lower().endswith(".xmp") else f"{name}.xmp"
    return read_files({called: data}, name, like, account)


def read_files(files: Mapping[str, bytes], name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Cameras in the natural order of the file names; picture size and rate come from ``like``. A note counts those without a pose."""
    wanted = like_or_refuse(like, name, "picture size")
    named = sorted((each for each in files if each.lower().endswith(".xmp")), key=natural_key)
    account.fields(dict.fromkeys(files), "files").use(*named)
    cameras = [_fields(files[each], each) for each in named[:MOST_FRAMES]]
    posed = [(each, values) for each, values in zip(named, cameras) if {"Rotation", "Position"} <= values.keys()]
    account.left_out(len(named) - len(posed), len(named), "cameras", "they have no pose")
    if not posed:
        raise InputError(f"{name} holds no camera with xcr:Rotation and xcr:Position; export the registration as XMP.")
    account.say(
        f"{name} does not say the picture size of its lens; {wanted.width} x {wanted.height}, the scene's, is taken."
    )
    read = [_camera(values, each, wanted, account) for each, values in posed]
    poses, lenses = (np.stack([pair[index] for pair in read]) for index in (0, 1))
    return CameraPath(poses, lenses, wanted.width, wanted.height, wanted.fps)


def write(path: CameraPath) -> bytes:
    """Write a zip with one file per frame; raises `InputError` for skewed lenses and non-square pixels."""
    lens.require_square(path, "RealityScan's XMP")
    side = max(path.width, path.height)
    middle = np.array([path.width - 1, path.height - 1]) / 2
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for frame, (matrix, k) in enumerate(zip(path.camera_from_world, path.intrinsics), 1):
            u, v = (k[:2, 2] - middle) / side
            turn, place = (
                " ".join(f"{value:.17g}" for value in each)
                for each in (matrix[:3, :3].ravel(), path.centres[frame - 1])
            )
            archive.writestr(
                f"frame_{frame:05d}.xmp",
                '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n  <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
                f'    <rdf:Description xmlns:xcr="{_SPACE}" xcr:Version="3" xcr:PosePrior="locked" xcr:Coordinates="absolute"\n'
                '      xcr:DistortionModel="perspective" xcr:DistortionCoeficients="0 0 0 0 0 0"\n'
                f'      xcr:FocalLength35mm="{k[0, 0] * FULL_FRAME_MM / side:.17g}" xcr:Skew="0" xcr:AspectRatio="1"\n'
                f'      xcr:PrincipalPointU="{u:.17g}" xcr:PrincipalPointV="{v:.17g}" xcr:CalibrationPrior="locked">\n'
                f"      <xcr:Rotation>{turn}</xcr:Rotation>\n      <xcr:Position>{place}</xcr:Position>\n"
                "    </rdf:Description>\n  </rdf:RDF>\n</x:xmpmeta>\n",
            )
    return box.getvalue()


def _fields(data: bytes, name: str) -> dict[str, str]:
    """The fields in RealityScan's own namespace, by their names without the namespace."""
    fields: dict[str, str] = {}
    for element in tree_of(data, name).iter():
        pairs = [(element.tag, element.text or ""), *element.attrib.items()]
        fields |= {key.rpartition("}")[2]: text for key, text in pairs if key.startswith(f"{{{_SPACE}}}")}
    return fields


def _camera(
    values: Mapping[str, str], where: str, like: CameraPath, account: Account
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World from camera (4,4) and lens (3,3)."""
    fields = account.fields(values, "xcr", idle=_IDLE)
    turn = line_numbers(fields["Rotation"], (9,), f"xcr:Rotation of {where}").reshape(3, 3)
    centre = line_numbers(fields["Position"], (3,), f"xcr:Position of {where}")
    matrix = pose(np.concatenate([turn, -(turn @ centre)[:, None]], axis=1), where)
    if (kind := fields.get("Coordinates", "absolute")) != "absolute":
        account.say(f"The places of {account.name} are {kind[:20]!r}, and are read as they are.")
    terms = line_numbers(
        fields.get("DistortionCoeficients") or "0", (1, 2, 3, 4, 5, 6), f"DistortionCoeficients of {where}"
    )
    fields.use("DistortionModel")
    if np.abs(terms).max() > 1e-9:
        account.say(
            f"The lens of {account.name} is distorted (DistortionCoeficients); the path is that of a lens without distortion."
        )
    return inverse(matrix), _lens(fields, where, like)


def _lens(fields: Mapping[str, str], where: str, like: CameraPath) -> NDArray[np.float64]:
    def one(key: str, usual: str) -> float:
        return float(line_numbers(fields.get(key) or usual, (1,), f"xcr:{key} of {where}")[0])

    side = max(like.width, like.height)
    focal = number(one("FocalLength35mm", ""), f"xcr:FocalLength35mm of {where}", minimum=1e-3) * side / FULL_FRAME_MM
    across, down = (side * one(f"PrincipalPoint{axis}", "0") for axis in "UV")
    aspect = number(one("AspectRatio", "1"), f"xcr:AspectRatio of {where}", minimum=1e-3)
    skew = side * one("Skew", "0") / FULL_FRAME_MM
    middle = (like.width - 1) / 2 + across, (like.height - 1) / 2 + down
    return np.array([[focal, skew, middle[0]], [0, focal * aspect, middle[1]], [0, 0, 1]])
