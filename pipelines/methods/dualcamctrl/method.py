"""DualCamCtrl's record: camera controls, settings, limits, licences. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.trajectories import dualcamctrl as presets
from camera.view import Scene, View
from pipelines.method import Checkpoint, Estimate, Licence, Method, Moves, TrainedMoves, check_same_size
from pipelines.methods.dualcamctrl import cameras
from pipelines.methods.dualcamctrl.cost import estimate as estimate_run
from pipelines.settings import Settings, setting

TRAINED_FRAMES = 61
TYPICAL_TRAVEL = (0.3, 0.5)
"""Camera travel in 61 frames of RealEstate10K, in the unit of its poses (the demo trajectories)."""
TYPICAL_TURN_DEGREES = (14.0, 21.0)
FAR_TRAVEL, FAR_TURN_DEGREES = 1.0, 60.0

NEGATIVE_PROMPT = (
    "Vibrant colors, overexposed, static, blurry details, subtitles, poorly drawn style or artwork, still image, overall "
    "grayish, worst quality, low quality, JPEG artifacts, ugly, incomplete, extra fingers, poorly drawn hands or face, "
    "deformed, disfigured, malformed limbs, fused fingers, static image, messy background, three legs, many people in the "
    "background, walking backward."
)
"""Upstream's negative prompt, shared by its script, app and training."""

PICTURE, TEXT = "picture to video", "text to video"
NO_PICTURE, BLANK_SIZE, BLANK_FOV_DEGREES = "none, there is no picture", (480, 320), 55.0


@dataclass(frozen=True, kw_only=True)
class DualCamCtrlMoves(Moves):
    """A move around the subject, which is at the picture's median depth times ``pivot``."""

    preset: str = setting(
        "push-in", "Move", choices=presets.PRESETS, help="Shapes look at the subject; slides do not turn."
    )
    travel: float = setting(
        0.4, "Travel", minimum=0, maximum=3, step=0.05,
        help="Length of push-in, pan and slides, in distances to the subject. The demo app uses 0.67 (push-in) and 1 (pan).",
    )  # fmt: skip
    turn_degrees: float = setting(
        30.0, "Turn", minimum=-360, maximum=360, step=1,
        help="Angle around the subject for circle and spiral, positive to the right. The demo app makes a full circle.",
    )  # fmt: skip
    rise: float = setting(
        0.1, "Rise", minimum=-1, maximum=1, step=0.05, help="How far a spiral rises, in distances to the subject.",
        advanced=True,
    )  # fmt: skip
    approach: float = setting(
        0.3, "Approach", minimum=-1, maximum=0.9, step=0.05, help="How much closer a spiral comes: 0.3 ends at 70 %.",
        advanced=True,
    )  # fmt: skip
    pivot: float = setting(
        1.0, "Subject distance", minimum=0.1, maximum=10, step=0.05,
        help="Depth of the subject: 1 is the median depth of the picture's middle.", advanced=True,
    )  # fmt: skip
    form: str = setting(
        "corrected", "Form", choices=("corrected", "demo app"),
        help="The demo app's own poses have exchanged axes (its push-in moves out) and ignore travel, turn and the scene's "
        "scale; exact with its lens rule, the path's own unit and a stretched picture.",
        advanced=True,
    )  # fmt: skip
    frames: int = setting(
        29, "Frames", minimum=5, maximum=161, step=4, help="4k+1. Trained on 61; the demo app offers 17 to 61."
    )
    width: int = setting(480, "Width", minimum=64, maximum=1920, step=16, advanced=True)
    height: int = setting(
        320,
        "Height",
        minimum=64,
        maximum=1920,
        step=16,
        help="Demo size 480x320, training size 720x480.",
        advanced=True,
    )
    fps: float = setting(10.0, "Frames per second", minimum=1, maximum=60, step=1, advanced=True)


