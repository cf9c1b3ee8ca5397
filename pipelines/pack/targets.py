"""Preflight: which parts of a move other models lose, and which moves they cannot shoot.

Based on the models' public descriptions and example commands; none was run here. The numbers are those of published
examples; other values may work, so sizes and frame counts are recommended, not enforced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene


@dataclass(frozen=True)
class Target:
    """``frames``: (step, most), the number of frames is a multiple of step plus one, most 0 for no limit. ``multiple``: of width
    and height. ``parts``: parts of the pack that it uses. ``loses``: information that it does not receive. ``clip``: it
    re-shoots a video. ``zoom``: whether it supports zoom."""

    title: str
    frames: tuple[int, int]
    multiple: int
    parts: str
    loses: str
    clip: bool = False
    zoom: bool = True


TARGETS = {
    "ltx-ic-lora": Target(
        "LTX-Video with an IC-LoRA", (8, 257), 32, "depth16 as a video, or warped.mp4", "the camera's numbers, the hole mask, absolute depth"
    ),
    "wan-fun-camera": Target(
        "Wan Fun Camera", (4, 81), 16, "the first frame and cameras/realestate10k.txt", "all depth: the scene's scale is guessed by the model", zoom=False
    ),
    "vace": Target("VACE", (4, 81), 16, "warped.mp4 as video and holes.mp4 as mask", "the camera's numbers, depth unless it is given instead"),
    "recammaster": Target(
        "ReCamMaster", (4, 81), 16, "the clip itself and cameras/camera_extrinsics.json",
        "the lens, and all of the camera but 21 of its frames", clip=True, zoom=False,
    ),
    "uni3c": Target("Uni3C", (4, 81), 16, "warped.mp4, holes.mp4 and the camera", "normals, flow and tracks"),
    "sana-wm": Target(
        "SANA-WM", (8, 321), 32, "the first frame and the camera as poses or action strings", "depth and holes; the scene's scale is guessed", zoom=False
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Preflight:
    """``refusal``: why the move cannot be shot, "" if it can. ``losses``: sentences on what is lost."""

    target: Target
    refusal: str
    losses: tuple[str, ...]

    def sentence(self) -> str:
        if self.refusal:
            return f"**{self.target.title}** cannot shoot this: {self.refusal}"
        return " ".join([f"**{self.target.title}** takes {self.target.parts}.", *self.losses])


def preflight(name: str, scene: Scene, path: CameraPath) -> Preflight:
    """Check a move for the target ``name`` of `TARGETS`. Raises `InputError` for an unknown name."""
    if name not in TARGETS:
        raise InputError(f"Known targets are {', '.join(TARGETS)}; got {name!r}.")
    target = TARGETS[name]
    return Preflight(target, _refusal(target, scene, path), _losses(target, path))


def describe_targets(scene: Scene, path: CameraPath) -> str:
    """The section of the pack's README about all targets."""
    lines = [f"- {preflight(name, scene, path).sentence()}" for name in TARGETS]
    head = "## Other models\nBased on their public descriptions; none was run."
    return "\n".join([head, *lines, ""])


def _refusal(target: Target, scene: Scene, path: CameraPath) -> str:
    if target.clip and scene.kind != "clip":
        return f"it re-shoots a video, and this scene is a {scene.kind}; open a clip."
    if not target.zoom and _zooms(path):
        return "it does not support zoom; use a move without zoom."
    if len(path) < target.frames[0] + 1:
        return f"it needs at least {target.frames[0] + 1} frames, and the path has {len(path)}."
    return ""


def _losses(target: Target, path: CameraPath) -> tuple[str, ...]:
    step, most = target.frames
    found = [f"Lost: {target.loses}."]
    fitting = min((len(path) - 1) // step * step + 1, most)
    if fitting != len(path):
        found.append(f"It uses {fitting} of {len(path)} frames ({step}n + 1, at most {most}).")
    if path.width % target.multiple or path.height % target.multiple:
        sizes = [max(round(side / target.multiple), 1) * target.multiple for side in (path.width, path.height)]
        found.append(f"{path.width} x {path.height} becomes {sizes[0]} x {sizes[1]} (multiples of {target.multiple}).")
    return tuple(found)


def _zooms(path: CameraPath) -> bool:
    focal = path.intrinsics[:, 0, 0]
    return bool(np.ptp(focal) > 1e-3 * focal.mean())
