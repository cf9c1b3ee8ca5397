"""Cameras of glTF 2.0 files (GLB, or glTF with embedded data): the first perspective camera, animated or static.

World from camera, x right, y up, z backward, y-up world; ``yfov`` in radians, ``aspectRatio``; the picture size is not in the file.
`write` makes a GLB of one camera with a key per frame. Source: Khronos glTF 2.0 specification, sections 3.10 and 3.11.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.conventions import opencv_from_y_up, y_up_from_opencv
from camera.errors import InputError, reading
from camera.formats import lens
from camera.formats.account import Account, refusal
from camera.formats.parsing import MOST_FRAMES, like_or_refuse, number
from camera.path import CameraPath
from camera.rotation import orthonormal, to_quaternion

EVEN = 1e-3
"""Relative difference within which steps between keys count as one rate."""


def read(data: bytes, name: str, like: CameraPath | None, account: Account) -> CameraPath:
    """Read the camera; the size comes from ``like``, the rate from the keys, else from ``like``, else 24."""
    from camera.objects.glb import one_glb, open_glb
    from camera.objects.gltf import Gltf

    with reading(f"{name} is not a whole glTF file; export it again."):
        whole = one_glb(data, name, {}) if name.lower().endswith(".gltf") else data
        return _camera_path(Gltf(open_glb(whole, name)), like, account)


def write(path: CameraPath) -> bytes:
    """Write a GLB; raises `InputError` for lenses that zoom, are off-centre, or have non-square pixels."""
    from camera.objects.glb import pack_glb

    lens.require_one_lens(lens.require_centred_square(path, "glTF"), "glTF")
    poses = y_up_from_opencv(path.world_from_camera)
    quaternions = _continuous(to_quaternion(poses[:, :3, :3], order="xyzw"))
    times = np.arange(len(path)) / path.fps
    arrays = [times[:, None].astype("<f4"), poses[:, :3, 3].astype("<f4"), quaternions.astype("<f4")]
    starts = np.cumsum([0, *(array.nbytes for array in arrays)]).tolist()
    accessors = [
        {"bufferView": index, "componentType": 5126, "count": len(path), "type": kind}
        for index, kind in enumerate(("SCALAR", "VEC3", "VEC4"))
    ]
    accessors[0] |= {"min": [float(arrays[0].min())], "max": [float(arrays[0].max())]}
    perspective = {
        "yfov": float(np.radians(path.fov_degrees[0, 1])),
        "aspectRatio": path.width / path.height,
        "znear": 0.01,
    }
    parts = ("translation", "rotation")
    about = {
        "asset": {"version": "2.0", "generator": "Reshoot"},
        "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Reshoot", "camera": 0, "translation": arrays[1][0].tolist(), "rotation": arrays[2][0].tolist()}],
        "cameras": [{"type": "perspective", "perspective": perspective}],
        "animations": [{
            "name": "camera path",
            "samplers": [{"input": 0, "output": 1 + index, "interpolation": "LINEAR"} for index in range(2)],
            "channels": [{"sampler": index, "target": {"node": 0, "path": part}} for index, part in enumerate(parts)],
        }],
        "accessors": accessors,
        "bufferViews": [{"buffer": 0, "byteOffset": at, "byteLength": array.nbytes} for at, array in zip(starts, arrays)],
        "buffers": [{"byteLength": starts[-1]}],
    }  # fmt: skip
    return pack_glb(about, b"".join(array.tobytes() for array in arrays))


def with_camera(scene: bytes, path: CameraPath, name: str = "scene.glb") -> bytes:
    """A GLB with the animated camera of ``path`` added to its content: the arrays, nodes and animation of `write`.

    ``scene`` has glTF's axes, as Reshoot's GLB files do. Raises `InputError` like `write`.
    """
    from camera.objects.glb import chunks, pack_glb

    about, binary = chunks(scene, name)
    added, more = chunks(write(path), "the camera")
    binary += b"\0" * (-len(binary) % 4)
    at = {key: len(about.get(key, [])) for key in ("nodes", "cameras", "accessors", "bufferViews")}
    for view in added["bufferViews"]:
        view["byteOffset"] += len(binary)
    for accessor in added["accessors"]:
        accessor["bufferView"] += at["bufferViews"]
    for node in added["nodes"]:
        node["camera"] += at["cameras"]
    for animation in added["animations"]:
        for sampler in animation["samplers"]:
            sampler |= {end: sampler[end] + at["accessors"] for end in ("input", "output")}
        for channel in animation["channels"]:
            channel["target"]["node"] += at["nodes"]
    for key in (*at, "animations"):
        about[key] = [*about.get(key, []), *added[key]]
    root = about["scenes"][about.get("scene", 0)]
    root["nodes"] = [*root.get("nodes", []), at["nodes"]]
    about["buffers"] = [{"byteLength": len(binary) + len(more)}]
    return pack_glb(about, binary + more)


def _camera_path(file: Any, like: CameraPath | None, account: Account) -> CameraPath:
    about, name = file.about, account.name
    nodes = about.get("nodes", [])
    cameras = [number for number in file._worlds({}) if "camera" in nodes[number]]
    if not cameras:
        raise InputError(
            f"{name} shows no camera in its scene; export the camera too, or give an object on the I2V3D tab."
        )
    node = min(cameras)
    if len(cameras) > 1:
        account.say(f"{name} holds {len(cameras)} cameras; {_node_name(nodes, node)} is taken.")
    fov = _fov(about["cameras"][nodes[node]["camera"]], name, like, account)
    animation = _animation(file, node, account)
    times, fps = _moments(file, animation, node, like, account)
    worlds = np.stack([file._worlds(file._sample_animation(animation, float(moment)))[node] for moment in times])
    scale = np.linalg.norm(worlds[:, :3, :3], axis=1)
    if np.abs(scale - 1).max() > 1e-3:
        account.say(f"The camera of {name} is below scaled nodes; their scale moves it but does not change its lens.")
    poses = np.repeat(np.eye(4)[None], len(worlds), axis=0)
    poses[:, :3, :3] = orthonormal(worlds[:, :3, :3] / scale[:, None])
    poses[:, :3, 3] = worlds[:, :3, 3]
    wanted = like_or_refuse(like, name, "picture size")
    lenses = lens.lenses_from_fov(np.full(len(poses), fov), width=wanted.width, height=wanted.height, across=False)
    return CameraPath(opencv_from_y_up(poses), lenses, wanted.width, wanted.height, fps)


def _fov(camera: Mapping[str, Any], name: str, like: CameraPath | None, account: Account) -> float:
    """Vertical field of view in degrees."""
    if camera.get("type") != "perspective":
        raise refusal(
            f"The type {camera.get('type')!r} of the camera", name, "parallel rays", "give a perspective camera"
        )
    fields = account.fields(camera["perspective"], "perspective", idle=("znear", "zfar"))
    aspect = number(fields["aspectRatio"], f"aspectRatio of {name}", minimum=1e-3) if "aspectRatio" in fields else None
    if like is not None and aspect is not None and abs(like.width / like.height / aspect - 1) > 0.01:
        account.say(
            f"The camera of {name} is for pictures of width to height {aspect:.4g}, the scene's is {like.width / like.height:.4g}; its "
            "vertical field of view is kept."
        )
    return math.degrees(number(fields["yfov"], f"yfov of {name}", minimum=1e-3, maximum=3.13))


def _animation(file: Any, node: int, account: Account) -> str:
    """The first animation that moves the camera or one of its parents; "" if there is none."""
    above = _ancestors(file.about["nodes"], node)
    names = list(file.animations)
    moving = [
        name
        for name, found in zip(names, file.about.get("animations", []))
        if any(channel["target"].get("node") in above for channel in found["channels"])
    ]
    if len(moving) > 1:
        account.say(f"{len(moving)} animations of {account.name} move the camera; {moving[0]!r} is taken.")
    pointers = [
        c
        for found in file.about.get("animations", [])
        for c in found["channels"]
        if c["target"].get("path") == "pointer"
    ]
    if pointers:
        account.say(
            f"{account.name} animates a lens or more (KHR_animation_pointer), which is not followed; the lens stays as it is."
        )
    return moving[0] if moving else ""


def _moments(
    file: Any, animation: str, node: int, like: CameraPath | None, account: Account
) -> tuple[NDArray[np.float64], float]:
    """Times of the frames in seconds, and their rate."""
    usual = like.fps if like else 24.0
    if not animation:
        account.say(f"The camera of {account.name} stands still; its path is one frame.")
        return np.zeros(1), usual
    found = file.about["animations"][list(file.animations).index(animation)]
    above = _ancestors(file.about["nodes"], node)
    inputs = {found["samplers"][c["sampler"]]["input"] for c in found["channels"] if c["target"].get("node") in above}
    keys = np.unique(np.concatenate([file.file.array(number)[:, 0].astype(np.float64) for number in inputs]))
    steps = np.diff(keys)
    if len(keys) > 1 and np.ptp(steps) < EVEN * steps.mean() + 1e-5 and 1 <= 1 / steps.mean() <= 1000:
        rate = 1 / steps.mean()
        return keys, float(round(rate) if abs(rate - round(rate)) < 1e-3 * rate else rate)
    frames = round((keys[-1] - keys[0]) * usual) + 1
    if frames > MOST_FRAMES:
        raise InputError(
            f"The animation of {account.name} lasts {keys[-1] - keys[0]:.4g} s; at most {MOST_FRAMES} frames can be read."
        )
    account.say(
        f"The keys of {account.name} are uneven; the camera was sampled {usual:g} times a second, {frames} frames."
    )
    return keys[0] + np.arange(frames) / usual, usual


def _ancestors(nodes: list[dict[str, Any]], node: int) -> set[int]:
    """The node and its ancestors."""
    parents = {child: number for number, each in enumerate(nodes) for child in each.get("children", [])}
    ancestors = {node}
    while node in parents and parents[node] not in ancestors:
        node = parents[node]
        ancestors.add(node)
    return ancestors


def _node_name(nodes: list[dict[str, Any]], node: int) -> str:
    return repr(nodes[node].get("name", f"node {node}"))


def _continuous(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternions with signs chosen so that neighbours agree and every rotation takes the short way."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[:, None]
