"""Training of DualCamCtrl in the authors' two stages: ``python -m pipelines.methods.dualcamctrl.training.train --data DIR --out DIR ...``.

Stage "decoupled" starts from the one-branch base model and trains the branches separately; stage "fusion" starts from its
result and trains the fusion modules too. ``accelerate launch -m pipelines.methods.dualcamctrl.training.train`` uses several GPUs.
Starting again with the same output folder resumes from its last save.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from camera.errors import InputError
from pipelines.media.video import write_mp4
from pipelines.methods.dualcamctrl import sampling, schedule
from pipelines.methods.dualcamctrl.method import BASE, NEGATIVE_PROMPT
from pipelines.methods.dualcamctrl.network import convert, encoders, load
from pipelines.methods.dualcamctrl.network import vae as wan
from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer
from pipelines.methods.dualcamctrl.training import loss as training_loss
from pipelines.methods.dualcamctrl.training.data import ClipOrder, ClipShape, RealEstateClips
from pipelines.settings import Settings, setting
from pipelines.weights.checkpoints import build_random, read_state
from pipelines.weights.hub import Weights

LEARNING_RATES = {"decoupled": 1e-5, "fusion": 3e-6}
CLIP_NORM = 1.0
SAMPLE, SAMPLE_DEPTH, SAMPLE_GUIDANCE = "sample.mp4", "sample-depth.mp4", 5.0
"""Videos in a saved folder: the first clip of the split, generated with the current weights."""
STATE = "training.pt"
"""File of a saved folder with the state for resuming: number of the update, optimiser, warm-up, settings."""
RESUMABLE = ("updates", "save_every", "workers", "sample_steps")
"""Settings that may differ when a training is resumed."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Settings of a training; defaults are the authors': 4 GPUs, effective batch 8, about 10000 and then 70000 updates."""

    stage: str = setting("fusion", "Stage", choices=tuple(LEARNING_RATES))
    mode: str = setting(
        "picture", "Mode", choices=("picture", "text"), help="Picture drops the captions; text drops the pictures."
    )
    split: str = setting("train", "Split")
    updates: int = setting(70000, "Updates", minimum=1, maximum=10**7)
    accumulate: int = setting(2, "Clips per update and GPU", minimum=1, maximum=1024)
    learning_rate: float = setting(0.0, "Learning rate", minimum=0, maximum=1, help="0 uses the stage's own rate.")
    drop_largest: int = setting(
        30, "Depth errors dropped", minimum=0, maximum=10**7, help="How many of the largest count as zero; later 70."
    )
    frames: int = setting(61, "Frames", minimum=5, maximum=161)
    width: int = setting(720, "Width", minimum=16, maximum=1920)
    height: int = setting(480, "Height", minimum=16, maximum=1920)
    stride: int = setting(8, "Source frames apart", minimum=1, maximum=64)
    seed: int = setting(42, "Seed", minimum=0, maximum=2**31 - 1)
    save_every: int = setting(1000, "Updates between saves", minimum=1, maximum=10**7)
    workers: int = setting(2, "Loading processes", minimum=0, maximum=64)
    sample_steps: int = setting(
        0,
        "Steps of a sample",
        minimum=0,
        maximum=200,
        help="A sample of the first clip is made at each save; 0 makes none.",
    )


@dataclass(frozen=True)
class Update:
    """One update of the weights; the losses are those of its last clip. ``saved``: the folder written, if any."""

    number: int
    total: float
    rgb: float
    depth: float
    saved: Path | None = None


def select_trainable(transformer: DualCamCtrlTransformer, stage: str) -> list[torch.nn.Parameter]:
    """Enable gradients of both branches, and of the fusion modules in stage "fusion"; embeddings, camera adapter and
    head stay frozen."""
    for name, parameter in transformer.named_parameters():
        fusion = ".rgb_to_depth." in name or ".depth_to_rgb." in name
        parameter.requires_grad_(name.startswith("blocks.") and (stage == "fusion" or not fusion))
    return [parameter for parameter in transformer.parameters() if parameter.requires_grad]


