"""A small real method for tests of the runtime: a diffusers transformer denoises, a diffusers autoencoder decodes.

`TOY` is its record. `Behaviour` lets a test make one step fail; nothing of the runtime is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakSet

import numpy as np
import torch
from diffusers import AutoencoderKL, CogVideoXTransformer3DModel

from camera.errors import InputError
from camera.path import CameraPath, pinhole
from camera.view import Scene, View
from pipelines.method import Checkpoint, Clip, Estimate, Licence, Method, Moves, Progress
from pipelines.settings import Settings, setting
from pipelines.weights.components import component
from pipelines.weights.hub import Weights

VAE = Checkpoint("toy vae", "reshoot/toy-vae", ("config.json", "*.safetensors"), gigabytes=0.001)
TRANSFORMER = Checkpoint("toy transformer", "reshoot/toy", ("transformer/*",), gigabytes=0.001)

TRANSFORMER_CONFIG = {
    "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 4, "out_channels": 4, "time_embed_dim": 8,
    "text_embed_dim": 16, "num_layers": 3, "sample_width": 8, "sample_height": 8, "sample_frames": 5,
    "max_text_seq_length": 4, "temporal_compression_ratio": 4, "use_rotary_positional_embeddings": False,
}  # fmt: skip
VAE_CONFIG = {
    "block_out_channels": (8,) * 4, "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ToySettings(Settings):
    seed: int = setting(0, "Seed", minimum=0, maximum=2**31 - 1, step=1)
    steps: int = setting(4, "Steps", minimum=1, maximum=500, step=1)
    prompt: str = setting("", "Prompt")


@dataclass(frozen=True, kw_only=True)
class ToyMoves(Moves):
    frames: int = setting(2, "Frames", minimum=1, maximum=16, step=1)
    width: int = setting(64, "Width", minimum=16, maximum=256, step=16)
    height: int = setting(64, "Height", minimum=16, maximum=256, step=16)
    travel: float = setting(0.2, "Travel", minimum=-1, maximum=1, step=0.1)


@dataclass
class Behaviour:
    """What to do in a step (called with its number), and how many steps have begun."""

    in_step: Callable[[int], None] = lambda step: None
    begun: int = 0
    loads: int = 0
    alive: WeakSet = field(default_factory=WeakSet)


behaviour = Behaviour()


def toy_path(moves: Moves, scene: Scene) -> CameraPath:
    poses = np.repeat(np.eye(4)[None], moves.frames, axis=0)
    poses[:, 0, 3] = np.linspace(0, cast(ToyMoves, moves).travel, moves.frames)
    return CameraPath(poses, scene.first.intrinsics, scene.first.width, scene.first.height, moves.fps)


def toy_check(scene: Scene, path: CameraPath, settings: Settings) -> tuple[str, ...]:
    if path.width % 16 or path.height % 16:
        raise InputError(f"The toy needs sizes in multiples of 16, got {path.width} x {path.height}.")
    return ()


def toy_estimate(path: CameraPath, settings: Settings) -> Estimate:
    full = 10.0 * len(path) / 2 * (path.width * path.height) / 64**2
    needs = {"full": full, "model offload": full * 0.6, "group offload": full * 0.4}
    return Estimate(cast(ToySettings, settings).steps * 1.0, needs, "made up")


def load(weights: Weights) -> ToyPipeline:
    behaviour.loads += 1
    transformer = component(
        weights, CogVideoXTransformer3DModel, TRANSFORMER, tiny=TRANSFORMER_CONFIG, full=TRANSFORMER_CONFIG,
        subfolder="transformer",
    )  # fmt: skip
    vae = component(weights, AutoencoderKL, VAE, tiny=VAE_CONFIG, full=VAE_CONFIG)
    pipeline = ToyPipeline(transformer, vae)
    behaviour.alive.add(pipeline)
    return pipeline


class ToyPipeline:
    def __init__(self, transformer: Any, vae: Any) -> None:
        self.transformer, self.vae = transformer, vae
        self.components: dict[str, object] = {"transformer": transformer, "vae": vae}
        self.device: object = "cpu"

    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        settings = cast(ToySettings, settings)
        device = cast(Any, self.device)
        generator = torch.Generator().manual_seed(settings.seed)
        latents = torch.randn(1, len(path), 4, path.height // 8, path.width // 8, generator=generator).to(device)
        text = torch.zeros(1, 4, 16, device=device)
        for step in range(settings.steps):
            behaviour.begun += 1
            behaviour.in_step(step)
            with self.transformer.cache_context("cond"):
                time = torch.full((1,), 999 * (1 - step / settings.steps), device=device)
                noise = self.transformer(latents, text, time, return_dict=False)[0]
            latents = latents - noise / settings.steps
            yield Progress("Denoising", step + 1, settings.steps)
        pictures = self.vae.decode(latents[0], return_dict=False)[0]
        frames = ((pictures.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).cpu().numpy()
        yield Progress("Decoding", 1, 1)
        yield Clip(frames, path.fps, path, files={"process": f"{os.getpid()} {behaviour.loads}".encode()})


def toy(name: str = "toy", pipeline: str = __name__) -> Method:
    return Method(
        name=name, title="Toy", summary="For tests.", camera_use="Not at all.", nominal=False, paper="", code="",
        licences=(Licence("code", "Apache-2.0"),), checkpoints=(TRANSFORMER, VAE), moves=ToyMoves, settings=ToySettings,
        path=toy_path, check=toy_check, estimate=toy_estimate, pipeline=pipeline,
    )  # fmt: skip


TOY = toy()


def toy_scene(size: int = 64) -> Scene:
    colour = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return Scene((View.of(colour, np.full((size, size), 2.0), pinhole(size, size, 60)),))


def toy_shot(**moves: Any) -> tuple[Scene, CameraPath, ToySettings]:
    scene = toy_scene()
    return scene, toy_path(ToyMoves(**moves), scene), ToySettings()
