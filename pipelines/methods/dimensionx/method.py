"""DimensionX's record: moves, settings, limits, licences and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories.dimensionx import DIRECTORS, FPS, FRAMES, ORBIT_FRAMES, independent, nominal_path
from camera.view import Scene
from pipelines.method import Checkpoint, Estimate, Licence, Method, Moves
from pipelines.methods.dimensionx.blank import blank, is_blank
from pipelines.methods.dimensionx.loras.matching import WEIGHT_STEP, Match, match, single_directors, typical_distance
from pipelines.settings import Settings, setting

WIDTH, HEIGHT = 720, 480
ORBIT_WIDTH, ORBIT_HEIGHT = 480, 320
PROMPT_WORDS = 200


@dataclass(frozen=True, kw_only=True)
class DimensionXMoves(Moves):
    """The director's nominal move; the network never receives the poses."""

    director: str = setting("orbit_left", "Director", choices=tuple(DIRECTORS), help="One LoRA per camera move.")
    second_director: str = setting(
        "none",
        "Blend with",
        choices=("none", *(id for id, each in DIRECTORS.items() if each.frames == FRAMES and each.group != "time")),
        help="The two LoRAs are added; upstream has no example of this.",
    )
    second_weight: float = setting(0.6, "Weight of the second", minimum=0.0, maximum=1.0, step=WEIGHT_STEP)
    amount: float = setting(
        1.0,
        "Nominal amount",
        minimum=0.1,
        maximum=2.0,
        step=WEIGHT_STEP,
        help="Length of the drawn move: 1 is 45 degrees of orbit, 30 of pan, 0.3 of the subject's distance. Drawing only.",
        advanced=True,
    )
    frames: int = setting(
        FRAMES,
        "Frames",
        minimum=5,
        maximum=FRAMES,
        step=4,
        help="The models were trained on 49; the 360 degree orbit has 145.",
    )
    width: int = setting(WIDTH, "Width", minimum=ORBIT_WIDTH, maximum=WIDTH, step=240, advanced=True)
    height: int = setting(HEIGHT, "Height", minimum=ORBIT_HEIGHT, maximum=HEIGHT, step=160, advanced=True)
    fps: float = setting(FPS, "Frames per second", minimum=1, maximum=60, step=1, advanced=True)


