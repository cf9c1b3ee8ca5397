"""Metashape's cameras as XML (File, Export Cameras): sensors with their lenses, cameras with 4x4 poses, a chunk's transform.

World from camera with OpenCV axes, in the chunk's own units; ``chunk/transform`` (rotation, translation, scale), which maps to the
chunk's coordinate system, is applied. Lens: ``f`` in pixels (``fx = f + b1``, skew ``b2``), ``cx cy`` from the picture's
centre. Source: Agisoft Metashape user manual, appendix D "Camera models"; nerfstudio's ``metashape_utils.py`` agrees on matrices.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from camera.conventions import half_pixel_lens, integer_pixel_lens
from camera.errors import InputError, reading
from camera.formats import lens
from camera.formats.account import Account, refusal
from camera.formats.parsing import MOST_FRAMES, line_numbers, natural_key, number, pose, size, text_of
from camera.path import CameraPath

_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2", "p3", "p4")
_LENS = ("f", "cx", "cy", "b1", "b2")
_USED = {"document", "chunk", "sensors", "sensor", "cameras", "camera", "group", "transform", "rotation", "translation", "scale",
         "calibration", "resolution", *_LENS, *_DISTORTION}  # fmt: skip
_IDLE = ("components", "component", "reference", "region", "center", "size", "R", "settings", "property", "markers", "marker",
         "bands", "band", "data_type", "covariance", "params", "coeffs", "meta", "orientation", "pixel_width", "pixel_height",
         "focal_length", "layer_index", "black_level", "sensitivity", "vignetting", "rotation_covariance", "location_covariance",
         "partition", "fixed", "scalebars", "frames", "frame", "master")  # fmt: skip


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Cameras in the natural order of their labels, at the rate of ``like``, or 24; a note counts those without a pose."""
    root = tree_of(data, name)
    tags = account.fields(dict.fromkeys(each.tag for each in root.iter()), "elements", idle=_IDLE)
    for tag in tags:
        if tag in _USED:
            tags[tag]
    chunk = root if root.tag == "chunk" else root.find("chunk")
    if chunk is None:
        raise InputError(f"{name} holds no chunk of Metashape's; export its cameras as Agisoft XML.")
    if len(root.findall("chunk")) > 1:
        account.say(f"{name} holds {len(root.findall('chunk'))} chunks; the first is taken.")
    lenses = {sensor.get("id", ""): sensor for sensor in chunk.iter("sensor")}
    cameras = sorted(chunk.iter("camera"), key=lambda camera: natural_key(camera.get("label", "")))
    posed = [camera for camera in cameras if camera.find("transform") is not None and camera.get("enabled") != "false"]
    account.left_out(len(cameras) - len(posed), len(cameras), "cameras", "they have no pose or are switched off")
    if not 1 <= len(posed) <= MOST_FRAMES:
        raise InputError(f"{name} should hold 1 to {MOST_FRAMES} cameras with a pose, got {len(posed)}.")
    poses = np.stack([_pose(camera, name) for camera in posed])
    used = {camera.get("sensor_id", ""): None for camera in posed}
    by_sensor = {key: _lens(lenses.get(key), key, account) for key in used}
    matrices, width, height = lens.fit_to_one_size(
        [by_sensor[camera.get("sensor_id", "")] for camera in posed], account
    )
    placed = _apply_chunk_transform(poses, chunk, name, account)
    return CameraPath(placed, matrices, width, height, like.fps if like else 24.0)


