"""Phase 1: trains SDXL on a subject, as a LoRA, from its picture and from masked views of its 3D."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from camera.errors import InputError
from pipelines.media.video import complete
from pipelines.method import Progress
from pipelines.methods.i2v3d.keyframes import prompts as words
from pipelines.methods.i2v3d.keyframes.sampling import TRAINED_STEPS, PromptEmbeddings, Schedule, decode_pictures
from pipelines.methods.i2v3d.load import load_keyframe_networks
from pipelines.methods.i2v3d.method import NEGATIVE_PROMPT
from pipelines.methods.i2v3d.subject.adapter import (
    add_subject_adapter,
    add_text_adapters,
    kohya_state,
    save_subject,
    set_checkpointing,
    subject_state,
)
from pipelines.methods.i2v3d.subject.data import Views, instance, resize_shorter_side, view, view_mask
from pipelines.methods.i2v3d.subject.lora import UNET, detach_lora
from pipelines.methods.i2v3d.subject.settings import RESUMABLE, SubjectSettings
from pipelines.training import TrainedWeights, TrainingStep
from pipelines.weights.hub import Weights

FILE, KOHYA_FILE = "pytorch_lora_weights.safetensors", "pytorch_lora_weights_kohya.safetensors"
STATE = "training.pt"
SAMPLE_STEPS, TINY_SAMPLE_STEPS, SAMPLE_GUIDANCE = 25, 2, 7.5
BETAS, EPSILON, DECAY, CLIP = (0.9, 0.999), 1e-8, 1e-4, 1.0
TEXT_DECAY = 1e-3
"""Weight decay of the text encoders' matrices, as in diffusers' DreamBooth training."""
_NO_EIGHT_BIT = "8-bit Adam needs an NVIDIA GPU and the package bitsandbytes; install it, or switch that off."


@dataclass(frozen=True, eq=False)
class Batch:
    """The two rows of one step: picture and view.

    ``noisy`` and ``noise`` (2,4,h,w); ``times`` (2,); ``text`` of two rows; ``ids`` (2,6): original height and width, top
    and left of the crop, its height and width; ``mask`` (1,1,h,w) bool, the subject in the view.
    """

    noisy: Tensor
    noise: Tensor
    times: Tensor
    text: PromptEmbeddings
    ids: Tensor
    mask: Tensor


def predict(unet: nn.Module, batch: Batch) -> Tensor:
    """(2,4,h,w): the noise that the network predicts."""
    added = {"text_embeds": batch.text.pooled, "time_ids": batch.ids}
    return unet(
        batch.noisy, batch.times, encoder_hidden_states=batch.text.embeddings, added_cond_kwargs=added, return_dict=False
    )[0]  # fmt: skip


def losses(predicted: Tensor, batch: Batch, *, snr_gamma: float = 0.0) -> tuple[Tensor, Tensor]:
    """Losses of picture and view. The view's mean is over all positions; those outside the mask count as zero."""
    errors = (predicted.float() - batch.noise.float()) ** 2
    if snr_gamma:
        errors = errors * snr_weights(batch.times, snr_gamma).to(errors.device).view(-1, 1, 1, 1)
    return errors[:1].mean(), (batch.mask * errors[1:]).mean()


def snr_weights(times: Tensor, gamma: float) -> Tensor:
    """Min-SNR weights (B,) of a noise prediction's error: lower at low noise levels (Hang et al. 2023)."""
    signal = Schedule(1).signal[times.cpu()]
    ratio = signal / (1 - signal)
    return ratio.clamp(max=gamma) / ratio


def optimiser_of(
    matrices: list[nn.Parameter],
    rate: float,
    *,
    of_text: Sequence[list[nn.Parameter]] = (),
    text_rate: float = 0.0,
    eight_bit: bool = False,
) -> torch.optim.Optimizer:
    """AdamW, or the same with 8-bit states; the text encoders' matrices ``of_text`` have their own rate and decay."""
    kind: Any = torch.optim.AdamW
    if eight_bit:
        if find_spec("bitsandbytes") is None or not torch.cuda.is_available():
            raise InputError(_NO_EIGHT_BIT)
        kind = import_module("bitsandbytes").optim.AdamW8bit
    groups = [{"params": matrices}]
    groups += [{"params": own, "lr": text_rate, "weight_decay": TEXT_DECAY} for own in of_text]
    return kind(groups, lr=rate, betas=BETAS, eps=EPSILON, weight_decay=DECAY)


