"""Renders a depth map as a mesh: joins neighbouring pixels unless their depth jumps. The cleanest renderer.

Each 2x2 block of pixels is a quad of two triangles, drawn with interpolated colour and depth. Quads whose depths
differ by more than a ratio are cut unless they continue a plane, back-facing quads are culled: both would be surfaces
that the picture never showed.
Draws into `camera.render.framebuffer`. Imports numba, so import this module only on first use.

Most quads of a row cover the same small number of target pixels. These are drawn in straight-line code over the row; the
remaining pixels of larger quads are listed and drawn in batches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.kernel import kernel

NEAR = np.float32(1e-4)
MARGIN = np.float32(1e-3)
"""How far a triangle extends over its edges, in pixels and in barycentric weight, so that rounding leaves no cracks."""
BATCH = 2048
"""Batch size of the remaining pixels of larger quads."""


def draw(
    keys: NDArray[np.uint64],
    *,
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    turn: NDArray[np.float32],
    shift: NDArray[np.float32],
    cut_ratio: float,
    slack: float,
    far: float,
    plane_run: int,
    plane_tolerance: float,
    advantage: float,
) -> None:
    """Draw ``colour`` (h,w,3) at ``depth`` (h,w) into ``keys`` (H,W), in place.

    A source pixel (x,y) of depth d projects to the homogeneous pixel ``d * turn @ (x,y,1) + shift``; depth 0 is not
    drawn. ``cut_ratio``: largest ratio of depths within a quad of one surface. ``slack``: largest difference of inverse
    depths within one surface whatever the ratio, for a floor that runs to the horizon. A quad that continues a plane is one
    surface too, such as the far end of a lake: inverse depth steps as on average in each of the two runs of ``plane_run``
    pixels before it, up to the relative difference ``plane_tolerance``. Source depths of ``far`` and more belong to the far layer.
    ``advantage``: a triangle replaces a pixel if its inverse depth is larger by this factor (1 or more).
    """
    limits = (np.float32(cut_ratio), np.float32(slack), np.float32(far), plane_run, np.float32(plane_tolerance))
    _draw(keys, colour, depth, turn, shift, limits, np.float32(1 / advantage))


@kernel
def _project_row(y, depth, turn, shift, us, vs, ws):
    """Pixel (u,v) and inverse depth w of one source row; w is 0 where there is no point or it is behind the camera."""
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


def joined_quads(
    depth: NDArray[np.float32], *, cut_ratio: float, slack: float, far: float, plane_run: int, plane_tolerance: float
) -> NDArray[np.bool_]:
    """(H-1,W-1): True for 2x2 blocks of depth (H,W) that are one surface; limits as in `draw`."""
    joined = np.empty((depth.shape[0] - 1, depth.shape[1] - 1), np.uint8)
    limits = (np.float32(cut_ratio), np.float32(slack), np.float32(far), plane_run, np.float32(plane_tolerance))
    _all_joined_quads(depth, limits, joined)
    return joined > 0


@kernel
def _all_joined_quads(depth, limits, joined):
    for y in range(len(joined)):
        _joined_quads(depth, y, limits, joined[y])


@kernel
def _joined_quads(depth, y, limits, joined):
    """Set ``joined`` to 1 for the quads of row y that are one surface, else 0."""
    cut_ratio, slack, far = limits[0], limits[1], limits[2]
    for x in range(depth.shape[1] - 1):
        d0, d1, d2, d3 = depth[y, x], depth[y, x + 1], depth[y + 1, x], depth[y + 1, x + 1]
        nearest, farthest = min(min(d0, d1), min(d2, d3)), max(max(d0, d1), max(d2, d3))
        similar = (farthest <= cut_ratio * nearest) | (farthest - nearest <= slack * farthest * nearest)
        one_layer = ((farthest < far) | (nearest >= far)) & (nearest > 0)
        joined[x] = np.uint8(1 if similar else 2) if one_layer else np.uint8(0)
    for x in range(depth.shape[1] - 1):
        if joined[x] == 2:
            joined[x] = np.uint8(1) if _continues_plane(depth, y, x, limits) else np.uint8(0)


@kernel
def _continues_plane(depth, y, x, limits):
    """Whether two opposite sides of a quad continue a plane and the other two are within the ratio."""
    for upright in (True, False):
        dy, dx = (1, 0) if upright else (0, 1)
        y1, x1 = y + dx, x + dy  # the parallel side
        if (
            _is_within(depth, y, x, y1, x1, limits[0])
            and _is_within(depth, y + dy, x + dx, y1 + dy, x1 + dx, limits[0])
            and _step_of_plane(depth, y, x, dy, dx, limits[3], limits[4])
            and _step_of_plane(depth, y1, x1, dy, dx, limits[3], limits[4])
        ):
            return True
    return False


@kernel
def _is_within(depth, y0, x0, y1, x1, cut_ratio):
    one, other = depth[y0, x0], depth[y1, x1]
    return max(one, other) <= cut_ratio * min(one, other)


@kernel
def _step_of_plane(depth, y, x, dy, dx, run, tolerance):
    """Whether inverse depth steps from (y,x) to (y+dy,x+dx) as it does in the two runs of pixels on the nearer side."""
    near, far = depth[y, x], depth[y + dy, x + dx]
    if near > far:
        near, far, y, x, dy, dx = far, near, y + dy, x + dx, -dy, -dx
    yn, xn = y - 2 * run * dy, x - 2 * run * dx
    if yn < 0 or xn < 0 or yn >= depth.shape[0] or xn >= depth.shape[1]:
        return False
    middle, start = depth[y - run * dy, x - run * dx], depth[yn, xn]
    if min(middle, start) <= 0:
        return False
    one = np.float32(1)
    step = one / near - one / far
    first = (one / start - one / middle) / np.float32(run)
    second = (one / middle - one / near) / np.float32(run)
    return max(abs(first - step), abs(second - step)) <= tolerance * step


@kernel
def _quad_boxes(a, us, vs, ws, depth, y, limits, target_height, target_width, boxes, joined):
    """Bounding boxes of the quads of row y in target pixels (first column, last column, first row, last row); empty where cut.

    Sets ``joined`` to 1 for quads of one surface.
    """
    b = 1 - a
    _joined_quads(depth, y, limits, joined)
    for x in range(depth.shape[1] - 1):
        in_front = min(min(ws[a, x], ws[a, x + 1]), min(ws[b, x], ws[b, x + 1])) > 0
        whole = (joined[x] > 0) & in_front
        joined[x] = np.uint8(1) if whole else np.uint8(0)
        left = min(min(us[a, x], us[a, x + 1]), min(us[b, x], us[b, x + 1])) - MARGIN
        right = max(max(us[a, x], us[a, x + 1]), max(us[b, x], us[b, x + 1])) + MARGIN
        top = min(min(vs[a, x], vs[a, x + 1]), min(vs[b, x], vs[b, x + 1])) - MARGIN
        bottom = max(max(vs[a, x], vs[a, x + 1]), max(vs[b, x], vs[b, x + 1])) + MARGIN
        # clamped before the conversion: a float beyond 32 bits converts to an undefined integer
        boxes[0, x] = np.int32(min(max(np.ceil(left), np.float32(0)), np.float32(target_width))) if whole else 1
        boxes[1, x] = np.int32(min(max(np.floor(right), np.float32(-1)), np.float32(target_width - 1))) if whole else 0
        boxes[2, x] = np.int32(min(max(np.ceil(top), np.float32(0)), np.float32(target_height)))
        boxes[3, x] = np.int32(min(max(np.floor(bottom), np.float32(-1)), np.float32(target_height - 1)))


@kernel
def _draw(keys, colour, depth, turn, shift, limits, reach):
    height, width = depth.shape
    us, vs, ws = np.empty((2, width), np.float32), np.empty((2, width), np.float32), np.empty((2, width), np.float32)
    reds, greens, blues = np.empty_like(us), np.empty_like(us), np.empty_like(us)
    boxes = np.empty((4, width), np.int32)
    joined = np.ones((2, width), np.uint8)
    corners = np.empty((3, max(width, BATCH)), np.int32)
    places, words = np.empty(max(width, BATCH), np.int32), np.empty(max(width, BATCH), np.uint32)
    inverses = np.empty(max(width, BATCH), np.float32)
    for y in range(height):
        a, b = (y + 1) % 2, y % 2  # rows above and below the quads
        _project_row(y, depth, turn, shift, us[b], vs[b], ws[b])
        _split(colour[y].reshape(-1), reds[b], greens[b], blues[b])
        if y == 0:
            continue
        _quad_boxes(a, us, vs, ws, depth, y - 1, limits, keys.shape[0], keys.shape[1], boxes, joined[a])
        if y > 1:
            _write_thin(keys, colour, depth, y - 1, us[a], vs[a], ws[a], joined, limits[0])
        rows = (us[a], vs[a], ws[a], us[b], vs[b], ws[b])
        shades = (reds[a], greens[a], blues[a], reds[b], greens[b], blues[b])
        wide, tall = _common_box(boxes, width - 1)
        for down in range(tall):
            for across in range(wide):
                _one_pixel_each(
                    rows, shades, boxes, down, across, depth[y - 1], limits[2], keys.shape[1], places, inverses, words
                )
                _write(keys, places, inverses, words, width - 1, reach)
        count = 0
        for x in range(width - 1):
            left, right, top, bottom = boxes[0, x], boxes[1, x], boxes[2, x], boxes[3, x]
            if ((right < left + wide) & (bottom < top + tall)) | (right < left) | (bottom < top):
                continue
            for row in range(top, bottom + 1):
                for column in range(left + wide if row < top + tall else left, right + 1):
                    corners[0, count], corners[1, count], corners[2, count] = x, row, column
                    count += 1
                    if count == BATCH:
                        _listed_pixels(
                            rows,
                            shades,
                            corners,
                            count,
                            depth[y - 1],
                            limits[2],
                            keys.shape[1],
                            places,
                            inverses,
                            words,
                        )
                        _write(keys, places, inverses, words, count, reach)
                        count = 0
        _listed_pixels(rows, shades, corners, count, depth[y - 1], limits[2], keys.shape[1], places, inverses, words)
        _write(keys, places, inverses, words, count, reach)


@kernel
def _common_box(boxes, count):
    """Columns and rows of the common box: 2 if more than a third of the first ``count`` boxes span several, else 1."""
    wide, tall = np.int32(0), np.int32(0)
    for x in range(count):
        wide += np.int32(boxes[1, x] > boxes[0, x])
        tall += np.int32(boxes[3, x] > boxes[2, x])
    return 1 + (3 * wide > count), 1 + (3 * tall > count)


@kernel
def _split(colour, reds, greens, blues):
    for x in range(len(reds)):
        reds[x], greens[x], blues[x] = colour[3 * x], colour[3 * x + 1], colour[3 * x + 2]


@kernel
def _shares(pixel_x, pixel_y, x0, y0, w0, x1, y1, w1, x2, y2, w2, x3, y3, w3):
    """The weights of a quad's four corners at a pixel, and the inverse depth there.

    Corners: upper left, upper right, lower left, lower right. Inverse depth is 0 if the pixel is in neither triangle, or
    the triangle is back-facing.
    """
    none = np.float32(0)
    x0, x1, x2, x3 = x0 - pixel_x, x1 - pixel_x, x2 - pixel_x, x3 - pixel_x
    y0, y1, y2, y3 = y0 - pixel_y, y1 - pixel_y, y2 - pixel_y, y3 - pixel_y
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
    inverse = total / (area_first if in_first else area_second) if in_first | in_second else none
    return part0 * unit, part1 * unit, part2 * unit, part3 * unit, inverse


@kernel
def _level(value):
    """A colour clamped to 0..255 and rounded."""
    return np.uint32(np.int32(min(max(value + np.float32(0.5), np.float32(0)), np.float32(255))))


@kernel
def _one_pixel_each(rows, shades, boxes, down, across, depth, far, target_width, places, inverses, words):
    """For one pixel in every quad's box: index (row-major, -1 if not covered), inverse depth, lower half of the key."""
    ua, va, wa, ub, vb, wb = rows
    ra, ga, ba, rb, gb, bb = shades
    for x in range(len(depth) - 1):
        row, column = boxes[2, x] + np.int32(down), boxes[0, x] + np.int32(across)
        s0, s1, s2, s3, inverse = _shares(
            np.float32(column), np.float32(row),
            ua[x], va[x], wa[x], ua[x + 1], va[x + 1], wa[x + 1], ub[x], vb[x], wb[x], ub[x + 1], vb[x + 1], wb[x + 1],
        )  # fmt: skip
        covered = (column <= boxes[1, x]) & (row <= boxes[3, x]) & (inverse > 0)
        places[x] = row * np.int32(target_width) + column if covered else np.int32(-1)
        inverses[x] = inverse
        red = _level(s0 * ra[x] + s1 * ra[x + 1] + (s2 * rb[x] + s3 * rb[x + 1]))
        green = _level(s0 * ga[x] + s1 * ga[x + 1] + (s2 * gb[x] + s3 * gb[x + 1]))
        blue = _level(s0 * ba[x] + s1 * ba[x + 1] + (s2 * bb[x] + s3 * bb[x + 1]))
        layer = np.uint32(2) if depth[x] >= far else np.uint32(1)
        words[x] = red | green << np.uint32(8) | blue << np.uint32(16) | layer << np.uint32(24)


