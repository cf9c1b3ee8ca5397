"""GenXD's pipeline: networks from the Hub's folder layout, and the generator that shoots a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from numpy.typing import NDArray
from torch import Generator, Tensor

from camera.errors import InputError
from camera.horizon import padding_mask
from camera.path import CameraPath
from camera.render.scene import render_all
from camera.view import Scene, View
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.genxd.conditioning import VAE_FACTOR, Condition
from pipelines.methods.genxd.contact_sheet import contact_sheet
from pipelines.methods.genxd.export import camera_files, cameras_zip, reconstruction_zip
from pipelines.methods.genxd.groups_plan import Plan, Run, model_scale, plan
from pipelines.methods.genxd.method import METHOD
from pipelines.methods.genxd.network.unet import DOWN, DOWN_PLAIN, UP, UP_PLAIN, GenXDUNet
from pipelines.methods.genxd.network.vae import decode, encode
from pipelines.methods.genxd.sampling import denoise, first_step, noise
from pipelines.methods.genxd.settings import INDICATORS, GenXDSettings
from pipelines.settings import Settings
from pipelines.weights.checkpoints import fill_randomly, from_folder, on_meta_device, read_json
from pipelines.weights.hub import Weights, folder_of

SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "sigma_min": 0.002,
    "sigma_max": 700.0,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "steps_offset": 1,
    "use_karras_sigmas": True,
}
"""Stable Video Diffusion's scheduler configuration, for networks that come without a folder."""
TINY_UNET: dict[str, Any] = {
    "down_block_types": (DOWN_PLAIN, DOWN_PLAIN, DOWN),
    "up_block_types": (UP, UP_PLAIN, UP_PLAIN),
    "block_out_channels": (32, 32, 64),
    "num_attention_heads": (2, 2, 4),
    "layers_per_block": 1,
}
"""Attends on the smallest maps only, so that a CPU needs only seconds."""
VAE: dict[str, Any] = {"down_block_types": ("DownEncoderBlock2D",) * 4, "scaling_factor": 0.18215}
LATENT_TO_RGB = torch.tensor([[0.30, 0.21, 0.21], [0.19, 0.29, 0.17], [-0.16, 0.19, 0.26], [-0.18, -0.27, -0.47]])
"""(4,3): approximate colour (-1..1) of a Stable Diffusion latent pixel; for previews only."""


def load(weights: Weights) -> GenXDPipeline:
    """The networks: "real" from the hub's folders `unet`, `vae`, `scheduler`, each strictly; otherwise random, full-size or tiny.

    The autoencoder stays in float32, as published; it is small.
    """
    if weights.mode == "real":
        folder = folder_of(weights.files(METHOD.checkpoints[0]))
        unet = from_folder(GenXDUNet, folder, subfolder="unet", dtype=weights.dtype)
        vae = from_folder(AutoencoderKLTemporalDecoder, folder, subfolder="vae", dtype=torch.float32)
        schedule = read_json(folder / "scheduler" / "scheduler_config.json")
        return GenXDPipeline(unet, vae, schedule, torch.device(weights.device))
    tiny = weights.mode == "tiny"
    sizes: dict[str, Any] = {"block_out_channels": (32,) * 4, "layers_per_block": 1}
    if not tiny:
        sizes = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
    unet = on_meta_device(lambda: GenXDUNet(**TINY_UNET if tiny else {}))
    vae = on_meta_device(lambda: AutoencoderKLTemporalDecoder(**VAE, **sizes))
    fill_randomly(unet, seed=weights.seed, dtype=weights.dtype)
    fill_randomly(vae, seed=weights.seed, dtype=torch.float32)
    return GenXDPipeline(unet, vae, SCHEDULE, torch.device(weights.device))


class GenXDPipeline:
    """``components`` are moved by the runtime; tensors of a run are created on ``device``."""

    tiny_side = 128

    def __init__(
        self,
        unet: GenXDUNet,
        vae: AutoencoderKLTemporalDecoder,
        schedule: Mapping[str, Any],
        device: torch.device,
    ) -> None:
        self.components: dict[str, object] = {"unet": unet, "vae": vae}
        self.unet, self.vae, self.schedule = unet, vae, schedule
        vae._skip_layerwise_casting_patterns = (".*",)  # type: ignore[assignment]  # too small to store in 8 bits
        self.device: object = device

    @torch.inference_mode()
    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        """Run the plan; a first round of 12 views is yielded as a separate clip if others follow."""
        shot = _Shot(self, scene, plan(scene, path, cast(GenXDSettings, settings)), cast(GenXDSettings, settings))
        yield from shot.clips()


