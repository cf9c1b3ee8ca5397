"""GenXD's record: moves to a `CameraPath`, checks, estimate, licences and checkpoints."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from camera.path import CameraPath, inverse
from camera.trajectories import genxd, genxd_fits
from camera.trajectories.genxd import FRAMES
from camera.view import Scene
from pipelines.method import Checkpoint, Estimate, Licence, Method, Moves, check_same_size
from pipelines.methods.genxd import groups_plan
from pipelines.methods.genxd.settings import FITTED, GenXDMoves, GenXDSettings
from pipelines.settings import Settings


def path(moves: Moves, scene: Scene) -> CameraPath:
    """The move in the scene's world; the given picture's camera is frame 0, the middle or the last one."""
    moves = cast(GenXDMoves, moves)
    poses = _fit_trajectory(moves, scene) if moves.move in FITTED else _single(moves, scene)
    lens = _lens(moves, scene)
    if moves.move == "given cameras":
        lens = np.stack([view.intrinsics for view in scene.views]) if moves.focal == 0 else lens
    return CameraPath(poses, lens, moves.width, moves.height, moves.fps)


def _single(moves: GenXDMoves, scene: Scene) -> NDArray[np.float64]:
    if moves.move == "given cameras":
        if len(scene.views) < 2:
            raise InputError(
                "'given cameras' are those of several views or of a clip; open these, or choose another move."
            )
        return np.stack([view.world_from_camera for view in scene.views])
    azimuths = (moves.azimuth_start, moves.azimuth_end)
    scale = scene.first.focus_depth / genxd.RADIUS
    if moves.move == "orbit":
        poses = genxd.orbit(
            moves.frames,
            azimuths,
            elevation=moves.elevation,
            radius=moves.radius,
            scale=scale,
            consistent4d=moves.consistent4d,
        )
    else:
        poses = genxd.forward(
            moves.frames,
            azimuths,
            elevation=moves.elevation,
            radius=moves.radius,
            scale=scale,
            original_jump=moves.original_jump,
        )
    start = inverse(poses[genxd.given_index(moves.given, moves.frames)])
    return scene.first.world_from_camera @ start @ poses


def _fit_trajectory(moves: GenXDMoves, scene: Scene) -> NDArray[np.float64]:
    """The fit in its own coordinate frame, so that it does not depend on the origin and up direction of the scene's world."""
    views = np.stack([view.world_from_camera for view in scene.views])
    shifts_z = _numbers(moves.shifts_z, "Copies shifted in depth")
    multiples = _numbers(moves.multiples, "Copies of another size")
    if moves.move == "ellipse":
        world_from_fit = genxd_fits.levelled_world(views)
        views = inverse(world_from_fit) @ views
        return world_from_fit @ genxd_fits.ellipse(views, moves.frames, shifts_z=shifts_z, multiples=multiples)
    world_from_fit = genxd_fits.average_camera(views)
    views = inverse(world_from_fit) @ views
    if moves.move == "spline":
        shifts_x = _numbers(moves.shifts_x, "Copies shifted sideways")
        fit = genxd_fits.spline(views, moves.frames, shifts_x=shifts_x, shifts_z=shifts_z, multiples=multiples)
    else:
        near_far = _near_far(scene) if moves.spiral_target == "depth" else None
        percentile = 60 if near_far is None else 90
        fit = genxd_fits.spiral(
            views, moves.frames, percentile=percentile, near_far=near_far, shifts_z=shifts_z, multiples=multiples
        )
    return world_from_fit @ fit


def _near_far(scene: Scene) -> tuple[float, float]:
    depths = np.concatenate([view.depth[view.known] for view in scene.views])
    near, far = np.percentile(depths, [1, 99])
    return float(near), float(far)


def _lens(moves: GenXDMoves, scene: Scene) -> NDArray[np.float64]:
    if moves.focal == 0:
        return scene.first.intrinsics
    focal = moves.focal * moves.width
    return np.array([[focal, 0, (moves.width - 1) / 2], [0, focal, (moves.height - 1) / 2], [0, 0, 1]])


