"""One run of GEN3C: from a scene and a path to a video, chunk by chunk, conditioned on renders of the 3D cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.cache3d.cache import CacheFrames
from camera.errors import InputError
from camera.path import CameraPath
from camera.view import Scene, View
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.gen3c import guardrail
from pipelines.methods.gen3c.cache_conditioning import Conditioning, least_cover
from pipelines.methods.gen3c.chunks import chunks, latent_frames
from pipelines.methods.gen3c.continuation import added_views, check_continues, check_size, grow_scene
from pipelines.methods.gen3c.export import cache_files
from pipelines.methods.gen3c.method import LITTLE_SHARE, UPSTREAM, Gen3cSettings, check
from pipelines.methods.gen3c.network import latents, tiles
from pipelines.methods.gen3c.network.text import TOKENS, encode_text
from pipelines.methods.gen3c.sampling import Denoise, augmentation_noise, initial_noise, sample
from pipelines.methods.gen3c.weights.load import Networks, add_depth, add_text_encoder, load_networks
from pipelines.runtime.parallel.branches import run_each
from pipelines.settings import Settings
from pipelines.weights.hub import Weights

Phase = Callable[[str], str]
"""Turns the step of a chunk into a label for the progress bar."""
PREVIEW_EVERY = 5
"""Steps between early frames; none are shown if a checker filters the frames."""


def load(weights: Weights) -> Gen3cPipeline:
    """Networks for "real", "tiny" or "random" weights; nothing is moved to a device yet."""
    return Gen3cPipeline(load_networks(weights), weights)


class Gen3cPipeline:
    """``components`` are moved by the runtime; tensors of a run are created on ``device``."""

    together = (("transformer", "vae"),)
    tiny_side = 192

    def __init__(self, networks: Networks, weights: Weights) -> None:
        self.networks, self.weights = networks, weights
        self.device: Any = torch.device(weights.device)
        self.components = networks.components

    def prepare(self, scene: Scene, path: CameraPath, settings: Settings) -> None:
        """Load the text encoder, and the depth model for a still scene in several chunks, if the run uses them."""
        settings = cast(Gen3cSettings, settings)
        if settings.use_text:
            add_text_encoder(self.networks, self.weights)
        if scene.kind == "still" and len(path) > settings.chunk_frames:
            add_depth(self.networks, self.weights)
        self.components = self.networks.components

    def __call__(
        self, scene: Scene, path: CameraPath, settings: Settings, *, after: Clip | None = None
    ) -> Iterator[Progress | Clip]:
        """Phases: prompts; then for each chunk depth, cache, pictures, denoising, decoding, and a `Clip` of all frames so far.

        ``after``: the clip that ``path`` begins with, shot from the same scene in chunks of the same length; only the missing
        chunks are shot. If it has no scene (its file contained none), the depth of its frames is estimated again.
        """
        settings = cast(Gen3cSettings, settings)
        run = _Run(self, scene, path, settings)
        yield Progress("Loading", 0, 1)
        self.prepare(scene, path, settings)
        yield from run.shoot(after)


class _Run:
    """Values that all chunks of a run share."""

    def __init__(self, pipeline: Gen3cPipeline, scene: Scene, path: CameraPath, settings: Gen3cSettings) -> None:
        self.pipeline, self.scene, self.path, self.settings = pipeline, scene, path, settings
        self.networks, self.device = pipeline.networks, pipeline.device
        self.notes = [*check(scene, path, settings)]
        if pipeline.weights.mode == "real":
            self.notes.append(guardrail.describe_state())
        self.cuts = chunks(len(path), settings.chunk_frames)

    def shoot(self, after: Clip | None) -> Iterator[Progress | Clip]:
        done = self._count_done(after)
        text, other_text = yield from self._embed_prompts()
        known = added_views(after, self.scene) if after else []
        again = after is not None and (after.scene is None or (self.settings.show_cache and not after.extras))
        conditioning = Conditioning(self.scene, self.settings, [] if again else known)
        if after is not None and again:
            after = replace(after, extras=(yield from self._rebuild(conditioning, after, known, done)))
        frames = [after.frames] if after else []
        companions = [after.extras] if after and self.settings.show_cache else []
        for number in range(done, len(self.cuts)):
            phase = self._phase(number)
            part = self.path.sliced(self.cuts[number])
            if number and conditioning.grows:
                yield Progress(phase("depth of the last frame"), 0, 1)
                self._grow(conditioning, frames[-1][-1], part.sliced(slice(0, 1)))
            yield Progress(phase("rendering the cache"), 0, 1)
            renders = conditioning.render(part, first=self.cuts[number].start)
            self._note_cover(renders, number)
            condition = yield from self._condition(renders, frames, text, other_text, phase)
            made = yield from self._denoise(condition, len(part), number, phase)
            yield Progress(phase("decoding"), 0, 1)
            chunk = self._decode(made)
            skip = 1 if frames else 0
            frames.append(chunk[skip:])
            if self.settings.show_cache:
                companions.append({name: video[skip:] for name, video in conditioning.videos(renders).items()})
            yield self._clip(frames, companions, conditioning.added)

    def _count_done(self, after: Clip | None) -> int:
        """Number of chunks that already exist."""
        if after is None:
            return 0
        check_size(after, self.path)
        return check_continues(after, self.path, self.settings.chunk_frames)

    def _rebuild(
        self, conditioning: Conditioning, after: Clip, known: list[View], done: int
    ) -> Generator[Progress, None, dict[str, Frames]]:
        """The companion videos of a clip of ``done`` chunks that was read from its file.

        Rebuilds the cache from the pictures ``known`` to have been added, or, if the clip has no scene, from the frames shared
        by two chunks. Renders it only if its videos are wanted and missing.
        """
        parts, lengths = [], []
        for number, cut in enumerate(self.cuts[:done]):
            camera = self.path.sliced(slice(cut.start, cut.start + 1))
            if number and conditioning.grows and after.scene is None:
                yield Progress(self._phase(number)("depth of its first frame"), 0, 1)
                self._grow(conditioning, after.frames[cut.start], camera)
            elif number:
                for view in known:
                    if np.allclose(view.world_from_camera, camera.world_from_camera[0], atol=1e-6):
                        conditioning.take(view)
            if self.settings.show_cache and not after.extras:
                yield Progress(self._phase(number)("rendering its cache again"), 0, 1)
                videos = conditioning.videos(conditioning.render(self.path.sliced(cut), first=cut.start))
                skip = 1 if number else 0
                parts.append({name: video[skip:] for name, video in videos.items()})
                lengths.append(cut.stop - cut.start - skip)
        return _join(parts, lengths) if parts else after.extras

    def _phase(self, number: int) -> Phase:
        """Names the steps of a chunk."""
        if len(self.cuts) == 1:
            return str.capitalize
        return lambda words: f"Chunk {number + 1} of {len(self.cuts)}: {words}"

    def _grow(self, conditioning: Conditioning, picture: NDArray[np.uint8], camera: CameraPath) -> None:
        """Add a generated frame to the cache; without usable depth leaves the cache unchanged and adds a note."""
        assert self.networks.depth is not None
        try:
            conditioning.add(picture, self.networks.depth, camera)
        except InputError as error:
            self.notes.append(f"A generated frame was not added to the cache. {error}")

    def _embed_prompts(self) -> Generator[Progress, None, tuple[Tensor, Tensor]]:
        """Embeddings of the passes with and without the cache."""
        settings = self.settings
        guardrail.check_prompt(self.networks.checker, settings.prompt)
        if not settings.use_text:
            width = self.networks.transformer.config["text_embed_dim"]
            zeros = torch.zeros(1, TOKENS, width, device=self.device)
            return zeros, zeros
        yield Progress("Encoding the prompt", 0, 1)
        text = self._embed(settings.prompt, "prompt")
        if settings.guidance == 0 or not settings.negative_prompt:
            return text, text
        return text, self._embed(settings.negative_prompt, "negative prompt")

    def _embed(self, prompt: str, name: str) -> Tensor:
        networks = self.networks
        assert networks.tokenizer is not None and networks.text_encoder is not None
        embedded, cut = encode_text(networks.tokenizer, networks.text_encoder, prompt, device=self.device)
        if cut:
            self.notes.append(f"The {name} is {cut} tokens too long; its end was cut off.")
        return embedded

    def _note_cover(self, renders: CacheFrames, number: int) -> None:
        frame, share = least_cover(renders)
        if share < LITTLE_SHARE:
            at = self.cuts[number].start + frame
            self.notes.append(f"At frame {at} the cache covered {share:.0%} of the view; the rest was invented.")

    def _condition(
        self, renders: CacheFrames, frames: list[Frames], text: Tensor, other_text: Tensor, phase: Phase
    ) -> Generator[Progress, None, latents.Condition]:
        def encode(video: Tensor) -> Tensor:
            return latents.encode(self.networks.vae, video.to(self.device, self.networks.vae.dtype))

        yield Progress(phase("reading the pictures"), 0, 1)
        pose = latents.pose_latents(encode, torch.from_numpy(renders.images), torch.from_numpy(renders.masks))
        picture = frames[-1][-1] if frames else self.scene.first.colour
        darkened = not frames and self.settings.first_frame == UPSTREAM
        first = encode(latents.to_pictures(torch.from_numpy(picture[None]), darkened=darkened))
        return latents.Condition(pose, first, text, other_text)

    def _denoise(
        self, condition: latents.Condition, count: int, number: int, phase: Phase
    ) -> Generator[Progress, None, Tensor]:
        settings = self.settings
        shape = (1, 16, latent_frames(count), self.path.height // 8, self.path.width // 8)
        noise = initial_noise(shape, settings.seed, chunk=number, device=self.device)
        noise = noise.to(getattr(torch, settings.latents))
        network = self.networks.transformer
        if network.is_cache_enabled:
            network._reset_stateful_cache()  # a step cache must not carry over from the previous chunk
        steps = sample(
            self._denoiser(condition), noise, condition.first, steps=settings.steps, guidance=settings.guidance,
            augmentation=augmentation_noise(shape, settings.seed), each=partial(run_each, network),
        )  # fmt: skip
        yield Progress(phase("denoising"), 0, settings.steps)
        for step, (latest, clean) in enumerate(_without_gradients(steps), 1):
            noise = latest
            due = step % PREVIEW_EVERY == 0 and step < settings.steps and self.networks.checker is None
            early = self._early_frame(clean) if due else None
            yield Progress(phase("denoising"), step, settings.steps, preview=early)
        return noise

    def _denoiser(self, condition: latents.Condition) -> Denoise:
        """The network in its own precision, with outputs in the precision of the latents between steps."""
        network = self.networks.transformer
        rope = getattr(torch, self.settings.rope)
        pose, text, other_text = (t.to(network.dtype) for t in (condition.pose, condition.text, condition.other_text))

        def denoise(x: Tensor, timestep: Tensor, given: Tensor, shown: bool) -> Tensor:
            inputs = (tensor.to(network.dtype) for tensor in (x, timestep))
            words, condition_pose = (text, pose) if shown else (other_text, torch.zeros_like(pose))
            with network.cache_context("shown" if shown else "not shown"):
                out = network(
                    *inputs, words, given.to(network.dtype), condition_pose, fps=self.path.fps, rope_dtype=rope
                )
            return out.to(x.dtype)

        return denoise

    def _early_frame(self, clean: Tensor) -> NDArray[np.uint8]:
        """The predicted picture at the end of the chunk, (H,W,3), from its last latent frame alone."""
        return latents.to_bytes(latents.decode(self.networks.vae, clean[:, :, -1:]))[0].numpy()

    def _decode(self, made: Tensor) -> Frames:
        if self.networks.vae.use_tiling:
            self.notes.append(tiles.NOTE)
        frames = latents.to_bytes(latents.decode(self.networks.vae, made)).numpy()
        return guardrail.check_frames(self.networks.checker, frames)

    def _clip(self, frames: list[Frames], companions: list[dict[str, Frames]], added: list[View]) -> Clip:
        whole = np.concatenate(frames)
        path = self.path.sliced(slice(0, len(whole)))
        scene = grow_scene(self.scene, added)
        files = cache_files(scene, path) if self.settings.show_cache else {}
        notes = tuple(dict.fromkeys(self.notes))
        extras = _join(companions, [len(part) for part in frames]) if self.settings.show_cache else {}
        return Clip(whole, path.fps, path, extras=extras, scene=scene, notes=notes, files=files)


def _without_gradients(steps: Iterator[Any]) -> Iterator[Any]:
    """Compute each step of an iterator without gradients; the caller's gradient mode is restored between steps."""
    while True:
        with torch.inference_mode():
            item = next(steps, None)
        if item is None:
            return
        yield item


def _join(companions: list[dict[str, Frames]], lengths: list[int]) -> dict[str, Frames]:
    """Concatenate the companion videos of all chunks, of ``lengths``; black where a chunk has none."""
    like = {name: video for part in companions for name, video in part.items()}

    def stretch(name: str, part: dict[str, Frames], length: int) -> Frames:
        return part[name] if name in part else np.zeros((length, *like[name].shape[1:]), np.uint8)

    return {name: np.concatenate([stretch(name, *one) for one in zip(companions, lengths)]) for name in like}
