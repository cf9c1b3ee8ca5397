"""SANA-WM's record: camera controls, settings, limits, licences. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.trajectories import film_script
from camera.view import Scene
from pipelines.method import Checkpoint, Estimate, Licence, Method, Moves, check_same_size
from pipelines.settings import Settings, setting

STRIDE = 32  # pixels per latent; frames per latent are 8
TRAINED_SIZE, TRAINED_FPS, LONGEST = (1280, 704), 16, 961
MINUTE_SECONDS = 149.0
"""961 frames in 60 steps on one H100, from the reported 24.1 videos per hour for the first stage."""


@dataclass(frozen=True, kw_only=True)
class SanaWMMoves(Moves):
    """Film moves as text, see `camera.trajectories.film_script`."""

    film: str = setting("arc 20 ease", "Film moves", help="As dolly 0.4; arc 20 ease + pedestal 0.1; hold 1s.")
    frames: int = setting(161, "Frames", minimum=9, maximum=LONGEST, step=8, help="8k+1, a minute is 961.")
    width: int = setting(1280, "Width", minimum=64, maximum=1920, step=STRIDE, advanced=True)
    height: int = setting(704, "Height", minimum=64, maximum=1920, step=STRIDE, advanced=True)
    fps: float = setting(16.0, "Frames per second", minimum=1, maximum=60, step=1, advanced=True)


@dataclass(frozen=True, kw_only=True)
class SanaWMSettings(Settings):
    """All settings of a run except the camera path."""

    prompt: str = setting("", "Prompt", lines=3, help="Describe the scene in one or more sentences.")
    negative_prompt: str = setting("", "Negative prompt", lines=2, advanced=True)
    seed: int = setting(0, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    steps: int = setting(60, "Steps", minimum=1, maximum=200, step=1)
    guidance: float = setting(5.0, "Guidance", minimum=1, maximum=20, step=0.5, help="1: without negative prompt.")
    subject_metres: float = setting(
        3.0, "Subject distance in metres", minimum=0.1, maximum=1000, step=0.1, advanced=True,
        help="The network needs paths in metres. If the depth has no unit, the subject is assumed to be this far away.",
    )  # fmt: skip


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The moves from the picture's own camera."""
    moves = cast(SanaWMMoves, moves)
    return film_script.path_of(moves.film, scene.first, frames=moves.frames, fps=moves.fps)


def metres_per_unit(scene: Scene, settings: SanaWMSettings) -> float:
    """The factor from the path's unit to metres, the network's unit."""
    return 1.0 if scene.unit == "metres" else settings.subject_metres / scene.first.focus_depth


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Raise `InputError` for inputs that cannot be run; returns warnings about inputs unlike the training data."""
    if scene.kind != "still":
        raise InputError("SANA-WM starts from one picture; open a still scene, or the first frame of the clip.")
    if len(path) % 8 != 1 or not 9 <= len(path) <= LONGEST:
        lower = min(max(9, (len(path) - 1) // 8 * 8 + 1), LONGEST - 8)
        raise InputError(f"SANA-WM makes 8k+1 frames, 9 to {LONGEST}, got {len(path)}; use {lower} or {lower + 8}.")
    asked = f"{path.width} x {path.height}"
    if path.width % STRIDE or path.height % STRIDE:
        width, height = (max(64, round(side / STRIDE) * STRIDE) for side in (path.width, path.height))
        raise InputError(f"SANA-WM needs multiples of {STRIDE} pixels, got {asked}; use {width} x {height}.")
    check_same_size(scene, path)
    return tuple(_warnings(scene, path, cast(SanaWMSettings, settings)))


def _warnings(scene: Scene, path: CameraPath, settings: SanaWMSettings) -> list[str]:
    found = ["Only the first stage is run; the authors' second stage, which refines the video, is not."]
    if (path.width, path.height) != TRAINED_SIZE:
        found.append(f"The network was trained at {TRAINED_SIZE[0]} x {TRAINED_SIZE[1]}; other sizes are drafts.")
    if path.fps != TRAINED_FPS:
        found.append(f"The network was trained at {TRAINED_FPS} frames per second, not at {path.fps:g}.")
    offset = np.abs(path.world_from_camera[0] - scene.first.world_from_camera)[:3]
    if (offset > [1e-3, 1e-3, 1e-3, 1e-3 * scene.first.focus_depth]).any():
        found.append("The path does not begin at the picture's camera; the network assumes that it does.")
    if scene.unit != "metres":
        found.append(f"The scene's depth has no unit: its subject is assumed to be {settings.subject_metres:g} m away.")
    return found


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """Memory of the weights is counted, memory of a run is a guess, and time is based on the reported speed."""
    share = len(path) * path.width * path.height / (LONGEST * TRAINED_SIZE[0] * TRAINED_SIZE[1])
    room = 3.0 + 60.0 * share
    needs = {"full": 13.0 + room, "model offload": 5.3 + room, "group offload": 1.0 + room}
    seconds = MINUTE_SECONDS * share * cast(SanaWMSettings, settings).steps / 60
    return Estimate(
        seconds, needs, "weights counted, activations guessed, time from the reported speed of an H100; not measured"
    )


REPOSITORY = "Efficient-Large-Model/SANA-WM_bidirectional-diffusers"
CHECKPOINT = Checkpoint(
    "released", REPOSITORY, ("transformer/*", "vae/*", "text_encoder/*", "tokenizer/*", "scheduler/*"), gigabytes=13.0
)

METHOD = Method(
    name="sana_wm",
    title="SANA-WM",
    summary="A picture and a prompt become a video of up to a minute along the camera path.",
    camera_use="Every pose enters in metres, as rays in every block of the network; follows any path, including lens changes.",
    nominal=False,
    paper="https://arxiv.org/abs/2605.15178",
    code="https://github.com/NVlabs/Sana",
    licences=(
        Licence("code", "Apache-2.0", "https://github.com/NVlabs/Sana", "The networks' code comes from diffusers, Apache-2.0."),
        Licence("weights", "Apache-2.0", f"https://huggingface.co/{REPOSITORY}", "As stated in its repository; some parts have their own."),
        Licence("video decoder", "LTX-2 Community License", "https://huggingface.co/Lightricks/LTX-2",
                "LTX-2's decoder is part of the weights; read its terms before you sell your results."),
        Licence("text encoder", "Gemma Terms of Use", "https://ai.google.dev/gemma/terms",
                "Gemma 2 is part of the weights; its prohibited uses apply to you too."),
    ),
    checkpoints=(CHECKPOINT,),
    moves=SanaWMMoves,
    settings=SanaWMSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.sana_wm.pipeline",
    links={"Weights": f"https://huggingface.co/{REPOSITORY}", "Project": "https://nvlabs.github.io/Sana/WM/"},
)  # fmt: skip