class _Shot:
    """One call of the pipeline."""

    def __init__(self, pipeline: GenXDPipeline, scene: Scene, plan: Plan, settings: GenXDSettings) -> None:
        self.pipeline, self.scene, self.plan, self.settings = pipeline, scene, plan, settings
        self.device = torch.device(cast(Any, pipeline.device))
        self.scheduler = cast(EulerDiscreteScheduler, EulerDiscreteScheduler.from_config(dict(pipeline.schedule)))
        self.generator = Generator().manual_seed(settings.seed)
        self.noise: Tensor | None = None

    def clips(self) -> Iterator[Progress | Clip]:
        final = np.zeros((len(self.plan.path), self.plan.path.height, self.plan.path.width, 3), np.uint8)
        given: set[int] = set()
        pictures = _tensor(np.stack([view.colour for view in self.scene.views]))
        first_round = pictures
        for number, run in enumerate(self.plan.runs):
            sources = pictures if run.source == "scene" else first_round
            frames = yield from self._run(number, run, sources[list(run.pictures)])
            if number == 0:
                first_round = frames
            for frame, made in enumerate(run.makes):
                if made >= 0:
                    final[made] = _bytes(frames[frame])
                    if frame in run.given:
                        given.add(made)
            if number == 0 and len(self.plan.runs) > 1 and self.plan.runs[1].source == "first run":
                yield self._clip(np.stack([_bytes(frame) for frame in frames]), run.cameras, set(run.given))
        yield self._clip(final, self.plan.path, given)

    def _run(self, number: int, run: Run, pictures: Tensor) -> Iterator[Progress]:
        """Frames (12,3,H,W) in 0..1 on the CPU; ``pictures`` (C,3,H,W) are those of the run's given frames."""
        settings, pipeline = self.settings, self.pipeline
        start = self._start(run)
        condition = Condition.of(
            encode(pipeline.vae, pictures.to(self.device)),
            run.given,
            run.cameras,
            scale=model_scale(self.scene, settings),
            indicator=INDICATORS[settings.mode],
            motion=settings.motion_strength,
        )
        steps = denoise(
            pipeline.unet,
            self.scheduler,
            condition,
            self._noise(condition.clean),
            steps=settings.steps,
            guidance=settings.guidance,
            start=start,
            strength=settings.start_strength,
        )
        count = settings.steps - (first_step(settings.steps, settings.start_strength) if start is not None else 0)
        runs = len(self.plan.runs)
        note = f"group {number + 1} of {runs}" if runs > 1 else ""
        latents = condition.clean
        for step, (noisy, expected) in enumerate(steps):
            latents = noisy
            preview = _preview(condition.restored(expected)[0], run)
            yield Progress("Shooting", number * count + step + 1, runs * count, preview, note)
        yield Progress("Developing", number + 1, runs, note=note)
        return decode(pipeline.vae, condition.restored(latents)[0]).cpu()

    def _noise(self, like: Tensor) -> Tensor:
        if self.noise is None or not self.settings.share_noise:
            self.noise = noise(tuple(like.shape), self.generator, like)
        return self.noise

    def _start(self, run: Run) -> Tensor | None:
        """Latents (1,12,4,h,w) to start from: those of the clip, or of the rehearsal of a still scene."""
        if self.settings.start_strength == 0:
            return None
        if self.scene.kind == "clip":
            times = np.linspace(0, len(self.scene.views) - 1, len(run.cameras)).round().astype(int)
            frames = np.stack([self.scene.views[time].colour for time in times])
        else:
            frames = np.stack([image.colour for image in render_all(self.scene, run.cameras)])
        return encode(self.pipeline.vae, _tensor(frames).to(self.device), generator=self.generator)[None]

    def _clip(self, frames: Frames, path: CameraPath, given: set[int]) -> Clip:
        if self.settings.only_new and given:
            new_frames = [i for i in range(len(path)) if i not in given]
            frames, given = frames[new_frames], set()
            path = replace(
                path, world_from_camera=path.world_from_camera[new_frames], intrinsics=path.intrinsics[new_frames]
            )
        if self.settings.crop_padding:
            left, top, right, bottom = _inner(self.scene.first)
            frames = np.ascontiguousarray(frames[:, top:bottom, left:right])
            path = path.cropped(left, top, right - left, bottom - top)
        sheet = contact_sheet(frames, path, given)
        run = self.plan.runs[0]
        origin = run.cameras.world_from_camera[run.given[0]]
        files, notes = camera_files(path, origin) | {"cameras.zip": cameras_zip(path)}, self.plan.notes
        try:
            files["colmap.zip"] = reconstruction_zip(frames, path, self.scene)
        except InputError as error:  # a lens that COLMAP cannot store must not prevent the clip
            notes += (f"The reconstruction folder is missing: {error}",)
        return Clip(frames, path.fps, path, {"contact sheet": sheet[None]}, notes=notes, files=files)


def _tensor(frames: Frames) -> Tensor:
    """(F,H,W,3) bytes to (F,3,H,W) in 0..1."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def _bytes(frame: Tensor) -> NDArray[np.uint8]:
    """(3,H,W) in 0..1 to (H,W,3) bytes."""
    return (frame * 255).round().byte().permute(1, 2, 0).numpy()


def _preview(latents: Tensor, run: Run) -> NDArray[np.uint8]:
    """The frame farthest from the given ones, approximated from clean latents (F,4,h,w), at full size."""
    frame = max(range(len(latents)), key=lambda i: min(abs(i - given) for given in run.given))
    colour = latents[frame].permute(1, 2, 0).float().cpu() / VAE["scaling_factor"] @ LATENT_TO_RGB
    small = ((colour / 2 + 0.5).clamp(0, 1) * 255).byte().numpy()
    return small.repeat(VAE_FACTOR, axis=0).repeat(VAE_FACTOR, axis=1)


def _inner(view: View) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the area without padding, with even sides as video requires."""
    inside = ~padding_mask(view)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top
    return left, top, left + max(width - width % 2, 1), top + max(height - height % 2, 1)
