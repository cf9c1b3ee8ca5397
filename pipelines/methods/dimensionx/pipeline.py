"""One run of DimensionX: a picture and a path to a video made by the directors nearest to the path."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.path import CameraPath
from camera.trajectories.dimensionx import DIRECTORS, nominal_path, sequence
from camera.view import Scene
from pipelines.method import Clip, Frames, Progress
from pipelines.methods.dimensionx.caption import Size, load_captioner
from pipelines.methods.dimensionx.clip import Shot, Start, shoot
from pipelines.methods.dimensionx.grid_4d import Grid, as_clip, key_moments
from pipelines.methods.dimensionx.latents import encode_text
from pipelines.methods.dimensionx.loras.directors import Directors
from pipelines.methods.dimensionx.loras.matching import Match, Part
from pipelines.methods.dimensionx.loras.sources import read_director
from pipelines.methods.dimensionx.method import DimensionXSettings, check, clip_frames, match_of
from pipelines.methods.dimensionx.network.configs import Kind
from pipelines.methods.dimensionx.network.load import Networks, load_networks
from pipelines.methods.dimensionx.postprocess.interpolation import load_flow_net
from pipelines.methods.dimensionx.postprocess.run import postprocess
from pipelines.methods.dimensionx.postprocess.upscaling import load_upscaler
from pipelines.settings import Settings
from pipelines.weights.hub import Weights

STILL = Part((("t_director", 1.0),), 1.0, 1.0)
"""A clip in which only the scene moves."""


def load(weights: Weights) -> DimensionXPipeline:
    """A pipeline whose networks are loaded by `DimensionXPipeline.prepare`, since they depend on path and settings."""
    return DimensionXPipeline(weights)


class DimensionXPipeline:
    """``components`` belong to the run prepared last; the runtime moves them, and tensors are created on ``device``."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.device: Any = torch.device(weights.device)
        self.components: dict[str, object] = {}
        self._networks: Networks | None = None
        self._extras: dict[str, Any] = {}
        self._directors: Directors | None = None

    def prepare(self, scene: Scene, path: CameraPath, settings: Settings) -> None:
        """Load missing networks and directors for this run; drops a transformer that it does not need."""
        settings = cast(DimensionXSettings, settings)
        found = plan_clips(scene, path, settings)
        kind = kind_of(settings, found)
        if self._networks is None or self._networks.kind != kind:
            self._networks = self._directors = None
            self.components.clear()
            gc.collect()  # free the previous transformer before the next one is loaded
            self._networks = networks = load_networks(self.weights, kind)
            self._directors = Directors(
                networks.transformer, lambda id: read_director(self.weights, id, networks.transformer)
            )
        self._extras = load_extras(self.weights, settings)
        modules = {name: getattr(extra, "model", extra) for name, extra in self._extras.items()}
        self.components = {**self._networks.components, **modules}
        assert self._directors is not None
        ids = {id for part in found.parts for id, _ in active_directors(settings, kind, part, 0)}
        if kind in ("image", "image_1_5") and (settings.switch_to_t < 1 or settings.key_frames):
            ids.add("t_director")
        self._directors.load(sorted(ids))

    def __call__(self, scene: Scene, path: CameraPath, settings: Settings) -> Iterator[Progress | Clip]:
        """Phases: prompt, one shooting and decoding per clip, and the requested extras."""
        settings = cast(DimensionXSettings, settings)
        yield Progress("Loading", 0, 1)
        notes = check(scene, path, settings)
        self.prepare(scene, path, settings)
        found = plan_clips(scene, path, settings)
        if not settings.prompt and "captioner" in self._extras:
            yield Progress("Describing the picture", 0, 1)
            prompt = self._extras["captioner"](scene.first.colour, device=self.device)
            settings = replace(settings, prompt=prompt)
            notes += (f"The picture was described as: {prompt}",)
        yield Progress("Encoding the prompt", 0, 1)
        text, cut = self._text(settings)
        if cut:
            notes += (f"The prompt is {cut} tokens too long; its end was cut off.",)
        notes += self._describe_run(found, settings)
        clip = None
        make = self._grid if settings.key_frames else self._clips
        for event in make(scene, path, settings, found, text, notes):
            clip = event if isinstance(event, Clip) else clip
            yield event
        if clip is not None and self._is_finishing(settings):
            flow_net, upscaler = self._extras.get("interpolator"), self._extras.get("upscaler")
            yield (yield from postprocess(clip, settings, flow_net=flow_net, upscaler=upscaler))

    def _clips(
        self,
        scene: Scene,
        path: CameraPath,
        settings: DimensionXSettings,
        found: Match,
        text: Tensor,
        notes: tuple[str, ...],
    ) -> Iterator[Progress | Clip]:
        """The clips of a match one after another, each from the last frame of the previous one."""
        picture = scene.first.colour if settings.use_picture else None
        generator = torch.Generator().manual_seed(settings.seed)
        frames: list[Frames] = []
        paths: list[CameraPath] = []
        for number, part in enumerate(found.parts, 1):
            phase = "Shooting" if len(found.parts) == 1 else f"Shooting clip {number} of {len(found.parts)}"
            count = clip_frames(path, found)
            shot = yield from self._shot(part, settings, text, picture, count, generator, phase)
            picture = shot.frames[-1]
            frames.append(shot.frames if not frames else shot.frames[1:])
            paths.append(self._nominal(scene, path, part, count, shot.frames))
            yield Clip(np.concatenate(frames), path.fps, sequence(paths), notes=notes)

    def _grid(
        self,
        scene: Scene,
        path: CameraPath,
        settings: DimensionXSettings,
        found: Match,
        text: Tensor,
        notes: tuple[str, ...],
    ) -> Iterator[Progress | Clip]:
        """A T-Director's video, then the camera move through some of its moments, guided by the chosen one."""
        (part,), count = found.parts, clip_frames(path, found)
        plain = replace(settings, switch_to_t=1.0, lora_file="")

        def shot(part: Part, picture: NDArray[np.uint8], phase: str, start: Start | None = None):
            settings_of = plain if part is STILL else settings
            generator = torch.Generator().manual_seed(settings.seed)  # the same noise for every moment
            return self._shot(part, settings_of, text, picture, count, generator, phase, start)

        time = (yield from shot(STILL, scene.first.colour, "Shooting the scene in motion")).frames
        moments = key_moments(count, settings.key_frames)
        first = settings.key_moment - 1
        start, views = None, {}
        for number in (first, *(other for other in range(len(moments)) if other != first)):
            phase = f"Shooting moment {number + 1} of {len(moments)}"
            made = yield from shot(part, time[moments[number]], phase, start)
            start = start or Start(made.latents, settings.refinement)
            views[number] = made.frames
        cameras = self._nominal(scene, path, part, count, time)
        yield as_clip(Grid(time, moments, tuple(views[number] for number in sorted(views))), cameras, path.fps, notes)

    def _shot(
        self,
        part: Part,
        settings: DimensionXSettings,
        text: Tensor,
        picture: NDArray[np.uint8] | None,
        frames: int,
        generator: torch.Generator,
        phase: str,
        start: Start | None = None,
    ) -> Generator[Progress, None, Shot]:
        for event in shoot(
            self.networks, settings, text=text, picture=picture, frames=frames, generator=generator,
            device=self.device, phase=phase, start=start, before_step=self._switch(settings, part),
        ):  # fmt: skip
            if isinstance(event, Shot):
                return event
            yield event
        raise AssertionError("a shot must end with its frames")

    @property
    def networks(self) -> Networks:
        """The networks of the run prepared last."""
        assert self._networks is not None
        return self._networks

    def _switch(self, settings: DimensionXSettings, part: Part) -> Callable[[int], None]:
        """A function called before every step, which activates the directors of that step."""
        directors, kind, now = self._directors, self.networks.kind, None
        assert directors is not None

        def before(step: int) -> None:
            nonlocal now
            wanted = _apply_alpha(active_directors(settings, kind, part, step), settings, directors)
            if wanted != now:
                directors.use(wanted)
                now = wanted

        return before

    def _text(self, settings: DimensionXSettings) -> tuple[Tensor, int]:
        """(G,L,D), unconditional first, and the number of prompt tokens cut off.

        For "no text" the orbit was trained with zeros; the other models use the embedding of the empty prompt.
        """
        text, cut = encode_text(self.networks, settings.prompt, device=self.device)
        text = text.to(self.weights.dtype)
        if settings.guidance <= 1:
            return text, cut
        if self.networks.kind == "orbit" and not settings.negative_prompt:
            return torch.cat([torch.zeros_like(text), text]), cut
        without, _ = encode_text(self.networks, settings.negative_prompt, device=self.device)
        return torch.cat([without.to(text), text]), cut

    def _nominal(self, scene: Scene, path: CameraPath, part: Part, count: int, frames: Frames) -> CameraPath:
        """The directors' nominal move, in the generated frame size."""
        start = path.sliced(slice(0, 1)).fitted(frames.shape[2], frames.shape[1])
        return nominal_path(start, part.directors, frames=count, fps=path.fps, distance=scene.first.focus_depth)

    @staticmethod
    def _is_finishing(settings: DimensionXSettings) -> bool:
        return settings.upscale or settings.interpolate != "off" or settings.also != "mp4 only"

    def _own(self, settings: DimensionXSettings) -> str:
        """A sentence on the strength of the user's own file, and notes on its other contents."""
        about = self._directors.about(settings.lora_file) if self._directors else None
        if about is None:
            return ""
        notes = (about.strength_words, *about.notes)
        if settings.lora_alpha and about.alpha is None:
            notes = (
                f"{about.name} contains no alpha; {settings.lora_alpha:g} was used, for rank {about.rank}.",
                *about.notes,
            )
        elif settings.lora_alpha:
            notes += (f"The alpha setting of {settings.lora_alpha:g} was not used.",)
        return " " + " ".join(notes)

    def _describe_run(self, found: Match, settings: DimensionXSettings) -> tuple[str, ...]:
        if not settings.use_picture:
            return ()
        text = f"Directed by {found.title}; the path shown is nominal, the network received no poses."
        if settings.lora_file:
            text = "Directed by your own LoRA file; the path shown is that of the chosen moves." + self._own(settings)
        first = math.ceil(settings.switch_to_t * settings.steps)
        if self.networks.kind != "orbit" and first < settings.steps:
            return text, f"The T-Director took over at step {first + 1} of {settings.steps}."
        return (text,)