def start_from(weights: Weights, start: str | Path | None, stage: str) -> DualCamCtrlTransformer:
    """The denoiser in float32: from ``start``, a released file or a folder of an earlier stage, otherwise from the base model."""
    if start is None and weights.mode != "real":
        sizes = load.TINY if weights.mode == "tiny" else load.FULL
        return build_random(
            DualCamCtrlTransformer, sizes[DualCamCtrlTransformer], seed=weights.seed, dtype=torch.float32
        )
    if start is not None and Path(start).is_dir():
        return _copy_tensors(convert.load_folder(start, dtype=torch.float32))
    transformer = load.empty(DualCamCtrlTransformer)
    if start is not None:
        convert.load_transformer(transformer, read_state(start), source=Path(start).name, dtype=torch.float32)
    elif stage == "decoupled":
        convert.load_base(transformer, read_state(weights.files(BASE).values()), source=BASE.repo, dtype=torch.float32)
    else:
        raise InputError("Stage fusion continues stage decoupled; pass its folder or a released file with --start.")
    return transformer


def _copy_tensors(transformer: DualCamCtrlTransformer) -> DualCamCtrlTransformer:
    """Copy tensors to newly allocated memory: those of a file are unaligned, which changes how a CPU rounds sums."""
    for tensor in (*transformer.parameters(), *transformer.buffers()):
        tensor.data = tensor.data.clone()
    return transformer


class Conditioner:
    """Converts clips to the denoiser's inputs; its encoders are never trained."""

    def __init__(self, weights: Weights, device: torch.device, *, text_mode: bool) -> None:
        self.device, self.dtype, self.text_mode = device, weights.dtype, text_mode
        self.vae, self.text_encoder, self.image_encoder = load.stock_encoders(weights)
        for network in (self.vae, self.text_encoder, self.image_encoder):
            torch.nn.Module.to(network, device)
        self.tokenizer = load.load_tokenizer(weights)
        self.no_words, self.negative = self._text(""), self._text(NEGATIVE_PROMPT)
        if not text_mode:
            del self.text_encoder

    @torch.no_grad()
    def __call__(self, clip: dict[str, Any]) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor], tuple[Tensor, Tensor]]:
        """Clean latents of both videos, the network's other inputs, and the first-picture latents of both."""
        videos = [clip[name].to(self.device, self.dtype) for name in ("rgb", "depth")]
        clean = (wan.encode_video(self.vae, videos[0]), wan.encode_video(self.vae, videos[1]))
        frames = clean[0].shape[2]
        first = videos[0][:, :, 0]
        if self.text_mode:
            pictures = (torch.zeros_like(clean[0]), torch.zeros_like(clean[1]))
            first = torch.full_like(first, -1)
        else:
            seen, near = (wan.encode_picture(self.vae, video[:, :, 0]) for video in videos)
            pictures = (encoders.beside_noise(seen, frames), encoders.beside_noise(near, frames))
        given = {
            "encoder_hidden_states": self._text(clip["caption"][0]) if self.text_mode else self.no_words,
            "encoder_hidden_states_image": encoders.encode_clip(self.image_encoder, first),
            "camera": clip["camera"].to(self.device, self.dtype),
        }
        return clean, given, pictures

    @torch.no_grad()
    def _text(self, words: str) -> Tensor:
        return encoders.encode_text(self.tokenizer, self.text_encoder, words, self.device).to(self.dtype)


def clip_loss(
    transformer: torch.nn.Module, condition: Conditioner, clip: dict[str, Any], draw: torch.Generator, drop: int
) -> training_loss.Loss:
    """The loss of one clip at a random noise level; both branches share noise and level, the timestep is rounded to bfloat16."""
    clean, given, pictures = condition(clip)
    index = int(torch.randint(training_loss.LEVELS, (1,), generator=draw))
    timestep = (1000 * training_loss.training_sigmas()[index : index + 1]).to(torch.bfloat16)
    level = training_loss.nearest_level(timestep)
    noise = torch.randn(clean[0].shape, generator=draw).to(clean[0])
    rgb, depth = (
        torch.cat([training_loss.noisy(latents, noise, level), picture], dim=1)
        for latents, picture in zip(clean, pictures, strict=True)
    )
    velocities = transformer(rgb, depth, timestep.to(rgb), **given)
    return training_loss.loss(velocities, clean, noise, level, drop)