def train(
    picture: NDArray[np.uint8], views: Views | None, settings: SubjectSettings, weights: Weights, folder: str | Path
) -> Iterator[Progress | TrainedWeights]:
    """Yield a `TrainingStep` per step, at intervals with a sample, then `TrainedWeights`. Closing it stops after a step.

    ``views`` may be None only with a view weight of 0. Starting again with the same ``folder`` resumes from the last
    save. Raises `InputError`.
    """
    if not settings.prompt.strip():
        raise InputError("A training needs a prompt with a rare word for the subject, as in: a sks car.")
    if views is None and settings.view_weight:
        raise InputError("This training needs views; add some, or set their weight to 0.")
    if settings.resolution > min(picture.shape[:2]) * 4:
        raise InputError(
            f"The picture is {picture.shape[1]}x{picture.shape[0]}, too small for a resolution of {settings.resolution}; lower it."
        )
    if settings.eight_bit and (find_spec("bitsandbytes") is None or not torch.cuda.is_available()):
        raise InputError(_NO_EIGHT_BIT)
    yield Progress("Loading", 0, 1)
    trainer = _Trainer(picture, views, settings, weights, Path(folder))
    try:
        while trainer.step < settings.steps:
            loss = trainer.update()
            done = trainer.step == settings.steps
            if trainer.step % settings.save_every == 0 or done:
                trainer.save()
            due = settings.sample_every and (trainer.step % settings.sample_every == 0 or done)
            yield TrainingStep(
                "Learning the subject", trainer.step, settings.steps, trainer.sample() if due else None,
                f"loss {loss:.4f}", loss=loss, rate=settings.rate,
            )  # fmt: skip
        if settings.kohya:
            save_subject(trainer.folder / KOHYA_FILE, kohya_state(subject_state(trainer.parts)))
        further = (trainer.folder / KOHYA_FILE,) if settings.kohya else ()
        yield TrainedWeights(trainer.folder / FILE, trainer.loss, further)
    finally:
        trainer.leave()