@dataclass(frozen=True, kw_only=True)
class DimensionXSettings(Settings):
    """All settings except the camera. The defaults are those of upstream's script, with the demo's sampler."""

    prompt: str = setting(
        "", "Prompt", lines=5, help="What the picture shows, 60-110 words, no words about the camera."
    )
    negative_prompt: str = setting("", "Negative prompt", lines=2)
    caption: str = setting(
        "off",
        "Describe the picture",
        choices=("off", "small", "large"),
        help="A vision-language model writes the prompt when it is empty (SmolVLM with 0.5 or 2.2 billion parameters).",
    )
    seed: int = setting(0, "Seed", minimum=0, maximum=2**32 - 1, step=1)
    steps: int = setting(
        50,
        "Steps",
        minimum=1,
        maximum=100,
        step=1,
        help="Dynamic guidance is tuned to 50; other numbers change it strongly.",
    )
    guidance: float = setting(6.0, "Guidance", minimum=1.0, maximum=20.0, step=0.1)
    dynamic_guidance: bool = setting(True, "Dynamic guidance", advanced=True)
    strength: float = setting(
        1.0,
        "Director strength",
        minimum=0.0,
        maximum=2.0,
        step=0.05,
        help="1 is the trained strength, 1/256 of the strength in a plain loader.",
    )
    switch_to_t: float = setting(
        1.0,
        "T-Director from",
        minimum=0.0,
        maximum=1.0,
        step=0.02,
        help="Share of the steps with the camera's director, before the T-Director takes over; 1 never switches.",
    )
    lora_file: str = setting(
        "", "Own LoRA file", help="Replaces the director; diffusers, peft or SAT layout.", advanced=True, file=True
    )
    lora_alpha: float = setting(
        0.0,
        "Alpha of an own LoRA that says none",
        minimum=0.0,
        maximum=4096.0,
        step=1.0,
        help="0 uses 1, as DimensionX trains; the file's rank gives the strength that other loaders apply.",
        advanced=True,
    )
    base: str = setting(
        "CogVideoX-5b-I2V",
        "Base model",
        choices=("CogVideoX-5b-I2V", "CogVideoX1.5-5B-I2V"),
        help="The LoRAs were trained on the first; they load on 1.5, but their effect there is not established.",
        advanced=True,
    )
    use_picture: bool = setting(
        True,
        "Start from the picture",
        help="Off: CogVideoX-5b makes the video from the prompt alone, without a director.",
    )
    shape: str = setting(
        "crop",
        "Frame of another shape",
        choices=("crop", "pad", "stretch as the demo", "stretch as the script"),
        help="How a frame that is not 3:2 (see width and height of the camera move) is fitted to the network. Upstream's demo "
        "and script stretch it.",
        advanced=True,
    )
    sampler: str = setting(
        "DPM++",
        "Sampler",
        choices=("DPM++", "DDIM", "SAT"),
        help="DPM++ as upstream's demo, DDIM as its script, SAT as the 360 degree orbit was sampled (exact parity).",
        advanced=True,
    )
    interpolate: str = setting(
        "off",
        "More frames",
        choices=("off", "x2", "x4", "x2 as upstream"),
        help="Optional: RIFE between the frames; its 0.02 GB are downloaded on first use.",
    )
    upscale: bool = setting(
        False,
        "Upscale x4",
        help="Optional: Real-ESRGAN in tiles; its 0.07 GB are downloaded on first use.",
    )
    also: str = setting(
        "mp4 only", "Also save", choices=("mp4 only", "gif", "webp"), help="A gif has 240 rows, a webp at most 480."
    )
    key_frames: int = setting(
        0,
        "4D grid: key frames",
        minimum=0,
        maximum=8,
        step=1,
        help="0 makes one clip. Otherwise makes a T-Director video first, then the camera move from this many of its frames.",
        advanced=True,
    )
    key_moment: int = setting(
        1,
        "4D grid: reference",
        minimum=1,
        maximum=8,
        step=1,
        help="The key frame whose clip guides the others.",
        advanced=True,
    )
    refinement: float = setting(
        0.6,
        "4D grid: reference noise",
        minimum=0.1,
        maximum=1.0,
        step=0.05,
        help="How much of the reference clip later clips may change; 1 starts each from noise. Our own choice.",
        advanced=True,
    )


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The nominal move of the chosen directors from the scene's first camera, at the scene's own scale."""
    assert isinstance(moves, DimensionXMoves)
    chosen = DIRECTORS[moves.director]
    parts = [(chosen.id, 1.0)]
    if moves.second_director != "none" and moves.second_weight > 0:
        if chosen.frames != FRAMES or chosen.group == "time":
            raise InputError(
                f"{chosen.title} cannot be blended with another director; set 'Blend with' to none, "
                "or use 'T-Director from' to let the scene move."
            )
        if not independent(chosen, DIRECTORS[moves.second_director]):
            second = DIRECTORS[moves.second_director].title
            raise InputError(
                f"{chosen.title} and {second} are one move, forwards or backwards; blend two different ones."
            )
        parts.append((moves.second_director, moves.second_weight))
    return nominal_path(
        scene.first.camera,
        parts,
        frames=ORBIT_FRAMES if chosen.frames == ORBIT_FRAMES else moves.frames,
        fps=moves.fps,
        distance=scene.first.focus_depth,
        amount=moves.amount,
    )


def match_of(scene: Scene, path: CameraPath) -> Match:
    """The directors for a path: exactly those it was drawn with, or the nearest ones."""
    return match(path, distance=scene.first.focus_depth)


def nearest(scene: Scene, path: CameraPath) -> str:
    """The directors for a path, their deviation from it, and the similarity of each director alone; Markdown, cheap to compute."""
    alone = single_directors(path, distance=scene.first.focus_depth)[:3]
    ranked = ", ".join(f"{DIRECTORS[id].title} {similarity:.2f}" for id, similarity in alone)
    return match_of(scene, path).summary + (f"  \nOne director alone: {ranked}." if ranked else "")


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Warnings before the run, including the directors' deviation from the path in numbers."""
    assert isinstance(settings, DimensionXSettings)
    _check_files(settings)
    if settings.use_picture and is_blank(scene):
        raise InputError("There is no picture: open one, or switch 'Start from the picture' off.")
    found = match_of(scene, path)
    orbit = _is_orbit(found)
    if orbit and len(found.parts) > 1:
        raise InputError(
            "The 360 degree orbit is a separate model and cannot be followed by another clip; use it alone."
        )
    if settings.sampler == "SAT" and not orbit:
        raise InputError("The SAT sampler belongs to the 360 degree orbit; choose DPM++ or DDIM for this path.")
    if settings.key_frames:
        _check_grid(settings, found, orbit)
    if not settings.use_picture:
        return ("Text only: no director is active, because their LoRAs belong to the image-to-video model.",)
    warnings = [*found.losses, *_frame_warnings(path, found), *_setting_warnings(settings, found)]
    if abs(scene.first.width / scene.first.height * HEIGHT / WIDTH - 1) > 0.01:
        how = {"crop": "loses its edges", "pad": "gets black bars"}.get(settings.shape, "is stretched")
        warnings.append(f"The frame of {scene.first.width} x {scene.first.height} is not 3:2 and {how}.")
    return tuple(warnings)


