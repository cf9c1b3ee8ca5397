"""Meanings of the values of depth maps: units, disparity, and the conventions of well-known data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

DepthMeaning = Literal[
    "metres",
    "distance",
    "disparity",
    "millimetres",
    "kitti",
    "tum",
    "scannet",
    "middlebury",
    "vkitti",
    "matterport",
    "replica",
]
"""Meanings of a depth map's values: metres along z; any unit along z; disparity (large is near); or a data set's convention."""
MEANINGS: tuple[DepthMeaning, ...] = get_args(DepthMeaning)


@dataclass(frozen=True)
class Convention:
    """How stored values become depth along z. ``scale``: metres per stored unit, or None if the unit is unknown.

    ``whole``: files of this kind contain only whole numbers; ``sky``: the value for no surface. ``near_is_large``: disparity.
    """

    words: str
    scale: float | None
    whole: bool = False
    sky: float | None = None
    near_is_large: bool = False


CONVENTIONS: dict[DepthMeaning, Convention] = {
    "metres": Convention("metres", 1.0),
    "distance": Convention("distances of an unknown unit", None),
    "disparity": Convention("disparity (near is large)", None, near_is_large=True),
    "millimetres": Convention("millimetres", 1e-3),
    "kitti": Convention("KITTI's 1/256 metres", 1 / 256, whole=True),  # devkit of the depth benchmark: uint16 / 256
    "tum": Convention("TUM RGB-D's 1/5000 metres", 1 / 5000, whole=True),  # "File formats" of the benchmark
    "scannet": Convention("ScanNet's millimetres", 1e-3, whole=True),  # depth shift 1000 of the .sens files
    # centimetres, distances beyond 16 bits are sky: "Data format" of Virtual KITTI 2; mmdepth also uses 1e-2
    "vkitti": Convention("Virtual KITTI's centimetres", 1e-2, whole=True, sky=65535),
    # niessner/Matterport, data_organization.md: "0.25 mm per value (divide by 4000 to get meters)", zero where nothing was read
    "matterport": Convention("Matterport3D's 1/4000 metres", 1 / 4000, whole=True),
    # cvg/nice-slam, configs/Replica/replica.yaml: png_depth_scale of the renders that SLAM is measured on
    "replica": Convention("Replica's 1/6553.5 metres", 1 / 6553.5, whole=True),
    "middlebury": Convention("Middlebury's disparity in pixels", None, near_is_large=True),
}


def from_disparity(
    disparity: NDArray[np.float32], *, nearest: float = 1.0, farthest: float = 40.0
) -> NDArray[np.float32]:
    """Convert disparity (H,W) of any scale to distances between ``nearest`` and at most ``farthest``; NaN stays NaN."""
    largest = np.nanmax(disparity)
    share = np.clip(disparity / largest, nearest / farthest, 1)
    return (nearest / share).astype(np.float32)
