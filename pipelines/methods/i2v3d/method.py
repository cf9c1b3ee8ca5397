"""I2V3D's record: camera controls, settings of its phases, limits, licences. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from camera.errors import InputError
from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.trajectories import i2v3d as presets
from camera.view import Scene
from pipelines.method import Checkpoint, Estimate, Licence, Method, Moves
from pipelines.methods.i2v3d.cost import estimate as estimate_run
from pipelines.methods.i2v3d.scene.renderer import AUTO, OPENGL, RENDERERS
from pipelines.methods.i2v3d.schedule import keyframe_indices, parse_indices
from pipelines.settings import Settings, setting

NEGATIVE_PROMPT = "ugly, blurry, low res, unrealistic, unaesthetic"
"""Upstream's negative prompt."""
RENDERS, KEYFRAMES, VIDEO = "coarse renders", "keyframes", "video"
STAGES = (RENDERS, KEYFRAMES, VIDEO)
WHOLE_PICTURE, CUT_OUT, NO_PICTURE = "the whole picture", "without its foreground", "nothing"
PAINTED, LAMP, BESIDE_CAMERA = "as painted", "a lamp", "beside the camera"
SHORT_WINDOW, FAR_TURN_DEGREES = 8, 60.0


@dataclass(frozen=True, kw_only=True)
class I2V3DMoves(Moves):
    """A move around the subject, which is at the picture's median depth times ``pivot``; the components add up."""

    around_degrees: float = setting(
        20.0, "Around", minimum=-180, maximum=180, step=1, help="Degrees around the subject, facing it; positive to the right."
    )  # fmt: skip
    over_degrees: float = setting(
        0.0, "Over", minimum=-80, maximum=80, step=1, help="Degrees over the subject, facing it; negative goes under it."
    )  # fmt: skip
    approach: float = setting(
        0.0, "Closer", minimum=-3, maximum=0.9, step=0.05,
        help="Share of the distance to the subject; negative moves away.",
    )  # fmt: skip
    slide: float = setting(
        0.0, "Slide", minimum=-2, maximum=2, step=0.05, help="To the right without turning, in distances to the subject."
    )  # fmt: skip
    lift: float = setting(
        0.0, "Lift", minimum=-2, maximum=2, step=0.05, help="Upwards without turning, in distances to the subject."
    )  # fmt: skip
    pace: str = setting(
        "even", "Pace", choices=presets.PACES, help="Even has constant speed; soft starts and stops gently.", advanced=True
    )  # fmt: skip
    pivot: float = setting(
        1.0, "Subject distance", minimum=0.1, maximum=10, step=0.05,
        help="Depth of the subject: 1 is the median depth of the picture's middle.", advanced=True,
    )  # fmt: skip
    frames: int = setting(
        16, "Frames", minimum=2, maximum=481, step=1,
        help="One window is 16 frames; 31, 46, 61 ... join several, and any other number ends in a shorter one.",
    )  # fmt: skip
    width: int = setting(1024, "Width", minimum=64, maximum=1920, step=8, advanced=True)
    height: int = setting(576, "Height", minimum=64, maximum=1920, step=8, advanced=True)