def clip_frames(path: CameraPath, found: Match) -> int:
    """Number of frames of each clip: 145 for the orbit, otherwise the path's own, rounded to 8k+1 between 9 and 49.

    The VAE turns an odd number of latent frames, each of four frames but the first, into a whole clip.
    """
    if _is_orbit(found):
        return ORBIT_FRAMES
    if len(found.parts) > 1:
        return FRAMES
    return min(max(8 * round((len(path) - 1) / 8) + 1, 9), FRAMES)


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """Published figures, scaled with the steps: 3 minutes and 26.33 GB on an A800, the orbit 6 and 30.52 GB on an A6000."""
    assert isinstance(settings, DimensionXSettings)
    found = match(path, distance=typical_distance(path))
    clips = len(found.parts) * max(1, settings.key_frames + 1)
    part = settings.steps / 50 * clips
    if _is_orbit(found):
        return Estimate(
            360 * part, {"full": 30.52, "model offload": 24.0}, "published for one A6000; offload: our target"
        )
    basis = "published for one A100/A800; model offload from the issue tracker, group offload claimed there"
    return Estimate(180 * part, {"full": 26.33, "model offload": 17.0, "group offload": 10.0}, basis)


def _is_orbit(found: Match) -> bool:
    return any(id == "orbit_360" for part in found.parts for id, _ in part.directors)


_NOT_FOR_THE_ORBIT = ("strength", "switch_to_t", "lora_file", "lora_alpha", "base")


def _check_grid(settings: DimensionXSettings, found: Match, orbit: bool) -> None:
    moves = [id for part in found.parts for id, _ in part.directors]
    if not settings.use_picture:
        raise InputError("A 4D grid starts from a picture; switch 'Start from the picture' on or set key frames to 0.")
    if settings.key_moment > settings.key_frames:
        raise InputError(
            f"The 4D grid has {settings.key_frames} key frames, so its reference cannot be number {settings.key_moment}."
        )
    if orbit or len(found.parts) > 1 or moves == ["t_director"]:
        raise InputError(
            f"A 4D grid needs one camera move of one clip for every moment, and this path is {found.title}; "
            "choose a single moving director."
        )


def _check_files(settings: DimensionXSettings) -> None:
    name = settings.lora_file
    if name and not Path(name).is_file():
        raise InputError(f"There is no LoRA file {Path(name).name!r}; enter the path of a .safetensors or .pt file.")


def _frame_warnings(path: CameraPath, found: Match) -> list[str]:
    warnings = []
    frames = clip_frames(path, found)
    total = (frames - 1) * len(found.parts) + 1
    if total != len(path):
        warnings.append(f"The path has {len(path)} frames; {found.title} makes {total}.")
    if abs(path.fps - FPS) > 1e-6:
        warnings.append(f"The directors were trained at {FPS:g} frames per second; the clip plays at {path.fps:g}.")
    if frames < FRAMES:
        warnings.append(
            f"The directors were trained on {FRAMES} frames; a clip of {frames} may contain only part of the move."
        )
    return warnings