@torch.no_grad()
def sample(
    transformer: DualCamCtrlTransformer, condition: Conditioner, clip: dict[str, Any], steps: int, folder: Path
) -> None:
    """Write both videos of ``clip`` to ``folder``, generated from its first picture and its cameras as in a run."""
    clean, given, pictures = condition(clip)
    conditions = sampling.Conditions(
        given["encoder_hidden_states"],
        condition.negative,
        given["encoder_hidden_states_image"],
        *pictures,
        given["camera"],
    )
    start = sampling.noise(tuple(clean[0].shape), 0).to(clean[0])
    *_, last = sampling.denoise(transformer, conditions, start, schedule.sigmas(steps, shift=5.0), SAMPLE_GUIDANCE)
    for name, latents in ((SAMPLE, last.rgb), (SAMPLE_DEPTH, last.depth)):
        video = wan.decode_video(condition.vae, latents.to(condition.dtype))
        write_mp4(folder / name, wan.to_bytes(video).numpy(), 10.0)


def train(
    data: str | Path,
    out: str | Path,
    *,
    settings: TrainSettings,
    weights: Weights,
    start: str | Path | None = None,
    accelerator: Accelerator | None = None,
) -> Iterator[Update]:
    """Yield after every update; folders ``OUT/update-000123`` contain the denoiser as saved by ``save_pretrained``.

    Each GPU processes one clip at a time. If ``out`` contains saves already, training resumes from the last one as if it had
    not been interrupted, and ``start`` is ignored. Raises `InputError` for data or weights that do not fit.
    """
    if settings.frames % 4 != 1 or settings.width % 16 or settings.height % 16:
        raise InputError(
            f"Training needs 4k+1 frames and sides in multiples of 16, got {settings.frames} of {settings.width}x{settings.height}."
        )
    accelerator = accelerator or _accelerator(settings)
    shape = ClipShape(settings.frames, settings.width, settings.height, settings.stride)
    clips = RealEstateClips(data, split=settings.split, shape=shape, seed=settings.seed)
    before = last_save(out, settings)
    transformer = start_from(weights, before.folder if before else start, settings.stage).train()
    transformer.enable_gradient_checkpointing()
    rate = settings.learning_rate or LEARNING_RATES[settings.stage]
    optimiser = torch.optim.AdamW(select_trainable(transformer, settings.stage), lr=rate)
    warmup = torch.optim.lr_scheduler.ConstantLR(optimiser)  # a third of the rate for five updates, as upstream
    number = before.number if before else 0
    done = number * settings.accumulate * accelerator.num_processes
    order = ClipOrder(len(clips), seed=settings.seed, done=done)
    loader = DataLoader(clips, batch_size=1, sampler=order, num_workers=settings.workers)
    model, optimiser, loader = accelerator.prepare(transformer, optimiser, loader)
    if before:
        optimiser.load_state_dict(before.optimiser)
        warmup.load_state_dict(before.warmup)
    condition = Conditioner(weights, accelerator.device, text_mode=settings.mode == "text")
    following = iter(loader)
    while number < settings.updates:
        number += 1
        for part in range(settings.accumulate):
            with accelerator.accumulate(model):
                draw = _generator(settings.seed, number, part, accelerator.process_index)
                with accelerator.autocast():
                    loss = clip_loss(model, condition, next(following), draw, settings.drop_largest)
                accelerator.backward(loss.total)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), CLIP_NORM)
                optimiser.step()
                optimiser.zero_grad()
        warmup.step()
        saved = None
        if number % settings.save_every == 0 or number == settings.updates:
            state = {"number": number, "warmup": warmup.state_dict(), "settings": settings.values()}
            saved = _save(accelerator, model, optimiser, state, Path(out) / f"update-{number:06}")
            if settings.sample_steps and accelerator.is_main_process and _is_whole(accelerator):
                first = default_collate([RealEstateClips(data, split=settings.split, shape=shape)[0]])
                with accelerator.autocast():
                    sample(accelerator.unwrap_model(model), condition, first, settings.sample_steps, saved)
        yield Update(number, loss.total.item(), loss.rgb.item(), loss.depth.item(), saved)


@dataclass(frozen=True, eq=False)
class Save:
    """A saved training: the folder of its denoiser, the number of its last update, and its optimiser state.

    No random state is saved: noise, noise level and order of clips follow from the seed and the update's number.
    """

    folder: Path
    number: int
    optimiser: dict[str, Any]
    warmup: dict[str, Any]


