"""Inner loops of bundle adjustment, compiled: normal equations, and the elimination of the points.

Every camera has seven parameters: rotation about its own axes (3), translation (3), logarithm of the focal length.
Observations are sorted by point. This module imports the compiler, so import it only from modules that are loaded on demand.
"""

from __future__ import annotations

import numpy as np

from camera.kernel import kernel

NEAREST = 1e-6
"""Depth below which a point counts as behind the camera."""
BEHIND = 1e3
"""Residual of such a point, in pixels."""


@kernel
def fill_residuals(rotation, translation, focal, middle, points, point, frame, pixel, miss):
    """Fill ``miss`` (N,2): projections of the points (P,3) minus the observed pixels (N,2)."""
    for n in range(len(point)):
        i, p = frame[n], point[n]
        x, y, z = translation[i, 0], translation[i, 1], translation[i, 2]
        for k in range(3):
            x += rotation[i, 0, k] * points[p, k]
            y += rotation[i, 1, k] * points[p, k]
            z += rotation[i, 2, k] * points[p, k]
        if z > NEAREST:
            miss[n, 0] = focal[i] * x / z + middle[0] - pixel[n, 0]
            miss[n, 1] = focal[i] * y / z + middle[1] - pixel[n, 1]
        else:
            miss[n, 0] = miss[n, 1] = BEHIND


@kernel
def add_normal_equations(rotation, translation, focal, middle, points, point, frame, pixel, loss, U, g, V, h, W):
    """Accumulate ``U`` (F,7,7), ``g`` (F,7), ``V`` (P,3,3), ``h`` (P,3), and fill ``W`` (N,7,3); Cauchy loss of scale ``loss`` pixels."""
    A, B = np.zeros((2, 7)), np.zeros((2, 3))
    for n in range(len(point)):
        i, p, f = frame[n], point[n], focal[frame[n]]
        x, y, z = translation[i, 0], translation[i, 1], translation[i, 2]
        for k in range(3):
            x += rotation[i, 0, k] * points[p, k]
            y += rotation[i, 1, k] * points[p, k]
            z += rotation[i, 2, k] * points[p, k]
        if z <= NEAREST:
            W[n] = 0.0
            continue
        u, v = x / z, y / z
        r0, r1 = pixel[n, 0] - f * u - middle[0], pixel[n, 1] - f * v - middle[1]
        weight = 1.0 / (1.0 + (r0 * r0 + r1 * r1) / (loss * loss))
        A[0, 0], A[0, 1], A[0, 2] = -f * u * v, f * (1 + u * u), -f * v
        A[1, 0], A[1, 1], A[1, 2] = -f * (1 + v * v), f * u * v, f * u
        A[0, 3], A[0, 4], A[0, 5] = f / z, 0.0, -f * u / z
        A[1, 3], A[1, 4], A[1, 5] = 0.0, f / z, -f * v / z
        A[0, 6], A[1, 6] = f * u, f * v
        for k in range(3):
            B[0, k] = f / z * (rotation[i, 0, k] - u * rotation[i, 2, k])
            B[1, k] = f / z * (rotation[i, 1, k] - v * rotation[i, 2, k])
        for a in range(7):
            g[i, a] += weight * (A[0, a] * r0 + A[1, a] * r1)
            for b in range(7):
                U[i, a, b] += weight * (A[0, a] * A[0, b] + A[1, a] * A[1, b])
            for b in range(3):
                W[n, a, b] = weight * (A[0, a] * B[0, b] + A[1, a] * B[1, b])
        for a in range(3):
            h[p, a] += weight * (B[0, a] * r0 + B[1, a] * r1)
            for b in range(3):
                V[p, a, b] += weight * (B[0, a] * B[0, b] + B[1, a] * B[1, b])


@kernel
def eliminate_points(first, frame, inverse, h, W, S, b):
    """Eliminate the points from ``S`` (F,F,7,7) and ``b`` (F,7); point p has the observations ``first[p]`` to ``first[p + 1]``.

    Of each pair of observations of a point only one order is subtracted: the whole is ``S`` plus its transpose, and each
    of these has half of the diagonal.
    """
    Y = np.zeros((7, 3))
    turned = np.ascontiguousarray(W.transpose(0, 2, 1))
    for p in range(len(first) - 1):
        for n in range(first[p], first[p + 1]):
            i = frame[n]
            for a in range(7):
                for c in range(3):
                    Y[a, c] = (
                        W[n, a, 0] * inverse[p, 0, c] + W[n, a, 1] * inverse[p, 1, c] + W[n, a, 2] * inverse[p, 2, c]
                    )
                b[i, a] -= Y[a, 0] * h[p, 0] + Y[a, 1] * h[p, 1] + Y[a, 2] * h[p, 2]
            for m in range(n, first[p + 1]):
                block, half = S[i, frame[m]], 0.5 if m == n else 1.0
                for a in range(7):
                    y0, y1, y2 = half * Y[a, 0], half * Y[a, 1], half * Y[a, 2]
                    for c in range(7):
                        block[a, c] -= y0 * turned[m, 0, c] + y1 * turned[m, 1, c] + y2 * turned[m, 2, c]


@kernel
def back_substitute(point, frame, W, step, rest):
    """Subtract from ``rest`` (P,3) what the cameras' ``step`` (F,7) explains."""
    for n in range(len(point)):
        for c in range(3):
            for a in range(7):
                rest[point[n], c] -= W[n, a, c] * step[frame[n], a]