def _numbers(text: str, label: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise InputError(f"{label} must be numbers like 0.2, -0.4; got {text!r}.") from error
    if not all(np.isfinite(numbers)) or len(numbers) > 8:
        raise InputError(f"{label} must be at most 8 finite numbers; got {text!r}.")
    return numbers


def check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    """Raise `InputError` for unsupported inputs; returns changes to the path, one line each."""
    settings = cast(GenXDSettings, settings)
    if path.width % 64 or path.height % 64:
        raise InputError(
            f"GenXD's pictures need sides that are multiples of 64, got {path.width} x {path.height}; use 256 x 256."
        )
    check_same_size(scene, path)
    if settings.start_strength > 0 and settings.more_views and scene.kind == "clip":
        raise InputError("A clip can only be the start of 12 frames; turn off 'More than 12 views' or the start.")
    lines = list(groups_plan.plan(scene, path, settings).notes)
    if (path.width, path.height) != (256, 256):
        lines.append(f"The model was trained at 256 x 256 pixels; {path.width} x {path.height} may look worse.")
    if scene.kind == "clip" and settings.start_strength == 0:
        lines.append("Only the first frame of the clip is used; 'Start from the rehearsal' starts from all of it.")
    return tuple(lines)


def estimate(path: CameraPath, settings: Settings) -> Estimate:
    """Seconds on an A100 and peak gigabytes per memory mode; computed, see `BASIS`."""
    settings = cast(GenXDSettings, settings)
    groups = groups_plan.group_count(len(path), settings)
    rows = 1 if settings.guidance == 1 else 2
    area = path.width * path.height / 256**2
    per_pixel, per_pair = _TERAFLOPS["3D" if settings.mode == "3D" else "4D"]
    step = rows * (per_pixel * area + per_pair * area**2) / _A100_TERAFLOPS
    denoising, decoding = 0.35 * rows * area, 3.0 * area
    gigabytes = {
        "full": _UNET + _VAE + max(denoising, decoding),
        "fp8": _UNET / 2 + _VAE + max(denoising, decoding),
        "int8": _UNET - _LINEAR + _VAE + max(denoising, decoding),
        "model offload": max(_UNET + denoising, _VAE + decoding),
        "group offload": 0.3 + _VAE + max(denoising, decoding),
    }
    seconds = groups * (settings.steps * step + _DECODING_SECONDS * area)
    basis = BASIS
    if groups == 1 and len(path) > FRAMES:
        basis += f" From several given views it takes {-(-len(path) // (FRAMES - settings.contexts))} times as long."
    return Estimate(seconds, {mode: round(need, 1) for mode, need in gigabytes.items()}, basis)


_UNET, _VAE = 3.9, 0.4
"""Gigabytes: 1.93 billion parameters in half precision, and 98 million in float32."""
_LINEAR = 1.1
"""Gigabytes that 8-bit storage saves in the denoiser's linear layers, 1.1 billion of its parameters."""
_TERAFLOPS = {"3D": (3.28, 1.19), "4D": (4.61, 1.19)}
"""Operations per pass of one row at 256 x 256: those proportional to the area, and attention between pairs of pixels."""
_A100_TERAFLOPS = 312 * 0.3
_DECODING_SECONDS = 1.5
BASIS = (
    "Computed, not measured: operations counted layer by layer at 30 % of an A100's half-precision peak; weights plus the "
    "largest feature maps of 12 frames. The authors run everything in float32."
)

METHOD = Method(
    name="genxd",
    title="GenXD",
    summary="One picture or a few views become 12 new views of 256 x 256 pixels: of a still scene (3D), "
    "of a scene that moves (4D), or a plain video.",
    camera_use="Every pixel receives its ray, relative to the first given view. The model does not know the scene's scale, and "
    "video mode ignores the path.",
    nominal=False,
    paper="https://arxiv.org/abs/2411.02319",
    code="https://github.com/HeliosZhao/GenXD",
    licences=(
        Licence("code", "Apache-2.0", "https://github.com/HeliosZhao/GenXD/blob/main/LICENSE"),
        Licence(
            "weights",
            "not stated",
            "https://huggingface.co/Yuyang-z/genxd",
            "They were initialised from Stable Video Diffusion, whose licence restricts commercial use; read the card first.",
        ),
        Licence("data", "terms of VIPSeg and OpenVid-1M", note="CamVid-30K follows the terms of its two sources."),
    ),
    checkpoints=(Checkpoint("genxd", "Yuyang-z/genxd", ("unet/*", "vae/*", "scheduler/*"), gigabytes=8.1),),
    moves=GenXDMoves,
    settings=GenXDSettings,
    path=path,
    check=check,
    estimate=estimate,
    pipeline="pipelines.methods.genxd.pipeline",
    scenes=("still", "views", "clip"),
    links={"Project": "https://gen-x-d.github.io/"},
)