def plan_clips(scene: Scene, path: CameraPath, settings: DimensionXSettings) -> Match:
    """The clips of a run: those of the path's match, or for text alone one clip without a director."""
    return match_of(scene, path) if settings.use_picture else Match((STILL,), 1.0, 0.0, 0.0, 1.0)


def load_extras(weights: Weights, settings: DimensionXSettings) -> dict[str, Any]:
    """Additional networks that these settings need, by component name."""
    extras: dict[str, Any] = {}
    if settings.interpolate != "off":
        extras["interpolator"] = load_flow_net(weights)
    if settings.upscale:
        extras["upscaler"] = load_upscaler(weights)
    if settings.caption != "off" and not settings.prompt:
        extras["captioner"] = load_captioner(weights, cast(Size, settings.caption))
    return extras


def kind_of(settings: DimensionXSettings, found: Match) -> Kind:
    """The kind of transformer that a run needs."""
    if not settings.use_picture:
        return "text"
    if any(DIRECTORS[id].frames > 49 for part in found.parts for id, _ in part.directors):
        return "orbit"
    return "image_1_5" if settings.base.startswith("CogVideoX1.5") else "image"


def active_directors(settings: DimensionXSettings, kind: Kind, part: Part, step: int) -> list[tuple[str, float]]:
    """Directors and weights that are active at a step, counted from 0; none for the orbit (merged) and for text alone."""
    if kind in ("orbit", "text"):
        return []
    if step >= settings.switch_to_t * settings.steps:
        return [("t_director", settings.strength)]
    if settings.lora_file:
        return [(settings.lora_file, settings.strength)]
    return [(id, weight * settings.strength) for id, weight in part.directors]


def _apply_alpha(
    wanted: list[tuple[str, float]], settings: DimensionXSettings, directors: Directors
) -> list[tuple[str, float]]:
    """Scale an own file without alpha by the alpha from the settings instead of 1."""
    own = settings.lora_file
    about = directors.about(own) if own else None
    if not settings.lora_alpha or about is None or about.alpha is not None:
        return wanted
    return [(id, weight * (settings.lora_alpha if id == own else 1.0)) for id, weight in wanted]
