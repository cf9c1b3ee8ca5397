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
BATCH = 2048
"""How many target pixels are worked on at a time."""


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
    slack: float,
    far: float,
    advantage: float,
) -> None:
    """Draws ``colour`` (h,w,3) at ``depth`` (h,w) into the three output pictures (H,W,...), in place.

    A source pixel (x,y) of depth d lands at the homogeneous pixel ``d * turn @ (x,y,1) + shift``; depth 0 is not
    drawn. ``cut_ratio``: largest depth over smallest depth in a quad that is still one surface; ``slack``: largest
    difference of inverse depths that is one surface whatever the ratio, for a floor that runs to the horizon.
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
        np.float32(slack),
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
def _quad_boxes(a, us, vs, ws, depth, y, limits, target_height, target_width, boxes, joined):
    """Target pixels (first column, last column, first row, last row) under each quad of row y; empty where cut.

    ``joined`` becomes 1 for quads that are one surface.
    """
    b = 1 - a
    cut_ratio, slack, far = limits
    for x in range(depth.shape[1] - 1):
        d0, d1, d2, d3 = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
        nearest, farthest = min(min(d0, d1), min(d2, d3)), max(max(d0, d1), max(d2, d3))
        in_front = min(min(ws[a, x], ws[a, x + 1]), min(ws[b, x], ws[b, x + 1])) > 0
        similar = (farthest <= cut_ratio * nearest) | (farthest - nearest <= slack * farthest * nearest)
        whole = similar & ((farthest < far) | (nearest >= far)) & in_front
        joined[x] = np.uint8(1) if whole else np.uint8(0)
        left = min(min(us[a, x], us[a, x + 1]), min(us[b, x], us[b, x + 1])) - MARGIN
        right = max(max(us[a, x], us[a, x + 1]), max(us[b, x], us[b, x + 1])) + MARGIN
        top = min(min(vs[a, x], vs[a, x + 1]), min(vs[b, x], vs[b, x + 1])) - MARGIN
        bottom = max(max(vs[a, x], vs[a, x + 1]), max(vs[b, x], vs[b, x + 1])) + MARGIN
        # clamped before the conversion: a whole number too large for 32 bits has no meaning
        boxes[0, x] = np.int32(min(max(np.ceil(left), np.float32(0)), np.float32(target_width))) if whole else 1
        boxes[1, x] = np.int32(min(max(np.floor(right), np.float32(-1)), np.float32(target_width - 1))) if whole else 0
        boxes[2, x] = np.int32(min(max(np.ceil(top), np.float32(0)), np.float32(target_height)))
        boxes[3, x] = np.int32(min(max(np.floor(bottom), np.float32(-1)), np.float32(target_height - 1)))


@kernel
def _draw(colour_out, inverse_depth, layer, colour, depth, turn, shift, cut_ratio, slack, far, advantage):
    height, width = depth.shape
    us = np.empty((2, width), np.float32)
    vs = np.empty((2, width), np.float32)
    ws = np.empty((2, width), np.float32)
    boxes = np.empty((4, width), np.int32)
    joined = np.ones((2, width), np.uint8)
    places = np.empty((3, BATCH), np.int32)
    shares = np.empty((5, BATCH), np.float32)
    _project_row(0, depth, turn, shift, us[0], vs[0], ws[0])
    for y in range(height - 1):
        a, b = y % 2, (y + 1) % 2  # rows above and below the quads
        _project_row(y + 1, depth, turn, shift, us[b], vs[b], ws[b])
        _quad_boxes(a, us, vs, ws, depth, y, (cut_ratio, slack, far), layer.shape[0], layer.shape[1], boxes, joined[a])
        if y > 0:
            _write_thin(colour_out, inverse_depth, layer, colour, depth, y, us[a], vs[a], ws[a], joined, cut_ratio)
        count = 0
        for x in range(width - 1):
            for row in range(boxes[2, x], boxes[3, x] + 1):
                for column in range(boxes[0, x], boxes[1, x] + 1):
                    places[0, count], places[1, count], places[2, count] = x, row, column
                    count += 1
                    if count == BATCH:
                        _shares(us[a], vs[a], ws[a], us[b], vs[b], ws[b], places, count, shares)
                        _write(
                            colour_out, inverse_depth, layer, colour, depth, y, places, count, shares, far, advantage
                        )
                        count = 0
        _shares(us[a], vs[a], ws[a], us[b], vs[b], ws[b], places, count, shares)
        _write(colour_out, inverse_depth, layer, colour, depth, y, places, count, shares, far, advantage)


@kernel
def _shares(u_a, v_a, w_a, u_b, v_b, w_b, places, count, shares):
    """For each (quad, target row, target column): the share of its four corners, and the inverse depth there.

    Corners: left and right above, left and right below. Inverse depth is 0 where the pixel is in neither triangle
    or sees them from behind. Straight-line code, for the compiler to vectorise.
    """
    none = np.float32(0)
    for i in range(count):
        x, pixel_y, pixel_x = places[0, i], np.float32(places[1, i]), np.float32(places[2, i])
        x0, y0, w0 = u_a[x] - pixel_x, v_a[x] - pixel_y, w_a[x]
        x1, y1, w1 = u_a[x + 1] - pixel_x, v_a[x + 1] - pixel_y, w_a[x + 1]
        x2, y2, w2 = u_b[x] - pixel_x, v_b[x] - pixel_y, w_b[x]
        x3, y3, w3 = u_b[x + 1] - pixel_x, v_b[x + 1] - pixel_y, w_b[x + 1]
        diagonal = x1 * y2 - x2 * y1
        # twice the areas of the triangles between the pixel and the edges of (0, 1, 2) and of (3, 2, 1)
        first0, first1, first2 = diagonal, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0
        second3, second2, second1 = -diagonal, x1 * y3 - x3 * y1, x3 * y2 - x2 * y3
        area_first, area_second = first0 + first1 + first2, second3 + second2 + second1
        in_first = (area_first > 0) & (min(first0, min(first1, first2)) >= -MARGIN * area_first)
        in_second = (area_second > 0) & (min(second3, min(second2, second1)) >= -MARGIN * area_second)
        part0 = first0 * w0 if in_first else none
        part1 = (first1 if in_first else second1) * w1
        part2 = (first2 if in_first else second2) * w2
        part3 = none if in_first else second3 * w3
        total = part0 + part1 + part2 + part3
        unit = np.float32(1) / total
        shares[0, i], shares[1, i], shares[2, i], shares[3, i] = part0 * unit, part1 * unit, part2 * unit, part3 * unit
        shares[4, i] = total / (area_first if in_first else area_second) if in_first | in_second else none


@kernel
def _write(colour_out, inverse_depth, layer, colour, depth, y, places, count, shares, far, advantage):
    low, high, half = np.float32(0), np.float32(255), np.float32(0.5)
    for i in range(count):
        row, column = places[1, i], places[2, i]
        w = shares[4, i]
        if w <= inverse_depth[row, column] * advantage:
            continue
        inverse_depth[row, column] = w
        x = places[0, i]
        layer[row, column] = np.uint8(2) if depth[y, x] >= far else np.uint8(1)
        for channel in range(3):
            above = shares[0, i] * np.float32(colour[y, x, channel]) + shares[1, i] * np.float32(
                colour[y, x + 1, channel]
            )
            below = shares[2, i] * np.float32(colour[y + 1, x, channel])
            below += shares[3, i] * np.float32(colour[y + 1, x + 1, channel])
            colour_out[row, column, channel] = np.uint8(min(max(above + below + half, low), high))


@kernel
def _write_thin(colour_out, inverse_depth, layer, colour, depth, y, us, vs, ws, joined, cut_ratio):
    """Draws, as single pixels, what is one pixel thin and nearer than both its sides: wires and poles.

    No quad is left of these. Lone pixels between two depths are not drawn: they mix two surfaces.
    """
    height, width = layer.shape
    for x in range(1, depth.shape[1] - 1):
        if joined[0, x - 1] | joined[0, x] | joined[1, x - 1] | joined[1, x]:
            continue
        nearer = cut_ratio * depth[y, x]
        upright = depth[y, x - 1] > nearer and depth[y, x + 1] > nearer
        level = depth[y - 1, x] > nearer and depth[y + 1, x] > nearer
        u, v = us[x] + np.float32(0.5), vs[x] + np.float32(0.5)
        inside = ws[x] > 0 and u >= 0 and u < width and v >= 0 and v < height
        if not (inside and (upright or level)):
            continue
        row, column = np.int64(v), np.int64(u)
        if ws[x] > inverse_depth[row, column]:
            inverse_depth[row, column] = ws[x]
            layer[row, column] = 1
            for channel in range(3):
                colour_out[row, column, channel] = colour[y, x, channel]