@kernel
def _listed_pixels(rows, shades, corners, count, depth, far, target_width, places, inverses, words):
    """Like `_one_pixel_each`, for the first ``count`` listed (quad, target row, target column)."""
    ua, va, wa, ub, vb, wb = rows
    ra, ga, ba, rb, gb, bb = shades
    for i in range(count):
        x, row, column = corners[0, i], corners[1, i], corners[2, i]
        s0, s1, s2, s3, inverse = _shares(
            np.float32(column), np.float32(row),
            ua[x], va[x], wa[x], ua[x + 1], va[x + 1], wa[x + 1], ub[x], vb[x], wb[x], ub[x + 1], vb[x + 1], wb[x + 1],
        )  # fmt: skip
        places[i] = row * np.int32(target_width) + column if inverse > 0 else np.int32(-1)
        inverses[i] = inverse
        red = _level(s0 * ra[x] + s1 * ra[x + 1] + (s2 * rb[x] + s3 * rb[x + 1]))
        green = _level(s0 * ga[x] + s1 * ga[x + 1] + (s2 * gb[x] + s3 * gb[x + 1]))
        blue = _level(s0 * ba[x] + s1 * ba[x + 1] + (s2 * bb[x] + s3 * bb[x + 1]))
        layer = np.uint32(2) if depth[x] >= far else np.uint32(1)
        words[i] = red | green << np.uint32(8) | blue << np.uint32(16) | layer << np.uint32(24)