def write(path: CameraPath) -> bytes:
    """Write one sensor; raises `InputError` for lenses that change from frame to frame."""
    lens.require_one_lens(path, "Metashape's XML")
    matrix = half_pixel_lens(path.intrinsics)[0]
    root = Element("document", version="2.0.0")
    chunk = SubElement(root, "chunk", label="Reshoot", enabled="true")
    sensor = SubElement(SubElement(chunk, "sensors"), "sensor", id="0", label="camera", type="frame")
    picture = {"width": str(path.width), "height": str(path.height)}
    SubElement(sensor, "resolution", picture)
    calibration = SubElement(sensor, "calibration", {"type": "frame", "class": "adjusted"})
    SubElement(calibration, "resolution", picture)
    values = (
        matrix[1, 1],
        matrix[0, 2] - path.width / 2,
        matrix[1, 2] - path.height / 2,
        matrix[0, 0] - matrix[1, 1],
        matrix[0, 1],
    )
    for tag, value in zip(_LENS, values):
        SubElement(calibration, tag).text = repr(float(value))
    cameras = SubElement(chunk, "cameras")
    for frame, world in enumerate(path.world_from_camera):
        camera = SubElement(cameras, "camera", id=str(frame), sensor_id="0", label=f"frame_{frame + 1:05d}")
        SubElement(camera, "transform").text = " ".join(repr(float(value)) for value in world.ravel())
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def tree_of(data: bytes, name: str) -> Element:
    """The root of an XML file; document types are refused, because their entities can expand without limit."""
    text = text_of(data, name)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{name} has a document type, which no camera file needs; export it again.")
    with reading(f"{name} is no valid XML; export it again."):
        return ElementTree.fromstring(text)  # decoded text: a declared encoding could hide what is refused above


def _pose(camera: Element, name: str) -> NDArray[np.float64]:
    where = f"camera {camera.get('label', '')!r} of {name}"
    return pose(line_numbers(_text(camera, "transform"), (16,), where).tolist(), where)


def _lens(sensor: Element | None, id: str, account: Account) -> tuple[NDArray[np.float64], int, int]:
    where = f"sensor {id!r} of {account.name}"
    if sensor is None:
        raise InputError(f"There is no {where}, but cameras refer to it; export them again.")
    kind = sensor.get("type", "frame")
    if kind != "frame":
        raise refusal(
            f"The type {kind!r}", where, "a lens that is no pinhole", "undistort the photos and export their cameras"
        )
    calibrations = sensor.findall("calibration")
    if not calibrations:
        raise InputError(f"The {where} has no calibration; align the photos before exporting the cameras.")
    best = next((each for each in calibrations if each.get("class") == "adjusted"), calibrations[0])
    shape = best.find("resolution") if best.find("resolution") is not None else sensor.find("resolution")
    if shape is None:
        raise InputError(f"The {where} has no resolution; export the cameras again.")
    width, height = size(_number(shape.get("width"), where), _number(shape.get("height"), where), where)
    f, cx, cy, b1, b2 = (_number(best.findtext(key, "0"), f"{key} of {where}") for key in _LENS)
    number(f, f"f of {where}", minimum=1e-3)
    terms = [key for key in _DISTORTION if _number(best.findtext(key, "0"), f"{key} of {where}")]
    if terms:
        account.say(
            f"The lens of {account.name} is distorted ({', '.join(terms)}); the path is that of a lens without distortion."
        )
    matrix = np.array([[f + b1, b2, width / 2 + cx], [0, f, height / 2 + cy], [0, 0, 1]])
    return integer_pixel_lens(matrix), width, height


def _apply_chunk_transform(
    poses: NDArray[np.float64], chunk: Element, name: str, account: Account
) -> NDArray[np.float64]:
    """Poses with the chunk's own rotation, scale and translation applied, as far as it has them."""
    transform = chunk.find("transform")
    if transform is None:
        return poses
    turn, shift, scale = np.eye(3), np.zeros(3), 1.0
    if transform.find("rotation") is not None:
        turn = line_numbers(_text(transform, "rotation"), (9,), f"the chunk's rotation of {name}").reshape(3, 3)
    if transform.find("translation") is not None:
        shift = line_numbers(_text(transform, "translation"), (3,), f"the chunk's translation of {name}")
    if transform.find("scale") is not None:
        scale = number(_number(_text(transform, "scale"), name), f"the chunk's scale of {name}", minimum=1e-9)
    account.say(f"The chunk's transform of {name} is applied: its scale is {scale:.4g}.")
    placed = poses.copy()
    placed[:, :3, :3] = turn @ poses[:, :3, :3]
    placed[:, :3, 3] = scale * poses[:, :3, 3] @ turn.T + shift
    return placed


def _text(element: Element, tag: str) -> str:
    return element.findtext(tag) or ""


def _number(text: str | None, where: str) -> float:
    return float(line_numbers(text or "", (1,), where)[0])
