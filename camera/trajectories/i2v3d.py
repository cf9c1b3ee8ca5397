"""Object-centred camera moves for I2V3D: around, over, towards, past and above the subject, in any combination.

I2V3D itself takes any camera animation made by hand. These are the moves of the view synthesis that its guide uses for
the background (azimuth, elevation, change of radius, two shifts). The subject lies on the optical axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.trajectories.film import START, move_rig
from camera.trajectories.keyframes import ease

PACES: tuple[str, ...] = ("even", "soft")
"""Constant speed, or a gentle start and stop."""


def poses(
    frames: int,
    *,
    around_degrees: float = 0.0,
    over_degrees: float = 0.0,
    approach: float = 0.0,
    slide: float = 0.0,
    lift: float = 0.0,
    pace: str = "even",
) -> NDArray[np.float64]:
    """World-from-camera (F,4,4): the first pose is the identity, the subject is at (0,0,1), the last frame ends the move.

    ``around_degrees`` and ``over_degrees``: on a sphere about the subject, facing it, positive to the right and up.
    ``approach``: fraction of the subject distance to move closer by, below 1; negative moves away.
    ``slide`` and ``lift``: without turning, to the right and up, in subject distances. Raises `InputError`.
    """
    if frames < 2:
        raise InputError(f"A move needs at least two frames, got {frames}.")
    if approach >= 1:
        raise InputError(f"An approach of {approach} times the distance runs through the subject; keep it below 1.")
    if pace not in PACES:
        raise InputError(f"The pace must be one of {', '.join(PACES)}; got {pace!r}.")
    progress = np.linspace(0, 1, frames)
    if pace == "soft":
        progress = ease(progress, "ease")
    amounts = {"arc": around_degrees, "arc-up": over_degrees, "dolly": approach, "truck": slide, "pedestal": lift}
    rig = move_rig(START, [(name, amount, progress) for name, amount in amounts.items()], distance=1.0)
    world_from_camera = np.repeat(np.eye(4)[None], frames, axis=0)
    world_from_camera[:, :3, :3], world_from_camera[:, :3, 3] = rig.rotation, rig.position
    return world_from_camera
