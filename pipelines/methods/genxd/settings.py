"""GenXD's controls, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.method import Moves
from pipelines.settings import Settings, setting

INDICATORS = {"3D": 0, "4D": 2, "video": 1}
"""Indicator values of the modes: they choose which branches of the network are blended."""
DISTANCES = ("automatic", "subject", "as given")
MOVES = ("forward", "orbit", "spline", "spiral", "ellipse", "given cameras")
FITTED = ("spline", "spiral", "ellipse")


@dataclass(frozen=True, kw_only=True)
class GenXDMoves(Moves):
    """One picture: forward or orbit. Several views: a trajectory fitted to them, or their own cameras."""

    frames: int = setting(
        12,
        "Views",
        minimum=2,
        maximum=240,
        step=1,
        help="The model makes 12 at a time; more are made in groups.",
    )
    width: int = setting(256, "Width", minimum=64, maximum=512, step=64, advanced=True)
    height: int = setting(256, "Height", minimum=64, maximum=512, step=64, advanced=True)
    fps: float = setting(6.0, "Frames per second", minimum=1, maximum=60, step=1, advanced=True)
    move: str = setting(
        "forward",
        "Move",
        choices=MOVES,
        help="Forward swings around the front and comes back; orbit turns one way. "
        "Spline, spiral and ellipse are fitted to two or more given views.",
    )
    azimuth_start: float = setting(-30.0, "Azimuth from (degrees)", minimum=-360, maximum=360, step=5)
    azimuth_end: float = setting(
        30.0, "Azimuth to (degrees)", minimum=-360, maximum=360, step=5, help="An increasing azimuth moves to the left."
    )
    elevation: float = setting(
        0.0,
        "Elevation (degrees)",
        minimum=-85,
        maximum=85,
        step=5,
        help="Orbit: height of the camera. Forward: how far it rises and sinks.",
    )
    radius: float = setting(
        2.0,
        "Radius",
        minimum=0.2,
        maximum=10,
        step=0.1,
        help="Distance to the point that is circled; 2 is the subject's distance.",
    )
    focal: float = setting(
        0.0,
        "Focal length (picture widths)",
        minimum=0,
        maximum=5,
        step=0.01,
        help="0 keeps the picture's own lens. The original code uses 1.414, its commands 1.0938 or 1.3889.",
    )
    given: str = setting("first", "The given picture is the", choices=("first", "middle", "last"))
    spiral_target: str = setting(
        "common point",
        "The spiral looks at",
        choices=("common point", "depth"),
        help="The point that all views face, or the depth a lens would focus on (for views that all face forward).",
        advanced=True,
    )
    shifts_x: str = setting(
        "", "Copies shifted sideways", help="Half-ranges of the views, as in 0.2, -0.4.", advanced=True
    )
    shifts_z: str = setting("", "Copies shifted in depth", help="Half-ranges of the views.", advanced=True)
    multiples: str = setting("", "Copies of another size", help="Factors, as in 0.8, 1.3.", advanced=True)
    original_jump: bool = setting(
        False,
        "Original forward azimuths",
        help="As published: the second frame jumps, and the first end of the range is never reached.",
        advanced=True,
    )
    consistent4d: bool = setting(
        False,
        "Consistent4D's orbit",
        help="The azimuths that the original code uses for the data set of this name: the front, then the range in reverse.",
        advanced=True,
    )


@dataclass(frozen=True, kw_only=True)
class GenXDSettings(Settings):
    """All settings of a run except the camera."""

    mode: str = setting(
        "3D",
        "What moves",
        choices=tuple(INDICATORS),
        help="3D: only the camera. 4D: camera and scene. Video: only the scene; the path is not used.",
    )
    motion_strength: float = setting(
        0.5,
        "Motion strength",
        minimum=0,
        maximum=10,
        step=0.1,
        help="How much the scene moves in 4D and video; about 0.1 is still, 2 is dancing. No effect in 3D.",
    )
    steps: int = setting(25, "Steps", minimum=2, maximum=100, step=1)
    guidance: float = setting(3.0, "Guidance", minimum=1, maximum=10, step=0.1)
    seed: int = setting(3407, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    more_views: bool = setting(
        False,
        "More than 12 views",
        help="From one picture: 12 views first, then every view of the path in groups of 9, each from the 3 nearest of the 12.",
    )
    contexts: int = setting(3, "Given views per group", minimum=1, maximum=3, step=1, help="Of several given views.")
    grouping: str = setting(
        "in order",
        "Group the views",
        choices=("in order", "by place"),
        help="Along the path, or by distance from each other.",
        advanced=True,
    )
    per_trajectory: int = setting(
        0,
        "Views per trajectory",
        minimum=0,
        maximum=240,
        step=1,
        help="When grouping in order, no group crosses trajectories; 0 treats the path as one.",
        advanced=True,
    )
    cover: bool = setting(
        True,
        "Make every view",
        help="Off: as published, views that fill no group are left out.",
        advanced=True,
    )
    cover_trajectories: bool = setting(
        False,
        "Fill the last group of a trajectory",
        help="With views per trajectory: off drops an incomplete last group, as published; on fills it from the trajectory's start.",
        advanced=True,
    )
    known_targets: str = setting(
        "as published",
        "Known target cameras",
        choices=("as published", "as any path"),
        help="As published: up to 3 given views stay in the data set's order, the first is the origin, and the targets are used in "
        "order. As any path: grouped as set above, from the nearest views.",
        advanced=True,
    )
    start_strength: float = setting(
        0.0,
        "Start from the rehearsal",
        minimum=0,
        maximum=1,
        step=0.05,
        help="0 starts from noise. Otherwise the rehearsed frames, or the frames of a given clip, are noised this far and "
        "denoised again (SDEdit).",
    )
    distance: str = setting(
        "automatic",
        "Size of the scene",
        choices=DISTANCES,
        help="The model has no unit of length. Subject: the subject is at distance 2, as in the training renders. "
        "As given: lengths are used as they are. Automatic: as given for several views, otherwise subject.",
        advanced=True,
    )
    given_frame: str = setting(
        "automatic",
        "The given picture's moment",
        choices=("automatic", "first", "middle", "last"),
        help="Automatic: the first frame whose camera is the picture's. Matters for 4D if a path returns there.",
        advanced=True,
    )
    share_noise: bool = setting(False, "Same noise for all groups", help="Makes groups more alike.", advanced=True)
    original_lens: bool = setting(
        False,
        "One lens for all views",
        help="As published: every frame of a group gets the lens of its first given view.",
        advanced=True,
    )
    only_new: bool = setting(False, "Leave the given pictures out of the clip", advanced=True)
    crop_padding: bool = setting(
        True, "Cut the padding off", help="When the picture was fitted with black borders.", advanced=True
    )


@dataclass(frozen=True, kw_only=True)
class CurationSettings(Settings):
    """Settings for converting a plain video to an entry of CamVid-30K, see `pipelines.methods.genxd.curation.camvid`."""

    every: int = setting(1, "Use every n-th frame", minimum=1, maximum=60, step=1)
    most_frames: int = setting(60, "Maximum number of frames", minimum=3, maximum=300, step=1)
    masks: str = setting(
        "found",
        "What might move",
        choices=("found", "mask2former"),
        help="Found: parts that do not fit the camera. Mask2Former: people, animals, vehicles and the like (0.3 GB, downloaded).",
    )
    depth: str = setting(
        "sparse",
        "Depth of moving parts",
        choices=("sparse", "small", "base", "large"),
        help="Sparse: of the nearest static points. Otherwise Depth Anything V2 of this size, fitted to them as in the paper.",
    )
    least_motion: float = setting(
        0.0, "Minimum motion to keep", minimum=0, maximum=10, step=0.1, help="About 0.1 is still, 2 is dancing."
    )
