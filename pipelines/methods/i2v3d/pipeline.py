"""One run of I2V3D: a picture with depth and a path to coarse renders, keyframes and the video between them."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.objects.scene import StagedScene
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.i2v3d.keyframes import files as own_keyframes
from pipelines.methods.i2v3d.keyframes import prompts as words
from pipelines.methods.i2v3d.keyframes import sampling as phase2
from pipelines.methods.i2v3d.keyframes.injection import Masks, scale_masks
from pipelines.methods.i2v3d.load import KeyframeNetworks, VideoNetworks, load_keyframe_networks, load_video_networks
from pipelines.methods.i2v3d.method import KEYFRAMES, METHOD, RENDERS, VIDEO, I2V3DSettings
from pipelines.methods.i2v3d.scene.coarse import CoarseRenders, render_path
from pipelines.methods.i2v3d.scene.project import Project, pack
from pipelines.methods.i2v3d.schedule import sliding_windows
from pipelines.methods.i2v3d.subject import lora
from pipelines.methods.i2v3d.video import window as video
from pipelines.settings import Settings
from pipelines.weights.hub import Weights

TINY_PIXELS, TINY_STEPS = 128 * 72, 3
"""Picture size for tiny weights, so that a run takes seconds on any machine."""
PREVIEW_EVERY = 5


def load(weights: Weights) -> I2V3DPipeline:
    """Networks for "real", "tiny" or "random" weights; nothing is moved to a device yet."""
    return I2V3DPipeline(weights)


class I2V3DPipeline:
    """``components`` are moved by the runtime; tensors of a run are created on ``device``, in ``dtype``.

    Each phase's networks are loaded when a run first needs them.
    """

    together = (("keyframe_unet", "keyframe_controlnet"), ("video_unet", "video_controlnet"))
    """Pairs of networks that alternate within every step, so they stay on the device together."""

    def __init__(self, weights: Weights) -> None:
        self.weights, self.device, self.dtype = weights, torch.device(weights.device), weights.dtype
        self._keyframe: KeyframeNetworks | None = None
        self._video: VideoNetworks | None = None
        self.components: dict[str, object] = {}
        self._attached, self._of_lora = ("", 1.0), ()

    def prepare(self, scene: Scene, path: CameraPath, settings: Settings) -> None:
        """Load the networks of the phases that these settings use."""
        settings = cast(I2V3DSettings, settings)
        if settings.make != RENDERS and self._keyframe is None:
            self._keyframe = loaded = load_keyframe_networks(self.weights)
            self.components |= {
                "text_encoder": loaded.text_encoder, "text_encoder_2": loaded.text_encoder_2,
                "keyframe_vae": loaded.vae, "keyframe_controlnet": loaded.controlnet, "keyframe_unet": loaded.unet,
            }  # fmt: skip
        if self._keyframe is not None and settings.make != RENDERS:
            wanted = (settings.lora_file, settings.lora_strength)
            if wanted != self._attached:
                self._of_lora = lora.attach_lora(self._keyframe.trainable, *wanted)
                self._attached = wanted
        if settings.make == VIDEO and self._video is None:
            self._video = between = load_video_networks(self.weights)
            self.components |= {
                "image_encoder": between.image_encoder, "video_vae": between.vae,
                "video_controlnet": between.controlnet, "video_unet": between.unet,
            }  # fmt: skip

    @torch.no_grad()
    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        """Phases: rendering, keyframes (inversion, denoising), then per window the same for the video.

        After each phase a `Clip` contains the results so far; the last one is the video, with all earlier results as extras.
        """
        settings = cast(I2V3DSettings, settings)
        notes = METHOD.check(scene, path, settings)
        self.prepare(scene, path, settings)
        try:
            yield from self._run(scene, path, settings, (*notes, *self._of_lora))
        finally:
            if self._keyframe is not None:
                lora.detach_lora(self._keyframe.trainable)
                self._attached, self._of_lora = ("", 1.0), ()

    def _run(
        self, scene: Scene, path: CameraPath, settings: I2V3DSettings, notes: tuple[str, ...]
    ) -> Iterator[Progress | Clip]:
        project = _project(scene, path, settings)
        if self.weights.mode == "tiny":
            scene, path, settings = _shrink_run(scene, path, settings)
        renders = yield from self._renders(scene, path, settings)
        notes += (renders.drawn,) if renders.drawn else ()
        extras = {"coarse": renders.colour, "depth": _grey(renders.depth), "foreground": _grey(renders.foreground)}
        if renders.normal is not None:
            extras |= {"visible": _grey(renders.visible), "normals": renders.normal}
        if settings.make == RENDERS:
            yield Clip(renders.colour, path.fps, path, extras=extras, notes=notes, files=project)
            return
        indices = settings.keyframes(len(path))
        prompts = settings.prompts(indices)
        if over := max(words.tokens_too_many(self.keyframe_networks, prompt) for prompt in prompts):
            notes += (f"The prompt is {over} tokens too long; its end was cut off.",)
        keyframes = yield from self._keyframes(renders.at(indices), settings, indices)
        files = project | {"keyframes.zip": own_keyframes.pack(keyframes, indices)}
        at_keys = CameraPath(
            path.world_from_camera[indices], path.intrinsics[indices], path.width, path.height, _slow_fps(path)
        )
        yield Clip(keyframes, at_keys.fps, at_keys, extras=extras, notes=notes, files=files)
        if settings.make == KEYFRAMES:
            return
        frames = yield from self._interpolate(renders, keyframes, indices, settings)
        held = _hold_keyframes(keyframes, indices)
        yield Clip(
            frames, path.fps, path.sliced(slice(0, len(frames))), extras={**extras, "keyframes": held}, notes=notes,
            files=files,
        )  # fmt: skip

    @property
    def keyframe_networks(self) -> KeyframeNetworks:
        assert self._keyframe is not None
        return self._keyframe

    @property
    def video_networks(self) -> VideoNetworks:
        assert self._video is not None
        return self._video

    def _renders(
        self, scene: Scene, path: CameraPath, settings: I2V3DSettings
    ) -> Generator[Progress, None, CoarseRenders]:
        yield Progress("Rendering the scene", 0, len(path))
        for made in render_path(scene, path, settings, normals=settings.make == RENDERS):
            if isinstance(made, CoarseRenders):
                return made
            yield Progress("Rendering the scene", made, len(path))
        raise AssertionError("rendering must end with all frames")

    # keyframes

    def _keyframes(
        self, renders: CoarseRenders, settings: I2V3DSettings, indices: list[int]
    ) -> Generator[Progress, None, Frames]:
        """(K,H,W,3) uint8: the user's own keyframes if given, the others generated."""
        height, width = renders.colour.shape[1:3]
        given: dict[int, NDArray[np.uint8]] = {}
        if settings.keyframes_file:
            given = own_keyframes.unpack(settings.keyframes_file, indices, width=width, height=height)
        if len(given) == len(indices):
            return np.stack([given[index] for index in indices])
        made = yield from self._paint(renders, settings, settings.prompts(indices))
        all_keyframes = dict(zip(indices, made)) | given
        return np.stack([all_keyframes[index] for index in indices])

    def _paint(
        self, renders: CoarseRenders, settings: I2V3DSettings, positive: list[str]
    ) -> Generator[Progress, None, Frames]:
        networks, (height, width) = self.keyframe_networks, renders.colour.shape[1:3]
        yield Progress("Encoding the prompt", 0, 1)
        positive = positive if len(set(positive)) > 1 else positive[:1]
        prompts = [settings.inversion_prompt, settings.negative_prompt, *positive]
        text = words.encode(networks, prompts, self.device)
        latents = phase2.encode_pictures(networks.vae, self._pictures(renders.colour))
        depth = self._to_device(torch.from_numpy(renders.depth_pictures))[:, None].expand(-1, 3, -1, -1)
        masks = Masks(*(scale_masks(torch.from_numpy(mask)) for mask in (renders.foreground, renders.visible)))
        coarse = phase2.CoarseKeyframes(latents, depth, masks.to(self.device))
        steered = phase2.SteeredSDXL(networks.unet, networks.controlnet, height, width)
        states = latents
        alone = phase2.PromptEmbeddings(text.embeddings[:1], text.pooled[:1])
        for number, so_far in phase2.invert(steered, coarse, alone, steps=settings.steps, together=settings.together):
            states = so_far
            yield Progress("Inverting the keyframes", number, settings.steps)
        options = phase2.KeyframeOptions(
            settings.steps, settings.guidance, settings.depth_strength, settings.feature_share,
            settings.foreground_share, settings.background_share, settings.together, settings.overlap,
            settings.guide_everywhere, settings.is_upstream,
        )  # fmt: skip
        windows = sliding_windows(len(latents), settings.together, settings.overlap)
        generator = torch.Generator().manual_seed(settings.seed)
        erased = ~masks.visible[height // 8, width // 8].view(-1, height // 8, width // 8)
        starts = [phase2.initial_latents(states, erased, frames, generator) for frames in windows]
        yield Progress("Painting the keyframes", 0, settings.steps)
        for step in phase2.denoise(steered, coarse, states, text, starts, options):
            latents = step.latents
            is_preview_step = step.number % PREVIEW_EVERY == 0 and step.number < step.count
            preview = _bytes(phase2.decode_pictures(networks.vae, step.clean))[0] if is_preview_step else None
            yield Progress("Painting the keyframes", step.number, step.count, preview)
        return _bytes(phase2.decode_pictures(networks.vae, latents))

    # video

    def _interpolate(
        self, renders: CoarseRenders, keyframes: Frames, indices: list[int], settings: I2V3DSettings
    ) -> Generator[Progress, None, Frames]:
        """(F,H,W,3): the windows joined at their shared keyframes."""
        parts: list[Frames] = []
        count = len(indices) - 1
        for number, (first, last) in enumerate(itertools.pairwise(indices), 1):
            suffix = f" {number} of {count}" if count > 1 else ""
            window = video.Window(renders.at(slice(first, last + 1)), keyframes[number - 1], keyframes[number])
            made: Frames | None = None
            for event in video.shoot(self.video_networks, window, settings, number, self.device, self.dtype, suffix):
                if isinstance(event, Progress):
                    yield event
                else:
                    made = event
            assert made is not None
            parts.append(made if number == count else made[:-1])
        return np.concatenate(parts)

    def _pictures(self, colour: Frames) -> Tensor:
        """(n,3,H,W) in 0..1."""
        return self._to_device(torch.from_numpy(colour)).permute(0, 3, 1, 2) / 255

    def _to_device(self, values: Tensor) -> Tensor:
        return values.to(device=self.device, dtype=self.dtype)


def _bytes(pictures: Tensor) -> Frames:
    """(n,3,H,W) in 0..1 to (n,H,W,3) uint8."""
    return (pictures * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _grey(values: NDArray) -> Frames:
    """(F,H,W) uint8 or bool to (F,H,W,3) uint8."""
    return np.repeat((values * np.uint8(255) if values.dtype == bool else values)[..., None], 3, axis=-1)


def _hold_keyframes(keyframes: Frames, indices: list[int]) -> Frames:
    """Show every keyframe until the next one."""
    shown = np.searchsorted(indices, np.arange(indices[-1] + 1), side="right") - 1
    return keyframes[shown]


def _project(scene: Scene, path: CameraPath, settings: I2V3DSettings) -> dict[str, bytes]:
    """The project as a file of the result for a scene with objects, since no other file contains them."""
    if not isinstance(scene, StagedScene) or not scene.objects:
        return {}
    return {"project.zip": pack(Project(scene, path, settings))}


def _slow_fps(path: CameraPath) -> float:
    """A frame rate that shows each keyframe long enough."""
    return min(path.fps, 2.0)


def _shrink_run(scene: Scene, path: CameraPath, settings: I2V3DSettings) -> tuple[Scene, CameraPath, I2V3DSettings]:
    """The same run with a smaller size and fewer steps, for networks that produce noise anyway."""
    shrink = min(1.0, (TINY_PIXELS / (path.width * path.height)) ** 0.5)
    width, height = (max(64, round(side * shrink / 8) * 8) for side in (path.width, path.height))
    steps, video_steps = min(settings.steps, TINY_STEPS), min(settings.video_steps, TINY_STEPS)
    fewer = replace(settings, steps=steps, video_steps=video_steps)
    return scene.fitted(width, height, "stretch"), path.resized(width, height), fewer