class _Trainer:
    """State of one training. Every step's random numbers follow from seed and step, so a resumed training equals an
    uninterrupted one."""

    def __init__(
        self, picture: NDArray[np.uint8], views: Views | None, settings: SubjectSettings, weights: Weights, folder: Path
    ) -> None:
        self.picture, self.views, self.settings = picture, views, settings
        self.device, self.dtype = torch.device(weights.device), weights.dtype
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.networks = load_keyframe_networks(weights)
        self.encoders: list[Any] = [self.networks.text_encoder, self.networks.text_encoder_2]
        self.frozen = None if settings.train_text_encoder else self._read_once()
        self.sample_steps = SAMPLE_STEPS if weights.mode != "tiny" else TINY_SAMPLE_STEPS
        self.networks.vae.to(self.device)  # type: ignore[arg-type]
        self.unet: Any = self.networks.unet
        self.parts: dict[str, Any] = self.networks.trainable if settings.train_text_encoder else {UNET: self.unet}
        self.step, self.loss = 0, float("nan")
        try:
            self.matrices, self.optimiser = self._matrices()
            if (self.folder / STATE).is_file():
                self._continue()
        except BaseException:
            self.leave()
            raise

    def _matrices(self) -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
        """Create all trainable matrices on the device, and their optimiser."""
        settings = self.settings
        more: dict[str, Any] = {"rank": settings.rank, "seed": settings.seed, "dora": settings.dora}
        of_unet = add_subject_adapter(self.unet, **more)
        of_text = add_text_adapters(self.encoders, **more) if settings.train_text_encoder else []
        for network in self.parts.values():
            network.to(self.device).train()
            if settings.checkpointing:
                set_checkpointing(network, on=True)
        optimiser = optimiser_of(
            of_unet, settings.rate, of_text=of_text, text_rate=settings.text_encoder_rate, eight_bit=settings.eight_bit
        )
        return [*of_unet, *itertools.chain(*of_text)], optimiser

    def update(self) -> float:
        """One step; returns its loss."""
        batch = self._batch(_generator(self.settings.seed, self.step))
        with self._autocast():
            predicted = predict(self.unet, batch)
        of_picture, of_view = losses(predicted, batch, snr_gamma=self.settings.snr_gamma)
        loss = of_picture + self.settings.view_weight * of_view
        loss.backward()
        nn.utils.clip_grad_norm_(self.matrices, CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step, self.loss = self.step + 1, loss.item()
        return self.loss

    def _batch(self, generator: Generator) -> Batch:
        settings, size = self.settings, self.settings.resolution
        width, height = resize_shorter_side(self.picture, size).size
        mirrored = settings.mirror and bool(torch.rand((), generator=generator) < 0.5)
        if settings.centre_crop:
            top, left = (height - size) // 2, (width - size) // 2
        else:
            top, left = (int(torch.randint(0, side - size + 1, (), generator=generator)) for side in (height, width))
        view, mask = self._view(generator)
        pixels = torch.stack([instance(self.picture, size, mirrored=mirrored, top=top, left=left), view])
        latents = self._latents(pixels, generator)
        noise = torch.randn(latents.shape, generator=generator)
        times = torch.randint(0, TRAINED_STEPS, (2,), generator=generator)
        signal = Schedule(1).signal[times].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        ids = torch.tensor([[*self.picture.shape[:2], top, left, size, size]] * 2, dtype=self.dtype)
        noisy, noise, times = (value.to(self.device) for value in (noisy.to(self.dtype), noise, times))
        text = self._text(self.settings.prompt).of([0, 0])
        return Batch(noisy, noise, times, text, ids.to(self.device), mask[None].to(self.device))

    def _view(self, generator: Generator) -> tuple[Tensor, Tensor]:
        """A random view and its mask; without views a grey one whose loss has weight 0."""
        size = self.settings.resolution
        if self.views is None:
            return torch.zeros(3, size, size), torch.zeros(1, size // 8, size // 8, dtype=torch.bool)
        index = int(torch.randint(0, len(self.views.pictures), (), generator=generator))
        return view(self.views.pictures[index], size), view_mask(self.views.masks[index], size)

    @torch.no_grad()
    def _latents(self, pixels: Tensor, generator: Generator) -> Tensor:
        """(2,4,h,w) on the CPU, sampled from the VAE's distribution."""
        vae: Any = self.networks.vae
        answer = vae.encode(pixels.to(self.device, self.dtype)).latent_dist
        mean, deviation = answer.mean.float().cpu(), answer.std.float().cpu()
        return (mean + deviation * torch.randn(mean.shape, generator=generator)) * vae.config.scaling_factor

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.device.type == "cuda")

    @torch.no_grad()
    def _read_once(self) -> PromptEmbeddings:
        """Encode the prompt and the negative prompt once; the encoders leave the device afterwards."""
        for encoder in self.encoders:
            encoder.to(self.device)
        text = self._read(self.settings.prompt, NEGATIVE_PROMPT)
        for encoder in self.encoders:
            encoder.to("cpu")
        return text

    def _text(self, *prompts: str) -> PromptEmbeddings:
        """Encode the prompt, and the negative prompt if requested, with the encoders in their current state."""
        if self.frozen is not None:
            return self.frozen
        with self._autocast():
            return self._read(*prompts)

    def _read(self, *prompts: str) -> PromptEmbeddings:
        text = words.encode(self.networks, list(prompts), self.device)
        return PromptEmbeddings(text.embeddings.to(self.dtype), text.pooled.to(self.dtype))

    @torch.no_grad()
    def sample(self) -> NDArray[np.uint8]:
        """(R,R,3): a sample from the prompt alone at the current step, always from the same noise."""
        size, schedule = self.settings.resolution, Schedule(self.sample_steps)
        latents = torch.randn(1, 4, size // 8, size // 8, generator=_generator(self.settings.seed)).to(self.device)
        text = self._text(self.settings.prompt, NEGATIVE_PROMPT).of([1, 0])
        ids = torch.tensor([[size, size, 0, 0, size, size]] * 2, dtype=self.dtype, device=self.device)
        added = {"text_embeds": text.pooled, "time_ids": ids}
        self.unet.eval()
        for time in schedule.times:
            with self._autocast():
                both = latents.expand(2, -1, -1, -1).to(self.dtype)
                noise = self.unet(
                    both, time.to(self.device), encoder_hidden_states=text.embeddings, added_cond_kwargs=added, return_dict=False
                )[0].float()  # fmt: skip
            guided = noise[:1] + SAMPLE_GUIDANCE * (noise[1:] - noise[:1])
            latents = schedule.moved(latents, guided, schedule.signal[time], schedule.before(int(time)))
        self.unet.train()
        picture = decode_pictures(self.networks.vae, latents.to(self.dtype))[0]
        return (picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()

    def save(self) -> None:
        """Save the LoRA, a copy named after the step, and the state for resuming."""
        state = subject_state(self.parts)
        save_subject(self.folder / FILE, state)
        save_subject(self.folder / f"step-{self.step:05d}.safetensors", state)
        checkpoint = {
            "step": self.step,
            "loss": self.loss,
            "settings": self.settings.values(),
            "matrices": [matrix.detach().cpu() for matrix in self.matrices],
            "optimiser": self.optimiser.state_dict(),
        }
        with complete(self.folder / STATE) as part:
            torch.save(checkpoint, part)

    def _continue(self) -> None:
        state = torch.load(self.folder / STATE, map_location="cpu", weights_only=True)
        now, then = self.settings.values(), {**SubjectSettings.defaults(), **state["settings"]}
        if changed := [name for name in now if name not in RESUMABLE and now[name] != then.get(name)]:
            raise InputError(
                f"{self.folder.name} contains a training with {changed[0]} {then.get(changed[0])!r}, not {now[changed[0]]!r}; "
                "resume it with the same settings or choose another folder."
            )
        for matrix, stored in zip(self.matrices, state["matrices"], strict=True):
            matrix.data.copy_(stored)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.loss = state["step"], state["loss"]

    def leave(self) -> None:
        """Remove the adapters from the networks, which other runs share."""
        for network in self.parts.values():
            set_checkpointing(network, on=False)
            network.eval()
        detach_lora(self.parts)


def _generator(*numbers: int) -> Generator:
    """A generator seeded only by these numbers."""
    digest = hashlib.sha256(" ".join(map(str, numbers)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
