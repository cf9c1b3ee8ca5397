"""The fox as a rigged model: a mesh from its signed distance, a texture from its colours, weights and motions for its bones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from examples.render.gltf import Joint, Motion, Skinned, write_glb
from examples.render.light import srgb
from examples.render.scenes.fox import fox, fox_colour
from examples.render.shapes import compiled

STEP = 0.0165
LOW, HIGH = np.array([-0.46, -0.03, -0.32]), np.array([0.46, 1.04, 0.54])
TEXTURE = 640
"""Height in pixels; the left half is the front view of the fox, the right half the back view."""

SKELETON = (
    Joint("hips", -1, (0.0, 0.30, 0.0)),
    Joint("spine", 0, (0.0, 0.40, 0.0)),
    Joint("head", 1, (0.0, 0.60, 0.0)),
    Joint("arm_left", 1, (0.125, 0.52, 0.0)),
    Joint("forearm_left", 3, (0.235, 0.425, 0.01)),
    Joint("arm_right", 1, (-0.125, 0.52, 0.0)),
    Joint("forearm_right", 5, (-0.235, 0.425, 0.01)),
    Joint("thigh_left", 0, (0.085, 0.26, 0.0)),
    Joint("shin_left", 7, (0.095, 0.15, 0.0)),
    Joint("thigh_right", 0, (-0.085, 0.26, 0.0)),
    Joint("shin_right", 9, (-0.095, 0.15, 0.0)),
    Joint("tail", 0, (0.0, 0.27, -0.11)),
    Joint("tail_tip", 11, (0.0, 0.25, -0.27)),
)
"""glTF axes: the fox faces +z; left is its left, at +x."""

_BONES: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...] = (
    ((0.0, 0.24, 0.0), (0.0, 0.34, 0.0), 0.13),
    ((0.0, 0.38, 0.0), (0.0, 0.53, 0.0), 0.12),
    ((0.0, 0.66, 0.0), (0.0, 0.90, 0.0), 0.17),
    ((0.15, 0.50, 0.0), (0.22, 0.44, 0.01), 0.048),
    ((0.25, 0.41, 0.01), (0.34, 0.325, 0.03), 0.050),
    ((-0.15, 0.50, 0.0), (-0.22, 0.44, 0.01), 0.048),
    ((-0.25, 0.41, 0.01), (-0.34, 0.325, 0.03), 0.050),
    ((0.088, 0.24, 0.0), (0.095, 0.17, 0.0), 0.062),
    ((0.096, 0.13, 0.0), (0.10, 0.04, 0.03), 0.055),
    ((-0.088, 0.24, 0.0), (-0.095, 0.17, 0.0), 0.062),
    ((-0.096, 0.13, 0.0), (-0.10, 0.04, 0.03), 0.055),
    ((0.0, 0.27, -0.15), (0.0, 0.25, -0.24), 0.065),
    ((0.0, 0.28, -0.30), (0.0, 0.40, -0.43), 0.060),
)
"""Per joint: start, end and radius of its flesh, metres."""


def write_fox(file: Path) -> None:
    """Write the model with its motions "walk" and "wave" as a binary glTF file."""
    write_glb(file, fox_mesh(), [_walk(), _wave()], "fox")


def fox_mesh() -> Skinned:
    vertices, quads = surface_net(_distance_grid())
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    authored = LOW + STEP * vertices
    normals = _gradients(authored)
    places, triangles, source = _unwrap(authored, normals, triangles)
    gl = authored[source] * [1, 1, -1]
    joints, weights = _skin_weights(gl)
    return Skinned(
        gl.astype(np.float32),
        (normals[source] * [1, 1, -1]).astype(np.float32),
        places.astype(np.float32),
        joints,
        weights,
        triangles[:, ::-1].astype(np.uint32),  # mirroring an axis reverses the winding
        SKELETON,
        _texture(),
    )


@compiled
def _fill(low, step, values):
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                values[i, j, k] = fox(low[0] + step * i, low[1] + step * j, low[2] + step * k)[0]


def _distance_grid() -> NDArray[np.float64]:
    values = np.zeros(np.ceil((HIGH - LOW) / STEP).astype(int) + 1)
    _fill(LOW, STEP, values)
    return values


def surface_net(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The zero crossing of ``values`` (X,Y,Z): vertices (V,3) in grid units and quads (Q,4), anticlockwise from the positive side.

    Naive surface nets (Gibson 1998): one vertex per cell, at the mean of the crossings of its edges.
    """
    inside = values < 0
    total, count = np.zeros((*(n - 1 for n in values.shape), 3)), np.zeros([n - 1 for n in values.shape])
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for a in (0, 1):
            for b in (0, 1):
                start = [slice(0, n - 1) for n in values.shape]
                start[others[0]] = slice(a, values.shape[others[0]] - 1 + a)
                start[others[1]] = slice(b, values.shape[others[1]] - 1 + b)
                end = list(start)
                end[axis] = slice(1, values.shape[axis])
                low, high = values[tuple(start)], values[tuple(end)]
                crossed = (low < 0) != (high < 0)
                share = np.where(crossed, low / np.where(crossed, low - high, 1), 0)
                total[..., axis] += share
                total[..., others[0]] += a * crossed
                total[..., others[1]] += b * crossed
                count += crossed
    cells = np.argwhere(count > 0)
    number = np.full(count.shape, -1)
    number[tuple(cells.T)] = np.arange(len(cells))
    vertices = cells + total[tuple(cells.T)] / count[tuple(cells.T)][:, None]
    return vertices, np.concatenate([_quads(inside, number, axis) for axis in range(3)])


