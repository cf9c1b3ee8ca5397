"""A depth picture as a mesh: neighbouring pixels are joined unless their depths jump. The cleanest renderer.

Each 2x2 block of pixels is a quad of two triangles, drawn with interpolated colour and depth. Quads whose depths
differ by more than a ratio are cut open, quads seen from behind are dropped: both would be surfaces that the picture
never showed. Imports the compiler: import this module on first use only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.compiled import kernel

NEAR = np.float32(1e-4)
MARGIN = np.float32(1e-3)
"""How far, in pixels and in barycentric weight, a triangle reaches over its edge, so that rounding leaves no cracks."""


def draw(
    colour_out: NDArray[np.uint8],
    inverse_depth: NDArray[np.float32],
    layer: NDArray[np.uint8],
    *,
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    turn: NDArray[np.float32],
    shift: NDArray[np.float32],
    cut_ratio: float,
    far: float,
    advantage: float,
) -> None:
    """Draws ``colour`` (h,w,3) at ``depth`` (h,w) into the three output pictures (H,W,...), in place.

    A source pixel (x,y) of depth d lands at the homogeneous pixel ``d * turn @ (x,y,1) + shift``; depth 0 is not
    drawn. ``cut_ratio``: largest depth over smallest depth in a quad that is still one surface.
    ``layer`` becomes 1 where a surface and 2 where the far layer (source depth from ``far`` on) was drawn.
    ``advantage``: a triangle replaces what is there when its inverse depth is larger by this factor (1 or more).
    """
    _draw(
        colour_out,
        inverse_depth,
        layer,
        colour,
        depth,
        turn,
        shift,
        np.float32(cut_ratio),
        np.float32(far),
        np.float32(advantage),
    )


@kernel
def _project_row(y, depth, turn, shift, us, vs, ws):
    """Pixel (u,v) and inverse depth w of one source row; w is 0 where there is no point or it lies behind."""
    base_x = turn[0, 1] * np.float32(y) + turn[0, 2]
    base_y = turn[1, 1] * np.float32(y) + turn[1, 2]
    base_z = turn[2, 1] * np.float32(y) + turn[2, 2]
    for x in range(depth.shape[1]):
        d = depth[y, x]
        column = np.float32(x)
        z = d * (turn[2, 0] * column + base_z) + shift[2]
        inverse = np.float32(1) / z
        us[x] = (d * (turn[0, 0] * column + base_x) + shift[0]) * inverse
        vs[x] = (d * (turn[1, 0] * column + base_y) + shift[1]) * inverse
        ws[x] = inverse if (d > 0) & (z > NEAR) else np.float32(0)


@kernel
def _quad_boxes(a, us, vs, ws, depth, y, cut_ratio, target_height, target_width, boxes):
    """Target pixels (first column, last column, first row, last row) under each quad of row y; empty where cut."""
    b = 1 - a
    for x in range(depth.shape[1] - 1):
        d0, d1, d2, d3 = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
        nearest, farthest = min(min(d0, d1), min(d2, d3)), max(max(d0, d1), max(d2, d3))
        in_front = min(min(ws[a, x], ws[a, x + 1]), min(ws[b, x], ws[b, x + 1])) > 0
        joined = (farthest <= cut_ratio * nearest) & in_front
        left = min(min(us[a, x], us[a, x + 1]), min(us[b, x], us[b, x + 1])) - MARGIN
        right = max(max(us[a, x], us[a, x + 1]), max(us[b, x], us[b, x + 1])) + MARGIN
        top = min(min(vs[a, x], vs[a, x + 1]), min(vs[b, x], vs[b, x + 1])) - MARGIN
        bottom = max(max(vs[a, x], vs[a, x + 1]), max(vs[b, x], vs[b, x + 1])) + MARGIN
        # clamped before the conversion: a whole number too large for 32 bits has no meaning
        boxes[0, x] = np.int32(min(max(np.ceil(left), np.float32(0)), np.float32(target_width))) if joined else 1
        boxes[1, x] = np.int32(min(max(np.floor(right), np.float32(-1)), np.float32(target_width - 1))) if joined else 0
        boxes[2, x] = np.int32(min(max(np.ceil(top), np.float32(0)), np.float32(target_height)))
        boxes[3, x] = np.int32(min(max(np.floor(bottom), np.float32(-1)), np.float32(target_height - 1)))


@kernel
def _draw(colour_out, inverse_depth, layer, colour, depth, turn, shift, cut_ratio, far, advantage):
    height, width = depth.shape
    us = np.empty((2, width), np.float32)
    vs = np.empty((2, width), np.float32)
    ws = np.empty((2, width), np.float32)
    boxes = np.empty((4, width), np.int32)
    _project_row(0, depth, turn, shift, us[0], vs[0], ws[0])
    for y in range(height - 1):
        a, b = y % 2, (y + 1) % 2  # rows above and below the quad
        _project_row(y + 1, depth, turn, shift, us[b], vs[b], ws[b])
        _quad_boxes(a, us, vs, ws, depth, y, cut_ratio, layer.shape[0], layer.shape[1], boxes)
        for x in range(width - 1):
            if boxes[0, x] > boxes[1, x] or boxes[2, x] > boxes[3, x]:
                continue
            box = (boxes[0, x], boxes[1, x], boxes[2, x], boxes[3, x])
            kind = np.uint8(2) if depth[y, x] >= far else np.uint8(1)
            left_top = (us[a, x], vs[a, x], ws[a, x], y, x)
            right_top = (us[a, x + 1], vs[a, x + 1], ws[a, x + 1], y, x + 1)
            left_bottom = (us[b, x], vs[b, x], ws[b, x], y + 1, x)
            right_bottom = (us[b, x + 1], vs[b, x + 1], ws[b, x + 1], y + 1, x + 1)
            _triangle(colour_out, inverse_depth, layer, box, left_top, right_top, left_bottom, colour, kind, advantage)
            _triangle(
                colour_out, inverse_depth, layer, box, right_bottom, left_bottom, right_top, colour, kind, advantage
            )


@kernel
def _triangle(colour_out, inverse_depth, layer, box, p, q, r, colour, kind, advantage):
    """One triangle, clockwise when seen from the front; a corner is (u, v, inverse depth, source row, column)."""
    qx, qy, rx, ry = q[0] - p[0], q[1] - p[1], r[0] - p[0], r[1] - p[1]
    area = qx * ry - rx * qy
    if not area > 0:
        return
    least = -MARGIN * area
    for row in range(box[2], box[3] + 1):
        dy = np.float32(row) - p[1]
        for column in range(box[0], box[1] + 1):
            dx = np.float32(column) - p[0]
            weight_q = dx * ry - rx * dy
            weight_r = qx * dy - dx * qy
            weight_p = area - weight_q - weight_r
            if min(weight_p, min(weight_q, weight_r)) < least:
                continue
            wp, wq, wr = weight_p * p[2], weight_q * q[2], weight_r * r[2]
            total = wp + wq + wr
            w = total / area
            if w <= inverse_depth[row, column] * advantage:
                continue
            inverse_depth[row, column] = w
            layer[row, column] = kind
            unit = np.float32(1) / total
            wp, wq, wr = wp * unit, wq * unit, wr * unit
            for channel in range(3):
                cp, cq, cr = colour[p[3], p[4], channel], colour[q[3], q[4], channel], colour[r[3], r[4], channel]
                value = wp * np.float32(cp) + wq * np.float32(cq) + wr * np.float32(cr) + np.float32(0.5)
                colour_out[row, column, channel] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
