"""The compiled step of `pipelines.reconstruct.gaussians.adam`. Imports the compiler, so import this module only on first use."""

from __future__ import annotations

import math

import numpy as np

from camera.kernel import kernel


@kernel
def advance(values, gradient, mean, square, keep_mean, keep_square, rate, unbias, eps):
    """One Adam step: update ``values`` (N,) in place from ``gradient`` (N,) and its running ``mean`` and ``square``."""
    m, s, rate, unbias, eps = (
        np.float32(keep_mean), np.float32(keep_square), np.float32(rate), np.float32(unbias), np.float32(eps)
    )  # fmt: skip
    one = np.float32(1)
    for i in range(len(values)):
        g = gradient[i]
        mean[i] = m * mean[i] + (one - m) * g
        square[i] = s * square[i] + (one - s) * g * g
        values[i] -= rate * mean[i] / (math.sqrt(square[i] * unbias) + eps)