def _quads(inside: NDArray[np.bool_], number: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """(Q,4): the four cells around every grid edge along ``axis`` that crosses the surface."""
    first, second = np.moveaxis(inside, axis, 0)[:-1], np.moveaxis(inside, axis, 0)[1:]
    edges = np.argwhere(np.moveaxis(first != second, 0, axis))
    u, v = np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]
    around = [number[tuple((edges - offset).T)] for offset in (u + v, v, 0 * u, u)]
    quads = np.stack(around, axis=1)
    outward = inside[tuple(edges.T)]
    return np.where(outward[:, None], quads, quads[:, ::-1])


@compiled
def _slopes(points, slopes):
    e = 0.004
    for n in range(len(points)):
        x, y, z = points[n]
        slopes[n, 0] = fox(x + e, y, z)[0] - fox(x - e, y, z)[0]
        slopes[n, 1] = fox(x, y + e, z)[0] - fox(x, y - e, z)[0]
        slopes[n, 2] = fox(x, y, z + e)[0] - fox(x, y, z - e)[0]


def _gradients(points: NDArray[np.float64]) -> NDArray[np.float64]:
    slopes = np.zeros_like(points)
    _slopes(points, slopes)
    return slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)


def _unwrap(points: NDArray, normals: NDArray, triangles: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Texture coordinates (V,2), triangles, and the source vertex of each new vertex; front and back halves share no vertices."""
    behind = normals[triangles, 2].mean(axis=1) > 0
    keys = triangles + len(points) * behind[:, None]
    used, renumbered = np.unique(keys, return_inverse=True)
    source = used % len(points)
    side = used // len(points)
    across = (points[source, 0] - LOW[0]) / (HIGH[0] - LOW[0])
    up = (points[source, 1] - LOW[1]) / (HIGH[1] - LOW[1])
    return np.stack([0.5 * across + 0.5 * side, 1 - up], axis=1), renumbered.reshape(-1, 3), source


@compiled
def _paint(low, high, linear, hit):
    """Fill one half of the texture per side with the colours where rays from the front (then the back) hit the fox."""
    height, width = hit.shape[1], hit.shape[2]
    for side in range(2):
        for row in range(height):
            for column in range(width):
                x = low[0] + (high[0] - low[0]) * (column + 0.5) / width
                y = high[1] - (high[1] - low[1]) * (row + 0.5) / height
                z, way = (low[2], 1.0) if side == 0 else (high[2], -1.0)
                for _ in range(120):
                    d, part = fox(x, y, z)
                    if d < 3e-4:
                        linear[side, row, column] = fox_colour(x, y, z, part)
                        hit[side, row, column] = True
                        break
                    z += way * d
                    if z > high[2] or z < low[2]:
                        break


def _texture() -> bytes:
    """JPEG of both halves; unhit pixels get the nearest colour, so that seams show no background."""
    width = round(TEXTURE * (HIGH[0] - LOW[0]) / (HIGH[1] - LOW[1]))
    linear, hit = np.zeros((2, TEXTURE, width, 3)), np.zeros((2, TEXTURE, width), bool)
    _paint(LOW, HIGH, linear, hit)
    halves = []
    for colours, known in zip(linear, hit):
        rows, columns = np.asarray(distance_transform_edt(~known, return_distances=False, return_indices=True))
        halves.append(colours[rows, columns])
    linear_picture = np.clip(np.concatenate(halves, axis=1) * 1.15, 0, 1)
    picture = np.round(255 * srgb(linear_picture)).astype(np.uint8)
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()


def _skin_weights(points: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The four most influential joints (V,4) of each vertex, and their weights, which sum to 1."""
    gaps = np.stack([_gap(points, *bone) for bone in _BONES], axis=1)
    influence = np.exp(-np.maximum(gaps - gaps.min(axis=1, keepdims=True), 0) / 0.014)
    joints = np.argsort(-influence, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(influence, joints, axis=1)
    weights = np.where(weights < 0.01, 0, weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.where(weights > 0, joints, 0).astype(np.uint8), weights.astype(np.float32)


def _gap(points: NDArray, start: tuple, end: tuple, radius: float) -> NDArray[np.float64]:
    a, b = np.array(start), np.array(end)
    along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(points - a - along[:, None] * (b - a), axis=1) - radius


def _turns(seconds: NDArray, axis: str, degrees: NDArray) -> NDArray[np.float32]:
    """(K,4) xyzw: rotations about one axis, or about two for an axis name like "xz" with degrees (K,2)."""
    angles = np.broadcast_to(np.reshape(degrees, (len(seconds), -1)), (len(seconds), len(axis)))
    return Rotation.from_euler(axis, angles, degrees=True).as_quat().astype(np.float32)


def _walk() -> Motion:
    """One second with two steps in place; the last key equals the first."""
    t = np.linspace(0, 1, 25)
    swing = np.sin(2 * np.pi * t)
    lift = np.cos(2 * np.pi * t)
    still = np.zeros_like(t)
    rotations = {
        1: _turns(t, "yz", np.stack([7 * swing, 2 * swing], axis=1)),
        2: _turns(t, "yz", np.stack([-5 * swing, -3 * swing], axis=1)),
        3: _turns(t, "zx", np.stack([still - 24, 26 * swing], axis=1)),
        4: _turns(t, "y", -18 - 12 * swing),
        5: _turns(t, "zx", np.stack([still + 24, -26 * swing], axis=1)),
        6: _turns(t, "y", 18 - 12 * swing),
        7: _turns(t, "x", -32 * swing),
        8: _turns(t, "x", 22 - 22 * lift),
        9: _turns(t, "x", 32 * swing),
        10: _turns(t, "x", 22 + 22 * lift),
        11: _turns(t, "y", 16 * swing),
        12: _turns(t, "y", 18 * np.sin(2 * np.pi * t - 0.8)),
    }
    bob = np.stack([0.012 * swing, 0.014 * np.cos(4 * np.pi * t), still], axis=1)
    return Motion("walk", t.astype(np.float32), rotations, bob.astype(np.float32))


def _wave() -> Motion:
    """Two seconds: the left arm rises, waves and sinks."""
    t = np.linspace(0, 2, 49)
    up = np.clip(np.minimum(t, 2 - t) / 0.45, 0, 1)
    up = up * up * (3 - 2 * up)
    wave = up * np.sin(2 * np.pi * 2.5 * t)
    rotations = {
        1: _turns(t, "z", -4 * up),
        2: _turns(t, "zy", np.stack([9 * up, 6 * up], axis=1)),
        3: _turns(t, "z", 78 * up),
        4: _turns(t, "z", 22 * up + 24 * wave),
        5: _turns(t, "z", 20 * up),
        11: _turns(t, "y", 14 * np.sin(2 * np.pi * t)),
        12: _turns(t, "y", 16 * np.sin(2 * np.pi * t - 0.8)),
    }
    lift = np.zeros((len(t), 3), np.float32)
    return Motion("wave", t.astype(np.float32), rotations, lift)
