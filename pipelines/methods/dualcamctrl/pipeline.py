"""One run of DualCamCtrl: a picture with depth and a path to an RGB and a depth video."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.cloud import cloud_of
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.dualcamctrl import cameras, disparity, sampling, schedule
from pipelines.methods.dualcamctrl.method import METHOD, PICTURE, DualCamCtrlSettings, network_path
from pipelines.methods.dualcamctrl.network import encoders
from pipelines.methods.dualcamctrl.network import vae as wan
from pipelines.methods.dualcamctrl.network.load import Networks, load_networks
from pipelines.results import depth_frames
from pipelines.settings import Settings
from pipelines.weights.hub import Weights

CLOUD_POINTS = 300_000
"""Maximum number of points in the cloud saved beside the video."""


def load(weights: Weights) -> DualCamCtrlPipeline:
    """Networks for "real", "tiny" or "random" weights; nothing is moved to a device yet."""
    return DualCamCtrlPipeline(load_networks(weights), torch.device(weights.device), weights.dtype)


class DualCamCtrlPipeline:
    """``components`` are moved by the runtime; tensors of a run are created on ``device``, in ``dtype``."""

    together = (("transformer", "vae"),)
    """Networks that stay on the device together, for early frames."""
    tiny_side = 192

    def __init__(self, networks: Networks, device: torch.device, dtype: torch.dtype) -> None:
        self.networks, self.device, self.dtype = networks, device, dtype
        self.components: dict[str, object] = {
            "text_encoder": networks.text_encoder,
            "image_encoder": networks.image_encoder,
            "transformer": networks.transformer,
            "vae": networks.vae,
        }

    @torch.no_grad()
    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        """Phases: picture, prompt, camera, denoising, decoding. The clip's extra video and files contain the depth."""
        settings = cast(DualCamCtrlSettings, settings)
        notes = METHOD.check(scene, path, settings) + self._truncation_notes(settings)
        conditions = yield from self._conditions(scene, path, settings)
        last = yield from self._denoise(conditions, settings)
        yield Progress("Decoding the video", 0, 2)
        frames = wan.to_bytes(wan.decode_video(self.networks.vae, last.rgb)).numpy()
        yield Progress("Decoding the depth", 1, 2)
        brightness = (wan.decode_video(self.networks.vae, last.depth)[0].mean(dim=0) + 1) / 2
        yield _clip(scene, path, settings, frames, brightness.numpy(), notes)

    def _truncation_notes(self, settings: DualCamCtrlSettings) -> tuple[str, ...]:
        over = encoders.tokens_too_many(self.networks.tokenizer, settings.prompt)
        return (f"The prompt is {over} tokens too long; its end was cut off.",) if over else ()

    def _conditions(
        self, scene: Scene, path: CameraPath, settings: DualCamCtrlSettings
    ) -> Generator[Progress, None, sampling.Conditions]:
        networks, frames = self.networks, (len(path) - 1) // 4 + 1
        yield Progress("Reading the picture", 0, 3)
        picture, depth = self._pictures(scene.first, settings)
        tokens = encoders.encode_clip(networks.image_encoder, picture)
        seen, near = (
            encoders.beside_noise(wan.encode_picture(networks.vae, source), frames) for source in (picture, depth)
        )
        if settings.mode != PICTURE:
            seen, near = torch.zeros_like(seen), torch.zeros_like(near)
        yield Progress("Encoding the prompt", 1, 3)
        text, negative = (
            encoders.encode_text(networks.tokenizer, networks.text_encoder, words, self.device).to(self.dtype)
            for words in (settings.prompt, settings.negative_prompt)
        )
        yield Progress("Computing the camera's rays", 2, 3)
        rays = cameras.pack_rays(cameras.rays(network_path(scene, path, settings)))
        return sampling.Conditions(text, negative, tokens, seen, near, self._to_device(torch.from_numpy(rays)[None]))

    def _pictures(self, view: View, settings: DualCamCtrlSettings) -> tuple[Tensor, Tensor]:
        """Picture and disparity (1,3,H,W) in -1..1; both black in text-to-video mode."""
        sources = (view.colour, disparity.disparity_picture(view))
        if settings.mode != PICTURE:
            sources = tuple(np.zeros_like(source) for source in sources)
        picture, depth = (encoders.picture_tensor(source, self.dtype, self.device) for source in sources)
        return picture, depth

    def _denoise(
        self, conditions: sampling.Conditions, settings: DualCamCtrlSettings
    ) -> Generator[Progress, None, sampling.Step]:
        start = self._to_device(sampling.noise(tuple(conditions.picture.shape), settings.seed))
        sigmas = schedule.sigmas(settings.steps, shift=settings.shift, stage=settings.stage)
        yield Progress("Denoising", 0, len(sigmas) - 1)
        step = sampling.Step(0, len(sigmas) - 1, start, start, start)
        for step in sampling.denoise(self.networks.transformer, conditions, start, sigmas, settings.guidance):
            wanted = settings.preview_every and step.index % settings.preview_every == 0 and step.index < step.count
            yield Progress("Denoising", step.index, step.count, preview=self._early_frame(step) if wanted else None)
        return step

    def _early_frame(self, step: sampling.Step) -> NDArray[np.uint8]:
        """The predicted middle frame, (H,W,3)."""
        middle = step.clean_rgb.shape[2] // 2
        latent = step.clean_rgb[:, :, middle : middle + 1]
        return wan.to_bytes(wan.decode_video(self.networks.vae, latent))[0].numpy()

    def _to_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.dtype)


def _clip(
    scene: Scene,
    path: CameraPath,
    settings: DualCamCtrlSettings,
    frames: Frames,
    brightness: NDArray[np.float32],
    notes: tuple[str, ...],
) -> Clip:
    """The clip of both videos and their geometry; ``brightness`` (F,H,W) in 0..1, near is bright."""
    views = disparity.views(frames, brightness, depth_frames.disparity_range(scene.first), path)
    made = None
    if views and settings.mode == PICTURE:
        source = "disparity generated by DualCamCtrl, in the range of the first picture's depth"
        made = Scene(views, kind="clip", unit=scene.unit, fps=path.fps, source=source, name=scene.name)
    elif settings.mode == PICTURE:
        notes += ("A generated depth frame is infinitely far in all pixels, so there is no point cloud.",)
    grey = np.round(brightness * 255).astype(np.uint8)
    files = {depth_frames.DEPTH_FILE: depth_frames.sixteen_bit_zip(brightness)}
    if made is not None:
        files["points.ply"] = cloud_of(made, most=CLOUD_POINTS).ply_bytes()
    return Clip(
        frames,
        path.fps,
        path,
        extras={"depth": disparity.colour_disparity(grey, settings.depth_colours)},
        scene=made,
        notes=notes,
        files=files,
    )