@kernel
def _write(keys, places, inverses, words, count, reach):
    """Write the first ``count`` pixels where their inverse depth times ``reach`` exceeds the stored inverse depth."""
    flat, bits = keys.reshape(-1), inverses.view(np.uint32)
    scaled = (inverses * reach).view(np.uint32)
    for i in range(count):
        place = np.int64(places[i])
        if place >= 0 and np.uint64(scaled[i]) > flat[place] >> np.uint64(32):
            flat[place] = np.uint64(bits[i]) << np.uint64(32) | np.uint64(words[i])


@kernel
def _write_thin(keys, colour, depth, y, us, vs, ws, joined, cut_ratio):
    """Draw one-pixel-thin foreground, such as wires and poles, as single pixels.

    No quad of these survives the cut. Single pixels between two depths are not drawn: they mix two surfaces.
    """
    height, width = keys.shape
    bits = ws.view(np.uint32)
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
        word = np.uint32(colour[y, x, 0]) | np.uint32(colour[y, x, 1]) << np.uint32(8)
        word |= np.uint32(colour[y, x, 2]) << np.uint32(16) | np.uint32(1) << np.uint32(24)
        key = np.uint64(bits[x]) << np.uint64(32) | np.uint64(word)
        row, column = np.int64(v), np.int64(u)
        if bits[x] > keys[row, column] >> np.uint64(32):
            keys[row, column] = key