def _setting_warnings(settings: DimensionXSettings, found: Match) -> list[str]:
    warnings = []
    defaults = DimensionXSettings.defaults()
    changed = [name for name in _NOT_FOR_THE_ORBIT if getattr(settings, name) != defaults[name]]
    if _is_orbit(found) and changed:
        labels = ", ".join(DimensionXSettings.controls()[name].label for name in changed)
        warnings.append(f"The 360 degree orbit is a separate network without adapters: {labels} has no effect on it.")
    if settings.dynamic_guidance and settings.steps != 50:
        warnings.append(
            f"Dynamic guidance depends on the number of steps: with {settings.steps} it is not the published curve."
        )
    if len(settings.prompt.split()) > PROMPT_WORDS:
        warnings.append(f"The prompt has {len(settings.prompt.split())} words; everything after 226 tokens is cut off.")
    if settings.base != "CogVideoX-5b-I2V":
        warnings.append("The directors were trained on CogVideoX-5b-I2V; on 1.5 their effect is not established.")
    if len(found.parts) > 1:
        warnings.append(f"This is shot as {len(found.parts)} clips, each from the last frame of the previous one.")
    return warnings


def _hub(key: str, repo: str, files: tuple[str, ...], gigabytes: float) -> Checkpoint:
    return Checkpoint(key=key, repo=repo, files=files, gigabytes=gigabytes)


BASE_FILES = ("scheduler/*", "text_encoder/*", "tokenizer/*", "transformer/*", "vae/*")
CHECKPOINTS = (
    _hub("base", "zai-org/CogVideoX-5b-I2V", BASE_FILES, 21.6),
    _hub("base_1_5", "zai-org/CogVideoX1.5-5B-I2V", BASE_FILES, 21.6),
    _hub("text_only", "zai-org/CogVideoX-5b", ("transformer/*",), 11.3),
    _hub("basic", "ShuoChen20/DimensionX_12_basic_camera_lora", ("*.safetensors",), 0.53),
    _hub("orbit", "ShuoChen20/DimensionX_4_orbit_camera_lora", ("*.safetensors",), 0.53),
    _hub("time", "ShuoChen20/DimensionX_T_director_lora", ("*.safetensors",), 0.53),
    _hub("orbit_360", "ShuoChen20/DimensionX_360orbit", ("latest", "*mp_rank_00_model_states.pt"), 12.0),
    _hub("rife", "AlexWortega/RIFE", ("flownet.pkl",), 0.02),
    _hub("upscaler", "ai-forever/Real-ESRGAN", ("RealESRGAN_x4.pth",), 0.07),
    _hub("caption_small", "HuggingFaceTB/SmolVLM-500M-Instruct", ("*.json", "chat_template*", "*.safetensors"), 1.0),
    _hub("caption_large", "HuggingFaceTB/SmolVLM-Instruct", ("*.json", "chat_template*", "*.safetensors"), 4.5),
)
"""Sizes of the LoRA repositories are those of one file: only the director in use is downloaded."""

METHOD = Method(
    name="dimensionx",
    title="DimensionX",
    summary="One picture becomes a six-second video whose camera move comes from a LoRA: truck, pan, roll, orbit, or a full turn.",
    camera_use=(
        "A director's LoRA makes the move. The network receives no poses, so the drawn path is nominal: "
        "amount, speed and lens changes are not followed."
    ),
    nominal=True,
    paper="https://arxiv.org/abs/2411.04928",
    code="https://github.com/wenqsun/DimensionX",
    licences=(
        Licence("code", "Apache-2.0", "https://github.com/wenqsun/DimensionX/blob/main/LICENSE"),
        Licence(
            "directors",
            "Apache-2.0",
            "https://huggingface.co/ShuoChen20/DimensionX_12_basic_camera_lora",
            "As stated on the card of the 12 basic moves; the base model's licence applies to their use too.",
        ),
        Licence(
            "base model",
            "CogVideoX licence",
            "https://huggingface.co/zai-org/CogVideoX-5b-I2V/blob/main/LICENSE",
            "Free for research; commercial use needs registration with the authors.",
        ),
        Licence("frame interpolation", "MIT", "https://huggingface.co/AlexWortega/RIFE"),
        Licence("upscaling", "BSD-3-Clause", "https://huggingface.co/ai-forever/Real-ESRGAN"),
    ),
    checkpoints=CHECKPOINTS,
    moves=DimensionXMoves,
    settings=DimensionXSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.dimensionx.pipeline",
    blank=blank,
    links={
        "Project page": "https://chenshuo20.github.io/DimensionX/",
        "Directors": "https://huggingface.co/ShuoChen20",
        "Base model": "https://huggingface.co/zai-org/CogVideoX-5b-I2V",
    },
)


def checkpoint(key: str) -> Checkpoint:
    """One of `CHECKPOINTS` by its key."""
    return next(each for each in CHECKPOINTS if each.key == key)