@dataclass(frozen=True, kw_only=True)
class DualCamCtrlSettings(Settings):
    """All settings of a run except the camera path."""

    prompt: str = setting(
        "", "Prompt", lines=3, help="Picture-to-video training used empty prompts, so the prompt has little effect."
    )
    negative_prompt: str = setting(NEGATIVE_PROMPT, "Negative prompt", lines=3, advanced=True)
    mode: str = setting(
        PICTURE, "Mode", choices=(PICTURE, TEXT), help="Text to video ignores the picture and its depth.", advanced=True
    )
    seed: int = setting(42, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    steps: int = setting(50, "Steps", minimum=1, maximum=200, step=1)
    guidance: float = setting(
        5.0, "Guidance", minimum=0, maximum=20, step=0.5,
        help="On the authors' scale: 5 equals guidance_scale 6 in diffusers; 0 uses only the prompt.",
    )  # fmt: skip
    translation_scale: float = setting(
        1.0, "Translation scale", minimum=0.05, maximum=20, step=0.05,
        help="Multiplies all camera positions for the network. In RealEstate10K, the training set, cameras typically move "
        "0.3 to 0.5 in 61 frames and turn 14 to 21 degrees.",
    )  # fmt: skip
    translation_unit: str = setting(
        "subject distance", "Unit of translation", choices=("subject distance", "path"),
        help="The network's unit of length: the distance to the picture's middle, or the path's own unit (as upstream).",
        advanced=True,
    )  # fmt: skip
    lens_rule: str = setting(
        "training", "Lens rule", choices=cameras.LENS_RULES,
        help="How focal lengths are converted to pixels. The demo script exchanges width and height, the demo app uses 1 pixel; "
        "both exist for comparison.",
        advanced=True,
    )  # fmt: skip
    stage: str = setting(
        "naive", "Schedule", choices=("naive", "early", "mid", "late"),
        help="Naive is the published one; the others spend two thirds of the steps on the low, middle or high third of the "
        "noise levels, without shift.",
        advanced=True,
    )  # fmt: skip
    shift: float = setting(
        5.0,
        "Shift",
        minimum=0.1,
        maximum=20,
        step=0.1,
        help="Larger values spend more steps on high noise levels.",
        advanced=True,
    )
    depth_colours: str = setting(
        "turbo", "Depth colours", choices=("turbo", "inferno", "grey"),
        help="Colours of the depth video; near is bright or red. The 16-bit depth is always among the files.", advanced=True,
    )  # fmt: skip
    preview_every: int = setting(
        10,
        "Preview every",
        minimum=0,
        maximum=100,
        step=1,
        help="Steps between preview frames; 0 shows none.",
        advanced=True,
    )


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The move in the scene's world, starting at the picture's own camera and lens."""
    moves = cast(DualCamCtrlMoves, moves)
    if moves.form == "demo app":
        moved = presets.upstream_poses(moves.preset, moves.frames)
    else:
        moved = presets.poses(
            moves.preset, moves.frames, travel=moves.travel, turn_degrees=moves.turn_degrees, rise=moves.rise,
            approach=moves.approach,
        )  # fmt: skip
        moved[:, :3, 3] *= scene.first.focus_depth * moves.pivot
    drawn = CameraPath(moved, scene.first.intrinsics, scene.first.width, scene.first.height, moves.fps)
    return drawn.moved_to(scene.first.world_from_camera)


def translation_unit(scene: Scene, settings: DualCamCtrlSettings) -> float:
    """The length, in the path's unit, that equals 1 for the network."""
    length = scene.first.focus_depth if settings.translation_unit == "subject distance" else 1.0
    return length / settings.translation_scale


def network_path(scene: Scene, path: CameraPath, settings: DualCamCtrlSettings) -> CameraPath:
    """The cameras as the network's input, see `cameras.network_path`."""
    return cameras.network_path(path, unit=translation_unit(scene, settings), rule=settings.lens_rule)


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Raise `InputError` for inputs that cannot be run; returns warnings about inputs unlike the training data."""
    settings = cast(DualCamCtrlSettings, settings)
    _refuse(scene, path, settings)
    cameras_in_network = network_path(scene, path, settings)
    return tuple(
        sentence
        for sentence in (
            _travel_warning(cameras.travel(cameras_in_network), cameras.turn_degrees(cameras_in_network)),
            _turn_warning(cameras.turn_degrees(cameras_in_network)),
            _lens_warning(path, settings),
            _start_warning(scene, path),
            _size_warning(path),
            _prompt_warning(settings),
        )
        if sentence
    )


def blank() -> Scene:
    """The scene of a run without a picture: grey, one unit away, with the default lens of pictures of unknown origin."""
    lens = pinhole(BLANK_SIZE[0], BLANK_SIZE[1], BLANK_FOV_DEGREES)
    colour = np.full((BLANK_SIZE[1], BLANK_SIZE[0], 3), 127, dtype=np.uint8)
    view = View.of(colour, np.ones(colour.shape[:2], dtype=np.float32), lens)
    return Scene((view,), source=NO_PICTURE, name="words alone")


def _refuse(scene: Scene, path: CameraPath, settings: DualCamCtrlSettings) -> None:
    if scene.source == NO_PICTURE and settings.mode == PICTURE:
        raise InputError(f"There is no picture: open one, or choose the mode {TEXT}.")
    if scene.kind != "still":
        raise InputError("DualCamCtrl starts from one picture; open a still scene, or the first frame of the clip.")
    if len(path) % 4 != 1 or len(path) < 5:
        lower = max(5, (len(path) - 1) // 4 * 4 + 1)
        raise InputError(f"DualCamCtrl makes 4k+1 frames, got {len(path)}; use {lower} or {lower + 4}.")
    if path.width % 16 or path.height % 16:
        raise InputError(
            f"DualCamCtrl needs width and height in multiples of 16, got {path.width}x{path.height}; "
            f"use {_multiple(path.width)}x{_multiple(path.height)}."
        )
    check_same_size(scene, path)


def _multiple(length: int) -> int:
    return max(16, round(length / 16) * 16)


def _travel_warning(travel: float, turn: float) -> str:
    low, high = TYPICAL_TRAVEL
    facts = f"The network receives a travel of {travel:.2g}; its training clips have {low} to {high} in 61 frames"
    if travel > FAR_TRAVEL:
        return f"{facts}: lower the translation scale or shorten the move, or expect the picture to fall apart."
    if travel < 0.03 and turn < 1:
        return f"{facts}: it will hardly move; raise the translation scale."
    return ""


def _turn_warning(turn: float) -> str:
    if turn <= FAR_TURN_DEGREES:
        return ""
    return f"The camera turns {turn:.0f} degrees; training clips typically turn 14 to 21, and nothing behind the picture is known."


def _lens_warning(path: CameraPath, settings: DualCamCtrlSettings) -> str:
    if settings.lens_rule != "training":
        return f"The {settings.lens_rule}'s lens rule exists for comparison; training used another one."
    focal = path.intrinsics[:, 0, 0]
    if focal.max() > 1.02 * focal.min():
        return "The path changes its focal length; training clips do not, so the zoom may be ignored."
    return ""


def _start_warning(scene: Scene, path: CameraPath) -> str:
    offset = path.world_from_camera[0] - scene.first.world_from_camera
    tolerance = [1e-3] * 3 + [1e-3 * scene.first.focus_depth]
    if (abs(offset[:3]) <= tolerance).all():
        return ""
    return "The path does not begin at the picture's camera; the network treats its first pose as the picture's."


def _size_warning(path: CameraPath) -> str:
    if len(path) > TRAINED_FRAMES:
        return f"{len(path)} frames is longer than the {TRAINED_FRAMES} of training; the end may drift."
    if path.width < path.height:
        return "Training clips are landscape (3:2); a portrait frame may come out distorted."
    return ""


def _prompt_warning(settings: DualCamCtrlSettings) -> str:
    if settings.mode == TEXT and not settings.prompt.strip():
        return "Text to video without a prompt: the network has nothing to work from."
    return ""


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """See `pipelines.methods.dualcamctrl.cost`."""
    return estimate_run(path, cast(DualCamCtrlSettings, settings).steps)


RELEASED = Checkpoint(
    "released", "FayeHongfeiZhang/DualCamCtrl", ("dualcamctrl_diffusion_transformer.pt",), gigabytes=19.4
)
ENCODERS = Checkpoint(
    "encoders",
    "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
    ("text_encoder/*", "image_encoder/*", "vae/*"),
    gigabytes=24.5,
)
TOKENIZER = Checkpoint("tokenizer", "Wan-AI/Wan2.1-T2V-1.3B", ("google/umt5-xxl/*",), gigabytes=0.02)
BASE = Checkpoint(
    "base", "alibaba-pai/Wan2.1-Fun-V1.1-1.3B-Control-Camera", ("diffusion_pytorch_model.safetensors",), gigabytes=3.2
)

METHOD = Method(
    name="dualcamctrl",
    title="DualCamCtrl",
    summary="One picture and its depth become an RGB and a depth video, denoised together along the camera path.",
    camera_use="Every pose enters as Plücker rays at full resolution, relative to the first; uses scale and one fixed lens, "
    "zoom is not learned.",
    nominal=False,
    paper="https://arxiv.org/abs/2511.23127",
    code="https://github.com/EnVision-Research/DualCamCtrl",
    licences=(
        Licence("code", "none stated", "https://github.com/EnVision-Research/DualCamCtrl",
                "The repository has no licence file, so reuse of the authors' code is not granted."),
        Licence("weights", "none stated", "https://huggingface.co/FayeHongfeiZhang/DualCamCtrl",
                "No licence is stated for the weights either; ask the authors before you publish or sell what you make."),
        Licence("base model and encoders", "Apache-2.0", "https://huggingface.co/Wan-AI/Wan2.1-T2V-1.3B",
                "Wan2.1 and Wan2.1-Fun, on which the weights are built."),
    ),
    checkpoints=(RELEASED, ENCODERS, TOKENIZER),
    moves=DualCamCtrlMoves,
    settings=DualCamCtrlSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.dualcamctrl.pipeline",
    scenes=("still",),
    blank=blank,
    trained_moves=TrainedMoves(
        TYPICAL_TRAVEL[1], TYPICAL_TURN_DEGREES[1],
        "DualCamCtrl was trained on RealEstate10K, whose cameras typically move 0.3 to 0.5 and turn 14 to 21 degrees in 61 frames "
        "(the authors' demo trajectories).",
    ),
    links={"Weights": "https://huggingface.co/FayeHongfeiZhang/DualCamCtrl"},
)  # fmt: skip