def last_save(out: str | Path, settings: TrainSettings) -> Save | None:
    """The last save in ``out``, None if there is none; raises `InputError` for one that cannot be resumed: with other
    settings, or saved without its optimiser (see `_save`)."""
    folders = sorted(Path(out).glob("update-[0-9]*"), key=lambda folder: int(folder.name.split("-")[1]))
    files = [folder / STATE for folder in folders if (folder / STATE).is_file()]
    if folders and (not files or files[-1].parent != folders[-1]):
        raise InputError(
            f"{folders[-1]} was saved without its optimiser, as DeepSpeed and FSDP shard it, so it cannot be resumed; start "
            f"again from it with --start {folders[-1]} and another --out, or remove it."
        )
    if not files:
        return None
    try:
        state = torch.load(files[-1], map_location="cpu", weights_only=True)
        then, now = state["settings"], settings.values()
        stopped = Save(files[-1].parent, state["number"], state["optimiser"], state["warmup"])
    except Exception as error:  # damaged files raise many kinds of errors
        raise InputError(
            f"{files[-1]} cannot be read; remove {files[-1].parent.name} to resume from the save before."
        ) from error
    if changed := [name for name in now if name not in RESUMABLE and now[name] != then.get(name)]:
        raise InputError(
            f"{out} contains a training with {changed[0]} {then.get(changed[0])!r}, not {now[changed[0]]!r}; resume it with "
            "the same settings or choose another folder."
        )
    return stopped


def _generator(*numbers: int) -> torch.Generator:
    """A generator seeded only by these numbers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))


def _accelerator(settings: TrainSettings) -> Accelerator:
    precision = "bf16" if torch.cuda.is_available() else "no"
    return Accelerator(gradient_accumulation_steps=settings.accumulate, mixed_precision=precision)


def _is_whole(accelerator: Accelerator) -> bool:
    """Whether every process has the complete network and optimiser."""
    return accelerator.distributed_type not in (DistributedType.DEEPSPEED, DistributedType.FSDP)


def _save(
    accelerator: Accelerator, model: torch.nn.Module, optimiser: Any, state: dict[str, Any], folder: Path
) -> Path:
    """Write to a temporary folder and rename it when complete. An optimiser that DeepSpeed or FSDP shards over GPUs is left out,
    so such a training cannot be resumed, only started again from the folder, which `last_save` says."""
    accelerator.wait_for_everyone()
    whole = _is_whole(accelerator)
    tensors = accelerator.get_state_dict(model)
    if accelerator.is_main_process:
        part = folder.with_name(f".part-{folder.name}")
        shutil.rmtree(part, ignore_errors=True)
        plain: Any = accelerator.unwrap_model(model)
        plain.save_pretrained(part, state_dict=tensors)
        if whole:
            torch.save(state | {"optimiser": optimiser.state_dict()}, part / STATE)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.methods.dualcamctrl.training.train", description=__doc__)
    parser.add_argument("--data", required=True, help="folder in RealEstate10K layout")
    parser.add_argument("--out", required=True, help="folder for the trained weights")
    parser.add_argument("--start", help="released file or folder of an earlier stage")
    parser.add_argument("--weights", default="real", choices=("real", "tiny", "random"))
    defaults = TrainSettings.defaults()
    for name, control in TrainSettings.controls().items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=defaults[name],
            type=type(defaults[name]),
            choices=control.choices,
            help=f"{control.label}. {control.help}".strip().replace("%", "%%"),
        )
    return parser.parse_args()


def main() -> None:
    """The command line; input errors are printed in one sentence."""
    given = vars(_arguments())
    data, out, start, mode = (given.pop(name) for name in ("data", "out", "start", "weights"))
    try:
        settings = TrainSettings(**given)
        weights = Weights(mode=mode, device="cuda" if torch.cuda.is_available() else "cpu")
        accelerator = _accelerator(settings)
        update = None
        for update in train(data, out, settings=settings, weights=weights, start=start, accelerator=accelerator):
            line = f"{update.number}: loss {update.total:.4f} (rgb {update.rgb:.4f}, depth {update.depth:.4f})"
            accelerator.print(f"{line}, saved {update.saved}" if update.saved else line, flush=True)
        if update is None:
            accelerator.print(f"{out} contains a training of {settings.updates} updates; request more with --updates.")
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
