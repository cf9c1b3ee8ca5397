"""One run of SANA-WM: diffusers' own pipeline with our cameras, run step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video
from diffusers.models.transformers.transformer_sana_wm import SanaWMTransformer3DModel
from diffusers.pipelines.sana_wm.pipeline_sana_wm import SanaWMPipeline as DiffusersPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoTokenizer, Gemma2ForCausalLM

from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene
from pipelines.method import Clip, Progress
from pipelines.methods.sana_wm.method import CHECKPOINT, METHOD, SanaWMSettings, metres_per_unit
from pipelines.methods.sana_wm.steps import stepwise
from pipelines.settings import Settings
from pipelines.weights.checkpoints import read_json
from pipelines.weights.components import byte_tokenizer, component
from pipelines.weights.hub import Weights, folder_of

VAE = {"spatial_compression_ratio": 32, "temporal_compression_ratio": 8}
TINY_VAE = {
    **VAE, "latent_channels": 8, "block_out_channels": (8, 8, 16, 16), "decoder_block_out_channels": (8, 16, 32),
    "layers_per_block": (1,) * 5, "decoder_layers_per_block": (1,) * 4,
}  # fmt: skip
TINY_TEXT_ENCODER = {
    "vocab_size": 384, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 2048,
}  # fmt: skip
TINY_TRANSFORMER = {
    "in_channels": 8, "num_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "softmax_every_n": 2, "mlp_ratio": 2.0,
    "linear_head_dim": 16, "chunk_plucker_post_attn_blocks": 2, "caption_channels": 16,
}  # fmt: skip


class _Placed(DiffusersPipeline):
    """diffusers' pipeline that computes on the runtime's device, wherever its networks are between steps."""

    place: torch.device = torch.device("cpu")

    @property
    def _execution_device(self) -> torch.device:
        return self.place


def load(weights: Weights) -> SanaWMPipeline:
    """Networks for "real", "tiny" or "random" weights; nothing is moved to a device yet."""
    networks = {
        name: component(weights, kind, replace(CHECKPOINT, files=(f"{name}/*",)), subfolder=name, tiny=tiny, full=full)
        for name, kind, tiny, full in (
            ("text_encoder", Gemma2ForCausalLM, TINY_TEXT_ENCODER, {}),
            ("vae", AutoencoderKLLTX2Video, TINY_VAE, VAE),
            ("transformer", SanaWMTransformer3DModel, TINY_TRANSFORMER, {}),
        )
    }
    tokenizer, schedule = _tokenizer_and_schedule(weights)
    pipe = _Placed(tokenizer, scheduler=cast(Any, FlowMatchEulerDiscreteScheduler.from_config(schedule)), **networks)
    pipe.set_progress_bar_config(disable=True)
    return SanaWMPipeline(pipe, networks, torch.device(weights.device))


def _tokenizer_and_schedule(weights: Weights) -> tuple[Any, dict[str, Any]]:
    if weights.mode != "real":
        return byte_tokenizer(TINY_TEXT_ENCODER["vocab_size"], max_length=4096), {}
    folder = folder_of(weights.files(replace(CHECKPOINT, files=("tokenizer/*", "scheduler/*"))))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (ImportError, OSError, ValueError) as error:
        raise InputError("Gemma's vocabulary could not be read: download the folder tokenizer again.") from error
    return tokenizer, read_json(folder / "scheduler" / "scheduler_config.json")


class SanaWMPipeline:
    """``components`` are moved by the runtime; tensors of a run are created on ``device``."""

    tiny_side = 128

    def __init__(self, pipe: _Placed, networks: dict[str, Any], device: torch.device) -> None:
        self.pipe, self.device, self.components = pipe, device, networks

    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        """Phases: prompt and picture, denoising, decoding."""
        settings = cast(SanaWMSettings, settings)
        notes = METHOD.check(scene, path, settings)
        yield Progress("Encoding prompt and picture", 0, 1)
        frames = yield from stepwise(lambda tell: self._video(scene, path, settings, tell))
        yield Clip(frames, path.fps, path, notes=notes)

    def _video(
        self, scene: Scene, path: CameraPath, settings: SanaWMSettings, tell: Callable[[Progress], None]
    ) -> NDArray[np.uint8]:
        """(F,H,W,3): the video; ``tell`` is called after every step and may end the run by raising."""

        def told(pipe: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            tell(Progress("Denoising", step + 1, settings.steps))
            if step + 1 == settings.steps:
                tell(Progress("Decoding", 0, 1))
            return tensors

        self.pipe.place, (poses, lenses) = torch.device(self.device), cameras(scene, path, settings)
        made = self.pipe(
            Image.fromarray(scene.first.colour), settings.prompt, c2w=poses, intrinsics=lenses, height=path.height,
            width=path.width, num_frames=len(path), num_inference_steps=settings.steps, guidance_scale=settings.guidance,
            negative_prompt=settings.negative_prompt, generator=torch.Generator().manual_seed(settings.seed),
            callback_on_step_end=told,
        )  # fmt: skip
        return (np.asarray(made.frames) * 255).round().astype(np.uint8)  # type: ignore[union-attr]


def cameras(scene: Scene, path: CameraPath, settings: SanaWMSettings) -> tuple[NDArray, NDArray]:
    """The network's cameras: poses (F,4,4), world from camera in metres, and fx, fy, cx, cy (F,4) in pixels.

    Pixels are counted from the picture's corner, so the centre of a centred lens is at half the width.
    """
    poses = path.scaled(metres_per_unit(scene, settings)).world_from_camera.astype(np.float32)
    lenses = path.intrinsics[:, [0, 1, 0, 1], [0, 1, 2, 2]] + [0, 0, 0.5, 0.5]
    return poses, lenses.astype(np.float32)