@dataclass(frozen=True, kw_only=True)
class I2V3DSettings(Settings):
    """All settings of a run except the camera: the scene, the keyframes, the video between them."""

    prompt: str = setting(
        "", "Prompt", lines=3, help="Describes the picture; with a trained LoRA it contains its rare word, as in: a sks car."
    )  # fmt: skip
    negative_prompt: str = setting(NEGATIVE_PROMPT, "Negative prompt", lines=2, advanced=True)
    inversion_prompt: str = setting("", "Prompt of the inversion", lines=2, advanced=True)
    lora_file: str = setting(
        "", "LoRA file", help="Of the subject, trained here or elsewhere; empty uses none.", file=True
    )
    lora_strength: float = setting(1.0, "LoRA strength", minimum=0, maximum=2, step=0.05, advanced=True)
    make: str = setting(
        VIDEO, "Make", choices=STAGES, help="Stop after the coarse renders or the keyframes to look at them first."
    )  # fmt: skip
    keyframes_file: str = setting(
        "", "Own keyframes", file=True,
        help="A zip of pictures named by frame, as in the files of every run; missing ones are generated.",
    )  # fmt: skip
    keyframes_at: str = setting(
        "", "Keyframes at", advanced=True,
        help="Frames counted from 0, as in 12, 30; the first and the last are always keyframes. Empty: one every window.",
    )  # fmt: skip
    keyframe_prompts: str = setting(
        "", "Prompts of single keyframes", lines=2, advanced=True,
        help="One per line, as in 15: A sks car in the rain. The others use the prompt above.",
    )  # fmt: skip
    foreground: str = setting(
        "by depth", "Foreground", choices=("by depth", "objects", "everything", "nothing"),
        help="The part that keeps its shape exactly; the background may change more, and looks alike in all keyframes. "
        "Objects always belong to it, except with nothing.",
    )  # fmt: skip
    foreground_reach: float = setting(
        1.3, "Foreground reach", minimum=0.05, maximum=10, step=0.05,
        help="Nearer than this many times the distance to the subject is foreground.",
    )  # fmt: skip
    background: str = setting(
        WHOLE_PICTURE, "Background", choices=(WHOLE_PICTURE, CUT_OUT, NO_PICTURE),
        help="Background from the picture. Without its foreground: hidden parts are invented. Nothing: only the objects remain.",
    )  # fmt: skip
    light: str = setting(
        PAINTED, "Light on objects", choices=(PAINTED, LAMP, BESIDE_CAMERA),
        help="As painted shows plain colours, as the method's authors render them.", advanced=True,
    )  # fmt: skip
    ambient: float = setting(
        0.5, "Light everywhere", minimum=0, maximum=1, step=0.05, help="Light on sides that face away from the lamp.",
        advanced=True,
    )  # fmt: skip
    light_around: float = setting(
        40.0, "Lamp around", minimum=-180, maximum=180, step=5, help="Degrees to the right of the viewer.", advanced=True
    )  # fmt: skip
    light_above: float = setting(45.0, "Lamp above", minimum=-90, maximum=90, step=5, advanced=True)
    renderer: str = setting(
        AUTO, "Renderer of objects", choices=RENDERERS, advanced=True,
        help="Both give the same picture. Auto uses OpenGL for long paths if it is installed and faster in a trial.",
    )  # fmt: skip
    seed: int = setting(1, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    steps: int = setting(50, "Keyframe steps", minimum=2, maximum=200, step=1)
    guidance: float = setting(7.5, "Keyframe guidance", minimum=1, maximum=20, step=0.5)
    feature_share: float = setting(
        0.6, "Feature injection", minimum=0, maximum=1, step=0.05,
        help="Share of the steps in which the foreground's features come from the render. Lower values change the look more.",
    )  # fmt: skip
    foreground_share: float = setting(
        1.0, "Foreground attention", minimum=0, maximum=1, step=0.05,
        help="Share of the steps in which the foreground's attention comes from the render.",
    )  # fmt: skip
    background_share: float = setting(
        0.8, "Background attention", minimum=0, maximum=1, step=0.05,
        help="The same for everything visible in the scene; afterwards only the foreground.",
    )  # fmt: skip
    guide_everywhere: bool = setting(
        False, "Guide everywhere", advanced=True,
        help="Features and attention come from the render in the whole picture, not only in the foreground or scene.",
    )  # fmt: skip
    depth_strength: float = setting(1.0, "Depth strength", minimum=0, maximum=2, step=0.05, advanced=True)
    together: int = setting(
        4, "Keyframes at once", minimum=1, maximum=12, step=1, help="Keyframes in a group share their background.", advanced=True
    )  # fmt: skip
    overlap: int = setting(1, "Shared by neighbours", minimum=0, maximum=6, step=1, advanced=True)
    window: int = setting(16, "Frames between keyframes", minimum=4, maximum=32, step=1,
                          help="Counting both keyframes.", advanced=True)  # fmt: skip
    video_steps: int = setting(25, "Video steps", minimum=2, maximum=100, step=1)
    video_guidance: float = setting(1.5, "Video guidance", minimum=1, maximum=5, step=0.1, advanced=True)
    video_feature_share: float = setting(
        1.0, "Video feature injection", minimum=0, maximum=1, step=0.05,
        help="Share of the video steps in which features come from the renders. Lower values allow more motion.",
    )  # fmt: skip
    video_attention_share: float = setting(1.0, "Video attention injection", minimum=0, maximum=1, step=0.05)
    use_depth: bool = setting(
        True, "Depth in the video", help="Off uses the coarse renders without depth.", advanced=True
    )
    video_depth_strength: float = setting(1.0, "Video depth strength", minimum=0, maximum=2, step=0.05)
    use_visibility: bool = setting(
        True, "Invent what is not seen", help="Holes of the scene start from noise and use no render.", advanced=True
    )  # fmt: skip
    fusion_share: float = setting(
        1.0, "Both directions", minimum=0, maximum=1, step=0.05, advanced=True,
        help="Share of the video steps that also run backwards from the later keyframe.",
    )  # fmt: skip
    motion_bucket: int = setting(127, "Motion", minimum=1, maximum=255, step=1, advanced=True)
    noise_level: float = setting(0.02, "Noise on the pictures", minimum=0, maximum=1, step=0.01, advanced=True)
    told_fps: int = setting(30, "Frame rate told to the network", minimum=2, maximum=60, step=1, advanced=True)
    decode_together: int = setting(
        4, "Frames decoded at once", minimum=1, maximum=32, step=1, help="Fewer need less memory and flicker more.",
        advanced=True,
    )  # fmt: skip
    form: str = setting(
        "corrected", "Form", choices=("corrected", "published code"),
        help="The published code loses the last frames, does not normalise pictures, pairs reversed frames with forward depth "
        "and masks, starts the source too faint, switches attention a step late and decodes frames one by one.",
        advanced=True,
    )  # fmt: skip

    @property
    def is_upstream(self) -> bool:
        return self.form == "published code"

    def keyframes(self, frames: int) -> list[int]:
        """Indices of the keyframes, counted from 0. Raises `InputError`."""
        if self.keyframes_at.strip():
            return parse_indices(frames, self.keyframes_at)
        return keyframe_indices(frames, self.window, upstream=self.is_upstream)

    def prompts(self, keyframes: list[int]) -> list[str]:
        """The prompt of each keyframe. Raises `InputError` for a line that names no keyframe."""
        own: dict[int, str] = {}
        for line in filter(str.strip, self.keyframe_prompts.splitlines()):
            number, colon, words = line.partition(":")
            if not colon or not number.strip().isdecimal() or int(number) not in keyframes:
                known = ", ".join(map(str, keyframes))
                raise InputError(
                    f"A keyframe's prompt begins with its frame, one of {known}, and a colon; got {line!r}."
                )
            own[int(number)] = words.strip()
        return [own.get(index, self.prompt) for index in keyframes]


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The move in the scene's world, starting at the picture's own camera and lens."""
    moves = cast(I2V3DMoves, moves)
    moved = presets.poses(
        moves.frames, around_degrees=moves.around_degrees, over_degrees=moves.over_degrees, approach=moves.approach,
        slide=moves.slide, lift=moves.lift, pace=moves.pace,
    )  # fmt: skip
    moved[:, :3, 3] *= scene.first.focus_depth * moves.pivot
    first = scene.first
    return CameraPath(moved, first.intrinsics, first.width, first.height, moves.fps).moved_to(first.world_from_camera)


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Raise `InputError` for inputs that cannot be run; returns notes on inputs unlike the training data."""
    settings = cast(I2V3DSettings, settings)
    _refuse(scene, path, settings)
    notes = (_window_note(path, settings), _turn_note(path), _size_note(path), _prompt_note(settings))
    return tuple(note for note in notes if note)


def _refuse(scene: Scene, path: CameraPath, settings: I2V3DSettings) -> None:
    if scene.kind != "still":
        raise InputError("I2V3D starts from one picture; open a still scene, or the first frame of the clip.")
    if path.width % 8 or path.height % 8:
        raise InputError(
            f"I2V3D needs width and height in multiples of 8, got {path.width}x{path.height}; "
            f"use {path.width // 8 * 8}x{path.height // 8 * 8}."
        )
    if settings.overlap >= settings.together:
        raise InputError(
            f"Neighbouring groups share {settings.overlap} of {settings.together} keyframes; share fewer than all."
        )
    if settings.renderer == OPENGL and isinstance(scene, StagedScene) and scene.objects:
        from pipelines.methods.i2v3d.scene.renderer import refuse_without_opengl

        refuse_without_opengl()
    found = settings.keyframes(len(path))
    settings.prompts(found)
    if settings.make == VIDEO and len(found) < 2:
        raise InputError(
            f"The published code finds one keyframe in {len(path)} frames; use more than {settings.window}, or the "
            "corrected form."
        )


def _window_note(path: CameraPath, settings: I2V3DSettings) -> str:
    found = settings.keyframes(len(path))
    if settings.is_upstream:
        return f"In the form of the published code the video ends at frame {found[-1] + 1} of {len(path)}."
    if settings.keyframes_at.strip():
        return ""
    last = found[-1] - found[-2] + 1
    if last >= min(SHORT_WINDOW, settings.window):
        return ""
    better = found[-2] + 1 if len(found) > 2 else settings.window
    return f"The last window has only {last} frames, far from the training data; {better} frames end with a full one."


def _turn_note(path: CameraPath) -> str:
    import numpy as np

    forward = path.world_from_camera[:, :3, 2]
    turn = float(np.degrees(np.arccos(np.clip(forward @ forward[0], -1, 1))).max())
    if turn <= FAR_TURN_DEGREES:
        return ""
    return (
        f"The camera turns {turn:.0f} degrees away; the scene from one picture shows little there, so most is invented."
    )


def _size_note(path: CameraPath) -> str:
    if path.width * path.height < 0.5 * 1024 * 576:
        return f"The networks were trained at about 1024x576; {path.width}x{path.height} may look worse."
    return ""


def _prompt_note(settings: I2V3DSettings) -> str:
    if settings.make != RENDERS and not settings.prompt.strip():
        return "Without a prompt the keyframes follow the scene alone; a sentence about the picture improves them."
    return ""


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """See `pipelines.methods.i2v3d.cost`."""
    settings = cast(I2V3DSettings, settings)
    keyframes = settings.keyframes(len(path))
    return estimate_run(
        path, keyframes, steps=settings.steps, video_steps=settings.video_steps, together=settings.together,
        use_depth=settings.use_depth, stages=STAGES.index(settings.make), decode_together=settings.decode_together,
    )  # fmt: skip


SDXL = Checkpoint(
    "SDXL", "stabilityai/stable-diffusion-xl-base-1.0",
    ("unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
     "text_encoder/config.json", "text_encoder/model.fp16.safetensors",
     "text_encoder_2/config.json", "text_encoder_2/model.fp16.safetensors",
     "tokenizer/*", "tokenizer_2/*"),
    gigabytes=6.8,
)  # fmt: skip
SDXL_VAE = Checkpoint(
    "SDXL VAE", "madebyollin/sdxl-vae-fp16-fix", ("config.json", "diffusion_pytorch_model.safetensors"), gigabytes=0.33
)
SDXL_DEPTH = Checkpoint(
    "depth ControlNet", "diffusers/controlnet-depth-sdxl-1.0",
    ("config.json", "diffusion_pytorch_model.fp16.safetensors"), gigabytes=2.5,
)  # fmt: skip
SVD = Checkpoint(
    "SVD", "stabilityai/stable-video-diffusion-img2vid",
    ("unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
     "vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors",
     "image_encoder/config.json", "image_encoder/model.fp16.safetensors"),
    gigabytes=4.5, gated=True,
)  # fmt: skip
SVD_DEPTH = Checkpoint(
    "video depth ControlNet", "CiaraRowles/temporal-controlnet-depth-svd-v1",
    ("controlnet/config.json", "controlnet/diffusion_pytorch_model.safetensors"), gigabytes=2.7,
)  # fmt: skip

CHECKPOINTS = (SDXL, SDXL_VAE, SDXL_DEPTH, SVD, SVD_DEPTH)

METHOD = Method(
    name="i2v3d",
    title="I2V3D",
    summary="The picture becomes a coarse 3D scene; SDXL repaints keyframes of the animated scene and SVD the frames between.",
    camera_use="Every pose is rendered exactly, including lens changes; colour, depth and features of the renders condition "
    "both networks.",
    nominal=False,
    paper="https://arxiv.org/abs/2503.09733",
    code="https://github.com/bestzzhang/I2V3D_code",
    licences=(
        Licence("code", "none stated", "https://github.com/bestzzhang/I2V3D_code",
                "The repository has no licence file, so reuse of the authors' code is not granted; this is an independent one."),
        Licence("SVD weights", "Stability AI Non-Commercial Community", "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid",
                "Stable Video Diffusion is for non-commercial use only, and so is what is made with it here."),
        Licence("video depth ControlNet weights", "not found", "https://huggingface.co/CiaraRowles/temporal-controlnet-depth-svd-v1",
                "No licence was found for these weights; ask their author before you publish or sell."),
        Licence("SDXL weights and depth ControlNet", "CreativeML Open RAIL++-M", "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0",
                "Use-based restrictions apply."),
        Licence("SDXL VAE", "MIT", "https://huggingface.co/madebyollin/sdxl-vae-fp16-fix"),
    ),
    checkpoints=CHECKPOINTS,
    moves=I2V3DMoves,
    settings=I2V3DSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.i2v3d.pipeline",
    scenes=("still",),
    projects="pipelines.methods.i2v3d.scene.project",
    rendered=(RENDERS, "coarse", "depth", "foreground", "visible", "normals"),
    links={"Examples and LoRAs": "https://huggingface.co/datasets/bestzzhang/I2V3D_examples"},
)  # fmt: skip
