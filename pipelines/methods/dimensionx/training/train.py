"""Training a director: ``python -m pipelines.methods.dimensionx.training.train --data CLIPS --output FOLDER --name orbit_left``.

S-Directors learn a camera move from clips that show it, T-Directors motion from clips with a static camera; the recipe is
upstream's for both (LoRA of rank 256 with alpha 1 on CogVideoX-5b-I2V). ``accelerate launch -m pipelines.methods.dimensionx.training.train ...``
uses several GPUs. Starting again with the same output resumes from the last save.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from peft import LoraConfig
from torch import Generator, Tensor, nn

from camera.errors import InputError
from pipelines.media.video import complete, write_mp4
from pipelines.method import Progress
from pipelines.methods.dimensionx.clip import Shot, shoot
from pipelines.methods.dimensionx.latents import encode_text
from pipelines.methods.dimensionx.loras.layouts import TARGETS, LoraFile, save_lora
from pipelines.methods.dimensionx.method import DimensionXSettings
from pipelines.methods.dimensionx.network.load import load_networks
from pipelines.methods.dimensionx.network.rope import rotary_tables
from pipelines.methods.dimensionx.training.data import CaptionedClip, check_videos, find_clips, read_clip, with_camera
from pipelines.methods.dimensionx.training.loss import (
    Batch,
    draw_log_sigma,
    draw_timesteps,
    first_frame_only,
    learning_rate,
    velocity_loss,
    with_dropout,
    with_picture_noise,
)
from pipelines.methods.dimensionx.training.settings import PROGRAM, RESUMABLE, TrainSettings, check_name
from pipelines.training import Sample, TrainedWeights, TrainingStep
from pipelines.weights.hub import Weights

ADAPTER = "director_in_training"
STATE = "training.pt"
BETAS, EPSILON, DECAY, CLIP, EMA_DECAY = (0.9, 0.95), 1e-8, 1e-4, 0.1, 0.9999
REMEMBERED_CLIPS = 512
"""Number of clips whose latents stay in memory; 5 MB each at full size."""


def train(
    settings: TrainSettings, weights: Weights, *, accelerator: Accelerator | None = None
) -> Iterator[Progress | Sample | TrainedWeights]:
    """Yield a `TrainingStep` per step, a `Sample` at intervals, and at the end `TrainedWeights` with the LoRA and its moving average.

    Closing it saves after the current step; if started again with the same settings, it resumes from the last save.
    Raises `InputError` for clips that cannot be used and for an output folder of another training.
    """
    check_name(settings.name)
    clips = with_camera(find_clips(settings.data), settings.camera)  # type: ignore[arg-type]
    check_videos(clips)
    if not settings.output:
        raise InputError("A training needs an output folder; name one.")
    yield Progress("Loading", 0, 1)
    trainer = Trainer(settings, weights, clips, accelerator or Accelerator())
    try:
        if trainer.step:
            yield Progress("Going on", trainer.step, settings.steps)
        for step in range(trainer.step + 1, settings.steps + 1):
            loss, rate = trainer.update(step), learning_rate(step, settings.steps, settings.peak_rate)
            note = f"loss {loss:.4f}, learning rate {rate:.2e}"
            yield TrainingStep("Training", step, settings.steps, note=note, loss=loss, rate=rate)
            if settings.sample_every and step % settings.sample_every == 0 and trainer.is_main:
                yield from trainer.sample()
            if step % settings.save_every == 0 or step == settings.steps:
                trainer.save()
        yield TrainedWeights(trainer.file(), trainer.last_loss, (trainer.file("_ema"),))
    except GeneratorExit:
        if not trainer.is_saved:
            trainer.save()
        raise
    finally:
        trainer.leave()


class Trainer:
    """The state of one training: network with adapter, optimiser, moving average, and the number of the last step.

    No random state is carried from step to step (noise and order follow from seed and step number), so a resumed training
    equals an uninterrupted one.
    """

    def __init__(
        self, settings: TrainSettings, weights: Weights, clips: list[CaptionedClip], accelerator: Accelerator
    ) -> None:
        self.settings, self.clips, self.accelerator = settings, clips, accelerator
        self.device, self.dtype = accelerator.device, weights.dtype
        self.folder = Path(settings.output)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.networks = load_networks(weights, "image")
        self.step, self.last_loss = 0, float("nan")
        self._saved = 0
        self._moments: dict[int, tuple[Tensor, Tensor]] = {}
        self._pictures: dict[int, Tensor] = {}
        self._texts = self._encode_captions()
        self.matrices = self._add_adapter()
        self.optimiser: Any = torch.optim.AdamW(
            self.matrices, lr=settings.peak_rate, betas=BETAS, eps=EPSILON, weight_decay=DECAY
        )
        self.average = EMAModel(self.matrices, decay=EMA_DECAY)
        if (self.folder / STATE).is_file():
            self._continue()
        self.average.to(self.device)
        self.network, self.optimiser = accelerator.prepare(self.networks.transformer, self.optimiser)

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    @property
    def is_saved(self) -> bool:
        return self.step == self._saved

    def file(self, suffix: str = "") -> Path:
        return self.folder / f"{self.settings.name}_lora_weights{suffix}.safetensors"

    # one step

    def update(self, step: int) -> float:
        """One step of the optimiser over all accumulated batches; returns their mean loss."""
        settings, total = self.settings, 0.0
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, settings.steps, settings.peak_rate)
        for part in range(settings.accumulation):
            batch, rope = self.batch(step, part)
            loss = velocity_loss(self.network, batch, rope).mean() / settings.accumulation
            self.accelerator.backward(loss)
            total += loss.item()
        self.accelerator.clip_grad_norm_(self.matrices, CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.step(self.matrices)
        self.step, self.last_loss = step, total
        return total

    def batch(self, step: int, part: int) -> tuple[Batch, Any]:
        """The batch for one part of a step; deterministic for a seed and step."""
        settings, rank, ranks = self.settings, self.accelerator.process_index, self.accelerator.num_processes
        generator = _generator(settings.seed, step, part, rank)
        first = (((step - 1) * settings.accumulation + part) * ranks + rank) * settings.batch
        chosen = [self._clip_at(first + i) for i in range(settings.batch)]
        latents = torch.cat([self._latents(index, generator) for index in chosen])
        pictures = torch.cat([self._first_frame(index) for index in chosen])
        noise = torch.randn(pictures.shape, generator=generator)
        pictures = with_picture_noise(pictures, draw_log_sigma(len(chosen), generator), noise)
        image = first_frame_only(self._encode(pictures, generator), latents.shape[1])
        timesteps, signal = draw_timesteps(len(chosen), generator, rank=rank, ranks=ranks)
        text = torch.stack([self._texts[self.clips[index].caption] for index in chosen])
        batch = Batch(latents, image, torch.randn(latents.shape, generator=generator), text, timesteps, signal)
        batch = with_dropout(batch, generator)
        moved = Batch(*(getattr(batch, name).to(self.device) for name in Batch.__dataclass_fields__))
        networks = self.networks
        rope = rotary_tables(
            networks.transformer, latents.shape[1], networks.height, networks.width, device=self.device
        )
        return moved, rope

    def _clip_at(self, position: int) -> int:
        """Index of the clip at a position; the clips are shuffled anew in every epoch."""
        round_number, place = divmod(position, len(self.clips))
        order = torch.randperm(len(self.clips), generator=_generator(self.settings.seed, round_number))
        return int(order[place])

    @torch.no_grad()
    def _latents(self, index: int, generator: Generator) -> Tensor:
        """(1,T,C,h,w): a new sample of a clip's latents; mean and standard deviation are cached."""
        if index not in self._moments:
            video = self._clip(index)[None].to(self.device, self.dtype)
            encoded: Any = self.networks.vae.encode(video)
            if len(self._moments) < REMEMBERED_CLIPS:
                self._moments[index] = (encoded.latent_dist.mean.cpu(), encoded.latent_dist.std.cpu())
            mean, deviation = encoded.latent_dist.mean.cpu(), encoded.latent_dist.std.cpu()
        else:
            mean, deviation = self._moments[index]
        sample = mean.float() + deviation.float() * torch.randn(mean.shape, generator=generator)
        return sample.transpose(1, 2) * self._scale

    @torch.no_grad()
    def _encode(self, pictures: Tensor, generator: Generator) -> Tensor:
        """(B,1,C,h,w) from first frames (B,3,1,H,W)."""
        encoded: Any = self.networks.vae.encode(pictures.to(self.device, self.dtype))
        mean, deviation = encoded.latent_dist.mean.float().cpu(), encoded.latent_dist.std.float().cpu()
        return (mean + deviation * torch.randn(mean.shape, generator=generator)).transpose(1, 2) * self._scale

    @property
    def _scale(self) -> float:
        config: Any = self.networks.vae.config
        return config.scaling_factor

    def _clip(self, index: int) -> Tensor:
        networks = self.networks
        return read_clip(
            self.clips[index].video, frames=self.settings.frames, width=networks.width, height=networks.height
        )

    def _first_frame(self, index: int) -> Tensor:
        """(1,3,1,H,W): the first frame of a clip, cached."""
        if index not in self._pictures:
            picture = self._clip(index)[None, :, :1].clone()
            if len(self._pictures) >= REMEMBERED_CLIPS:
                return picture
            self._pictures[index] = picture
        return self._pictures[index]

    # setting up

    @torch.no_grad()
    def _encode_captions(self) -> dict[str, Tensor]:
        """(L,D) per caption; the text encoder leaves the device afterwards."""
        networks = self.networks
        encoder: Any = networks.text_encoder
        encoder.to(self.device)
        texts = {
            caption: encode_text(networks, caption, device=self.device)[0][0].to(self.dtype).cpu()
            for caption in sorted({clip.caption for clip in self.clips})
        }
        encoder.to("cpu")
        networks.vae.to(self.device)
        return texts

    def _add_adapter(self) -> list[nn.Parameter]:
        """Add the trainable matrices, in float32: A with Kaiming initialisation, B zeros."""
        settings, transformer = self.settings, self.networks.transformer
        if getattr(transformer, "peft_config", None):
            transformer.unload_lora()
        transformer.requires_grad_(False)
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(TARGETS))  # type: ignore[arg-type]
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            transformer.add_adapter(config, adapter_name=ADAPTER)
        if settings.checkpointing:
            transformer.enable_gradient_checkpointing()
        matrices = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
        for matrix in matrices:
            matrix.data = matrix.data.float()
        placed: Any = (
            transformer  # before the optimiser is created, so that its state is on the same device as the matrices
        )
        placed.to(self.device)
        return matrices

    # saving and continuing

    def save(self) -> None:
        """Save the LoRA, its moving average, a copy named after the step, and the state for resuming."""
        if not self.is_main:
            return
        save_lora(self.file(), self.lora())
        save_lora(self.file(f"_{self.step:06d}"), self.lora())
        self.average.store(self.matrices)
        self.average.copy_to(self.matrices)
        save_lora(self.file("_ema"), self.lora())
        self.average.restore(self.matrices)
        state = {
            "step": self.step,
            "loss": self.last_loss,
            "settings": self.settings.values(),
            "matrices": [matrix.detach().cpu() for matrix in self.matrices],
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
        }
        with complete(self.folder / STATE) as part:
            torch.save(state, part)
        self._saved = self.step

    def lora(self) -> LoraFile:
        """The adapter in its current state."""
        tensors = {
            name.replace(f".{ADAPTER}.", "."): value.detach().cpu().to(self.dtype)
            for name, value in self.networks.transformer.named_parameters()
            if f".{ADAPTER}." in name
        }
        return LoraFile(self.settings.name, tensors, self.settings.rank, self.settings.alpha)

    def _continue(self) -> None:
        state = torch.load(self.folder / STATE, map_location="cpu", weights_only=True)
        now, then = self.settings.values(), state["settings"]
        if changed := [name for name in now if name not in RESUMABLE and now[name] != then.get(name)]:
            raise InputError(
                f"{self.folder.name} contains a training with {changed[0]} {then.get(changed[0])!r}, not {now[changed[0]]!r}; "
                "resume it with the same settings or choose another folder."
            )
        for matrix, stored in zip(self.matrices, state["matrices"]):
            matrix.data.copy_(stored)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.step, self.last_loss = state["step"], state["loss"]
        self._saved = self.step

    def leave(self) -> None:
        """Remove the adapter from the network, which others may share."""
        self.networks.transformer.disable_gradient_checkpointing()
        self.networks.transformer.unload_lora()

    # looking at it

    @torch.no_grad()
    def sample(self) -> Iterator[Progress | Sample]:
        """A sample video from the first clip's first frame and caption, with the director's current state."""
        settings, networks = self.settings, self.networks
        clip = self.clips[0]
        picture = ((self._first_frame(0)[0, :, 0] / 2 + 0.5) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        text = self._texts[clip.caption][None].to(self.device)
        run = DimensionXSettings(steps=settings.sample_steps, prompt=clip.caption, seed=settings.seed)
        for event in shoot(
            networks, run, text=torch.cat([torch.zeros_like(text), text]), picture=picture, frames=settings.frames,
            generator=_generator(settings.seed), device=self.device, phase="Sampling",
        ):  # fmt: skip
            if isinstance(event, Shot):
                folder = self.folder / "samples"
                folder.mkdir(exist_ok=True)
                yield Sample(write_mp4(folder / f"step-{self.step:06d}.mp4", event.frames, 8.0), self.step)
            else:
                yield event


def _generator(*numbers: int) -> Generator:
    """A generator seeded only by these numbers."""
    digest = hashlib.sha256(" ".join(map(str, numbers)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def main() -> None:
    parser = argparse.ArgumentParser(PROGRAM, description=(__doc__ or "").split("\n\n")[1])
    for name, control in TrainSettings.controls().items():
        default = TrainSettings.defaults()[name]
        kind: Any = argparse.BooleanOptionalAction if isinstance(default, bool) else None
        extra = {"action": kind} if kind else {"type": type(default), "choices": control.choices}
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, help=control.help or control.label, **extra)
    parser.add_argument("--weights", choices=("real", "tiny", "random"), default="real")
    given = vars(parser.parse_args())
    mode = given.pop("weights")
    accelerator = Accelerator()
    try:
        for event in train(TrainSettings(**given), Weights(mode, device=accelerator.device), accelerator=accelerator):
            if accelerator.is_main_process:
                print(_event_text(event), flush=True)
    except InputError as error:
        raise SystemExit(str(error)) from error


def _event_text(event: Progress | Sample | TrainedWeights) -> str:
    if isinstance(event, Progress):
        return f"{event.phase} {event.step}/{event.steps} {event.note}"
    if isinstance(event, Sample):
        return f"Sample {event.file}"
    return f"Trained {event.file}, loss {event.loss:.4f}"


if __name__ == "__main__":
    main()
