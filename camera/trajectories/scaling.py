"""Scales a path from a file to a scene, because other tools use metres, centimetres or their own units."""

from __future__ import annotations

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath

KEEP, SUBJECT = "keep", "subject"


def scale_path(path: CameraPath, scale: str, subject_distance: float) -> tuple[CameraPath, str]:
    """``path`` unchanged ("keep"), scaled so that its subject is ``subject_distance`` away ("subject"), or scaled by a factor ("0.01").

    Also returns one sentence that describes the scaling, empty for "keep". Raises `InputError` for other words, for factors
    that are not positive, and for "subject" if the cameras look at no common point in front of them.
    """
    if scale == KEEP:
        return path, ""
    if scale == SUBJECT:
        own = distance_looked_at(path)
        factor = subject_distance / own
        return path.scaled(factor), (
            f"The path was scaled by {factor:.4g}: its subject was {own:.4g} away, the scene's subject is {subject_distance:.4g}."
        )
    try:
        factor = float(scale)
    except ValueError:
        factor = np.nan
    if not 1e-9 <= factor <= 1e9:
        raise InputError(f"A path is scaled by {KEEP}, {SUBJECT} or a factor above 0, got {scale[:40]!r}.")
    return path.scaled(factor), f"The path was scaled by {factor:.4g}."


def distance_looked_at(path: CameraPath) -> float:
    """Distance from the first camera to the point nearest to all optical axes (least squares), which must be in front of all cameras."""
    ahead, centres = path.world_from_camera[:, :3, 2], path.centres
    across = np.eye(3) - ahead[:, :, None] * ahead[:, None]
    total = across.sum(axis=0)
    refusal = InputError(
        "The cameras of the path look at no common point, so it cannot be scaled to the subject's distance; give a factor."
    )
    if np.linalg.cond(total) > 1e6:
        raise refusal
    point = np.linalg.solve(total, (across @ centres[:, :, None]).sum(axis=0)[:, 0])
    if (((point - centres) * ahead).sum(axis=1) <= 0).any():
        raise refusal
    return float(np.linalg.norm(point - centres[0]))
