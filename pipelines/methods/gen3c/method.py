"""GEN3C's record: camera controls, settings, limits, licences. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import gen3c as presets
from camera.view import Scene
from pipelines.method import Checkpoint, Clip, Estimate, Licence, Method, Moves, check_same_size
from pipelines.methods.gen3c import cost as model
from pipelines.methods.gen3c import guardrail
from pipelines.methods.gen3c.chunks import CHUNK, LONGEST, chunks
from pipelines.methods.gen3c.continuation import check_continues
from pipelines.methods.gen3c.coverage import seen_share
from pipelines.settings import Settings, setting

NEGATIVE_PROMPT = (
    "The video captures a series of frames showing ugly scenes, static with no motion, motion blur, over-saturation, shaky "
    "footage, low resolution, grainy texture, pixelated images, poorly lit areas, underexposed and overexposed scenes, poor "
    "color balance, washed out colors, choppy sequences, jerky movements, low frame rate, artifacting, color banding, "
    "unnatural transitions, outdated special effects, fake elements, unconvincing visuals, poorly edited content, jump cuts, "
    "visual noise, and flickering. Overall, the video is of poor quality."
)
"""Upstream's negative prompt; diffusers' Cosmos pipelines use the same."""

FOCUS, AS_GIVEN = "distance to the subject", "scene units"
EXACT, UPSTREAM = "exact", "upstream"
BEST, POOLED = "best two", "all, nearest wins"

LEAST_SHARE, LITTLE_SHARE = 0.03, 0.3
LEAST_KNOWN = 0.05
TRAINED_SIZE = (1280, 704)


@dataclass(frozen=True, kw_only=True)
class Gen3cMoves(Moves):
    """One of eight trajectories, three turning modes, a distance, and an optional zoom."""

    trajectory: str = setting(
        "left", "Trajectory", choices=presets.TRAJECTORIES,
        help="Straight moves end at the distance; circles run once around beside the start and return to it.",
    )  # fmt: skip
    rotation: str = setting(
        "center_facing", "Camera rotation", choices=tuple(presets.ROTATIONS),
        help="center_facing keeps the subject in the middle, no_rotation never turns, trajectory_aligned turns away from the "
        "subject by as much as center_facing turns towards it.",
    )  # fmt: skip
    distance: float = setting(
        0.3, "Movement distance", minimum=0, maximum=5, step=0.05,
        help="How far the camera goes. Depth from one picture has no known scale, so 0.3 means 30 % of the way to the subject, "
        "whichever depth model measured it; set the unit to scene units to count metres where depth is metric.",
    )  # fmt: skip
    distance_unit: str = setting(
        FOCUS, "Unit of the distance", choices=(FOCUS, AS_GIVEN),
        help="Distance to the subject: the median depth of the picture's middle, which is also the point that the camera turns "
        "around. Scene units: as upstream, which turns around a point one unit ahead, whatever is there.",
        advanced=True,
    )  # fmt: skip
    lens_zoom: float = setting(
        1.0, "Lens zoom", minimum=0.25, maximum=4, step=0.05,
        help="Focal length at the end, in focal lengths of the start; with zoom_out this is the dolly zoom.", advanced=True,
    )  # fmt: skip
    place: str = setting(
        EXACT, "Camera places", choices=(EXACT, UPSTREAM),
        help="Upstream writes the offset into the matrix without rotating it, so its cameras are off the intended path; kept "
        "for comparison.",
        advanced=True,
    )  # fmt: skip
    frames: int = setting(
        CHUNK, "Frames", minimum=9, maximum=LONGEST, step=8,
        help="121 is one chunk of five seconds; longer videos have 120 N + 1 frames: 241, 361, 481. Drafts may have any 8k+1.",
    )  # fmt: skip
    width: int = setting(1280, "Width", minimum=64, maximum=1920, step=16, advanced=True)
    height: int = setting(
        704, "Height", minimum=64, maximum=1920, step=16, advanced=True,
        help="The network was trained at 1280 x 704; smaller is quicker and good for drafts only.",
    )  # fmt: skip
    fit: str = setting(
        "crop", "Fit the picture by", choices=("crop", "pad", "stretch"), advanced=True,
        help="How a picture with another aspect ratio is fitted to the frame; upstream stretches it.",
    )  # fmt: skip
    fps: float = setting(
        24.0, "Frames per second", minimum=1, maximum=60, step=1, advanced=True,
        help="Also passed to the network, which was trained at 24.",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Gen3cSettings(Settings):
    """All settings of a run except the camera path."""

    prompt: str = setting("", "Prompt", lines=3, help="Optional: picture and camera determine most of the video.")
    negative_prompt: str = setting(
        NEGATIVE_PROMPT, "Negative prompt", lines=3, advanced=True,
        help="Empty: the pass without cache keeps the prompt, so that guidance strengthens the geometry only.",
    )  # fmt: skip
    use_text: bool = setting(
        True, "Use the text encoder", advanced=True,
        help="Off: both prompts become zeros and the 10 GB encoder is never loaded.",
    )  # fmt: skip
    seed: int = setting(1, "Seed", minimum=0, maximum=2**53 - 1, step=1)
    steps: int = setting(35, "Steps", minimum=2, maximum=100, step=1)
    guidance: float = setting(
        1.0, "Guidance", minimum=0, maximum=20, step=0.1,
        help="On the authors' scale: 1 equals the usual guidance scale 2. 0 turns guidance off and halves the time.",
    )  # fmt: skip
    chunk_frames: int = setting(
        CHUNK, "Frames per chunk", minimum=9, maximum=CHUNK, step=8, advanced=True,
        help="Shorter chunks need less memory and time each; the network was trained on 121.",
    )  # fmt: skip
    filter_threshold: float = setting(
        0.05, "Point filter", minimum=0.01, maximum=1, step=0.01, advanced=True,
        help="Points on depth edges steeper than this share of their depth are left out; 1 keeps every point.",
    )  # fmt: skip
    foreground_masking: bool = setting(
        True, "Foreground masking", advanced=True,
        help="Hides background that would show through the gaps of a nearer surface.",
    )  # fmt: skip
    views: str = setting(
        BEST, "With several views, use", choices=(BEST, POOLED), advanced=True,
        help="The network gets two pictures per frame: the two views that cover a chunk best (as upstream), or one picture in "
        "which all views are drawn and the nearest surface wins.",
    )  # fmt: skip
    edge_masks: str = setting(
        EXACT, "Edges of added pictures", choices=(EXACT, UPSTREAM), advanced=True,
        help="Where foreground masking finds edges in pictures added to the cache: in their own depth, or (upstream) in the first one's.",
    )  # fmt: skip
    depth_weights: str = setting(
        EXACT, "Depth weights", choices=(EXACT, UPSTREAM), advanced=True,
        help="How strongly nearer points win: measured in each frame, or (upstream) in each pair of frames that are rendered "
        "together.",
    )  # fmt: skip
    alignment: str = setting(
        "non_rigid", "Depth alignment", choices=("non_rigid", "rigid", "off"), advanced=True,
        help="How the depth of a chunk's last frame is aligned with the cache before it is added.",
    )  # fmt: skip
    noise_strength: float = setting(
        0.0, "Cache noise", minimum=0, maximum=1, step=0.01, advanced=True,
        help="Adds noise to the renders of generated pictures in the cache, so that the network follows them less closely.",
    )  # fmt: skip
    scene_scale: str = setting(
        FOCUS, "Scene scale", choices=(FOCUS, AS_GIVEN), advanced=True,
        help="The cache's unit of length; its farthest depth (100) and masking margin (0.02) are in this unit.",
    )  # fmt: skip
    first_frame: str = setting(
        EXACT, "First frame", choices=(EXACT, UPSTREAM), advanced=True,
        help="Upstream darkens the first condition frame a little (white becomes 0.992).",
    )  # fmt: skip
    rope: str = setting(
        "float32", "Position angles", choices=("float32", "bfloat16"), advanced=True,
        help="bfloat16 rounds the rotary tables as upstream's inference does, off by up to 0.15 radians.",
    )  # fmt: skip
    latents: str = setting(
        "bfloat16", "Latents between steps", choices=("bfloat16", "float32"), advanced=True,
        help="bfloat16 as upstream; float32 differs by a few thousandths.",
    )  # fmt: skip
    show_cache: bool = setting(
        True,
        "Show the cache",
        help="Keeps the cache beside the result: its renders, which steer the network, as videos, its points as PLY and GLB, its "
        "pictures and cameras as npz.",
    )


AS_UPSTREAM_MOVES = {"distance_unit": AS_GIVEN, "place": UPSTREAM, "fit": "stretch"}
AS_UPSTREAM_SETTINGS = {
    "edge_masks": UPSTREAM, "depth_weights": UPSTREAM, "scene_scale": AS_GIVEN, "first_frame": UPSTREAM, "rope": "bfloat16",
    "latents": "bfloat16",
}  # fmt: skip
"""Settings that reproduce upstream's behaviour, wherever the default differs or can be changed."""


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The move in the scene's world; over a clip it is added to the camera of every frame, as upstream does."""
    moves = cast(Gen3cMoves, moves)
    focus = scene.first.focus_depth
    moved = presets.poses(
        moves.trajectory, moves.frames, rotation=moves.rotation, distance=moves.distance,
        centre_depth=focus if moves.distance_unit == FOCUS else 1.0, upstream=moves.place == UPSTREAM,
    )  # fmt: skip
    views = scene.views if scene.kind == "clip" else scene.views[:1]
    own = [views[min(frame, len(views) - 1)] for frame in range(moves.frames)]
    zoom = moves.lens_zoom ** np.linspace(0, 1, moves.frames)
    lenses = np.stack([view.intrinsics for view in own])
    lenses[:, :2, :2] *= zoom[:, None, None]
    poses = np.stack([view.world_from_camera for view in own]) @ moved
    return CameraPath(poses, lenses, scene.first.width, scene.first.height, moves.fps)


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Raise `InputError` for inputs that cannot be run, before any GPU time; returns warnings about inputs unlike the training data."""
    settings = cast(Gen3cSettings, settings)
    cuts = chunks(len(path), settings.chunk_frames)
    _check_sizes(scene, path)
    _check_depth(scene)
    if scene.kind == "clip" and len(scene.views) < len(path):
        raise InputError(
            f"The clip has {len(scene.views)} frames and the path {len(path)}; every frame of the path needs a frame of the "
            "clip, so shorten the path or use a longer clip."
        )
    warnings = (
        _coverage_warning(scene, path, cuts[0]),
        _start_warning(scene, path),
        *_training_warnings(path, len(cuts)),
    )
    return tuple(sentence for sentence in warnings if sentence)


def _check_sizes(scene: Scene, path: CameraPath) -> None:
    if path.width % 16 or path.height % 16:
        fitting = [max(64, round(side / 16) * 16) for side in (path.width, path.height)]
        raise InputError(
            f"GEN3C needs width and height in multiples of 16, got {path.width} x {path.height}; use {fitting[0]} x {fitting[1]}."
        )
    if max(path.width, path.height) > 1920:
        raise InputError(
            f"GEN3C supports sides up to 1920 pixels, got {path.width} x {path.height}; use a smaller size."
        )
    check_same_size(scene, path)


def _check_depth(scene: Scene) -> None:
    known = [float(view.known.mean()) for view in scene.views]
    worst = int(np.argmin(known))
    if known[worst] < LEAST_KNOWN:
        which = "The picture" if len(known) == 1 else f"Picture {worst}"
        raise InputError(
            f"{which} has depth in only {known[worst]:.1%} of its pixels (the rest is NaN, infinite or zero), too little to move "
            "through; choose another depth source."
        )


def _coverage_warning(scene: Scene, path: CameraPath, first_chunk: slice) -> str:
    """Raise `InputError` if the path leaves the scene; checks every eighth frame and the last.

    For a still scene only in the first chunk, because later chunks also use the frames that earlier ones generated.
    """
    last = (first_chunk.stop if scene.kind == "still" else len(path)) - 1
    frames = np.unique(np.append(np.arange(0, last, 8), last))
    shares = seen_share(scene, path, frames)
    worst = int(np.argmin(shares))
    frame, share = int(frames[worst]), float(shares[worst])
    if share < LEAST_SHARE:
        raise InputError(
            f"At frame {frame} the camera has left the scene behind: known points cover {share:.0%} of its view; shorten the move "
            "or turn less."
        )
    if share < LITTLE_SHARE:
        return f"At frame {frame} known points cover only {share:.0%} of the view; the network invents the rest."
    return ""


def _start_warning(scene: Scene, path: CameraPath) -> str:
    offset = np.abs(path.world_from_camera[0] - scene.first.world_from_camera)[:3]
    if (offset[:, :3] < 1e-2).all() and (offset[:, 3] < 1e-2 * scene.first.focus_depth).all():
        return ""
    return (
        "The path does not begin at the first picture's camera, but the picture is the first frame of the video; the video "
        "may jump at the beginning."
    )


def _training_warnings(path: CameraPath, parts: int) -> list[str]:
    warnings = []
    if (path.width, path.height) != TRAINED_SIZE:
        warnings.append(
            f"The network was trained at {TRAINED_SIZE[0]} x {TRAINED_SIZE[1]}; {path.width} x {path.height} is a draft."
        )
    if path.fps != 24:
        warnings.append(f"The network was trained at 24 frames per second; {path.fps:g} changes how fast things move.")
    if parts == 1 and len(path) < CHUNK:
        warnings.append(f"The network was trained on {CHUNK} frames; {len(path)} is a draft.")
    return warnings


def goes_on(after: Clip, path: CameraPath, settings: Settings) -> None:
    """See `pipelines.methods.gen3c.continuation.check_continues`."""
    check_continues(after, path, cast(Gen3cSettings, settings).chunk_frames)


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """See `pipelines.methods.gen3c.cost`."""
    settings = cast(Gen3cSettings, settings)
    return model.estimate(
        path, steps=settings.steps, guided=settings.guidance != 0, chunk=settings.chunk_frames, text=settings.use_text,
        checked=guardrail.is_installed(),
    )  # fmt: skip


TRANSFORMER = Checkpoint("transformer", "nvidia/GEN3C-Cosmos-7B", ("model.pt",), gigabytes=14.5)
TOKENIZER = Checkpoint(
    "tokenizer", "nvidia/Cosmos-Tokenize1-CV8x8x8-720p", ("encoder.jit", "decoder.jit", "mean_std.pt"), gigabytes=0.3
)
TEXT_ENCODER = Checkpoint(
    "text encoder", "google-t5/t5-11b",
    ("config.json", "pytorch_model.bin", "spiece.model", "tokenizer*"), gigabytes=45.2,
)  # fmt: skip

_NVIDIA = "https://www.nvidia.com/en-us/agreements/enterprise-software/nvidia-open-model-license/"

METHOD = Method(
    name="gen3c",
    title="GEN3C",
    summary="A picture, a posed clip or several views become a 3D cache whose renders along the path steer a video model.",
    camera_use="The path enters as renders of the scene's points in every frame, including lens changes. Areas without points are "
    "invented, and depth errors distort the move.",
    nominal=False,
    paper="https://arxiv.org/abs/2503.03751",
    code="https://github.com/nv-tlabs/GEN3C",
    licences=(
        Licence("code", "Apache-2.0", "https://github.com/nv-tlabs/GEN3C"),
        Licence("weights and video tokenizer", "NVIDIA Open Model License", _NVIDIA, guardrail.LICENCE_NOTE),
        Licence("text encoder", "Apache-2.0", "https://huggingface.co/google-t5/t5-11b"),
    ),
    checkpoints=(TRANSFORMER, TOKENIZER, TEXT_ENCODER),
    moves=Gen3cMoves,
    settings=Gen3cSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.gen3c.pipeline",
    scenes=("still", "clip", "views"),
    dense_views=True,
    goes_on=goes_on,
    rendered=("cache", "cache, first picture", "cache, second view"),
    links={
        "Weights": "https://huggingface.co/nvidia/GEN3C-Cosmos-7B",
        "Tokenizer": "https://huggingface.co/nvidia/Cosmos-Tokenize1-CV8x8x8-720p",
        "Project": "https://research.nvidia.com/labs/toronto-ai/GEN3C/",
    },
)
