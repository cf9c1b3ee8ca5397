"""Fits Gaussian splats to posed frames (Kerbl et al. 2023) that may be slightly inconsistent.

On a GPU gsplat renders if it is installed; otherwise this project's own rasterizer, which needs small pictures.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from time import monotonic

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.cloud import PointCloud
from camera.errors import InputError
from camera.path import CameraPath, spread_indices
from pipelines.media.image_metrics import psnr
from pipelines.method import Frames, Progress
from pipelines.reconstruct.gaussians.cameras import Cameras
from pipelines.reconstruct.gaussians.densify import Densifier, step_factor
from pipelines.reconstruct.gaussians.initialise import extent, initial_splats
from pipelines.reconstruct.gaussians.loss import perceptual, photometric
from pipelines.reconstruct.gaussians.settings import SplatSettings
from pipelines.splats.drawing import Drawing, drawing_on
from pipelines.splats.splats import Splats

FEWEST_FRAMES = 3
CHECKS = 10
"""Number of evaluations of a fit, after the first step and at equal intervals until the last; the best state is kept."""
PREVIEW_SECONDS = 3.0
"""The fit is also evaluated if there was no preview for this long."""
CHECK_VIEWS = 4
HARMONICS_EVERY = 1000
"""Iterations after which the degree of the colours' harmonics increases by one; fewer in short fits."""


@dataclass(frozen=True, eq=False)
class SplatFit:
    """The best splats so far, and the cameras they were fitted with.

    ``psnr``: decibels, mean over the held-back views, or over a few fitted views if none was held back (``held_back``).
    ``iteration``: the iteration of this state. ``drawn_by``: the renderer, in words.
    """

    splats: Splats
    path: CameraPath
    psnr: float
    held_back: bool
    iteration: int
    drawn_by: str

    def sentence(self) -> str:
        of = "frames held back from the fit" if self.held_back else "frames it was fitted to"
        return (
            f"{len(self.splats)} Gaussians, {self.psnr:.1f} dB on {of}, after {self.iteration} steps; {self.drawn_by}."
        )


def fit(
    frames: Frames,
    path: CameraPath,
    cloud: PointCloud,
    *,
    settings: SplatSettings | None = None,
    weights: NDArray[np.float32] | None = None,
    behind: NDArray[np.uint8] | None = None,
    device: str | None = None,
) -> Generator[Progress | SplatFit, None, SplatFit]:
    """Fit splats, initialised from ``cloud``, to ``frames`` (F,H,W,3) uint8, one for each camera of ``path``.

    Yields `Progress`, with a preview every `PREVIEW_SECONDS`, and a `SplatFit` whenever the fit has improved, the first one
    before the first `Progress`. Each replaces the previous one, so closing the generator at any time keeps the best so far.
    ``weights`` (F,H,W) in 0..1: the confidence of every pixel. ``behind`` (F,H,W,3): pictures behind the splats instead of
    the background colour. ``device``: by default the GPU if there is one. Raises `InputError` for frames that do not match
    the path, too few frames, and options that need a missing package.
    """
    settings = settings or SplatSettings()
    _check(frames, path, weights, behind)
    fitting = _Fit(frames, path, cloud, settings, weights, behind, drawing_on(device))
    looked = monotonic()
    for iteration in range(1, fitting.iterations + 1):
        fitting.step(iteration)
        preview = None
        if fitting.is_checked(iteration) or monotonic() - looked > PREVIEW_SECONDS:
            preview, better = fitting.look(iteration)
            looked = monotonic()
            if better is not None:
                yield better
        note = f"{len(fitting.growing)} Gaussians, loss {fitting.loss:.3f}"
        yield Progress("Fitting splats", iteration, fitting.iterations, preview=preview, note=note)
    assert fitting.best is not None, "the last iteration is always evaluated"
    return fitting.best


class _Fit:
    """One fit: its constants, its parameters, and the best state so far."""

    def __init__(
        self, frames: Frames, path: CameraPath, cloud: PointCloud, settings: SplatSettings,
        weights: NDArray[np.float32] | None, behind: NDArray[np.uint8] | None, drawing: Drawing,
    ) -> None:  # fmt: skip
        self.settings, self.drawing = settings, drawing
        self.iterations = settings.iterations or drawing.iterations
        self.path = _fitting_size(path, settings.longest_side or drawing.longest_side)
        self.frames = _tensors(frames, self.path).to(drawing.device)
        self.weights = None if weights is None else _tensors(weights[..., None], self.path)[:, 0].to(drawing.device)
        self.most = settings.most_splats or drawing.most_splats
        self.shown, self.checked, self.held_back = _split_views(len(path), settings.hold_back)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.size = extent(cloud, path)
        middle = torch.tensor(path.centres.mean(axis=0), dtype=torch.float32, device=drawing.device)
        haste = step_factor(self.iterations)
        start = initial_splats(cloud.thinned(max(self.most // 2, 1)), settings.harmonics)
        self.growing = Densifier(start, extent=self.size, middle=middle, generator=self.generator, haste=haste)
        self.cameras = Cameras(
            self.path, device=drawing.device, extent=self.size, refine=settings.refine_poses,
            appearance=settings.appearance, haste=haste,
        )  # fmt: skip
        self.lpips = perceptual(str(drawing.device)) if settings.lpips else None
        self.background = torch.full((3,), 1.0 if settings.background == "white" else 0.0, device=drawing.device)
        self.behind = None if behind is None else _tensors(behind, self.path).permute(0, 2, 3, 1).to(drawing.device)
        self.best: SplatFit | None = None
        self.loss = 0.0
        self.turns: list[int] = []

    def step(self, iteration: int) -> None:
        """One frame and one step of the optimisers, followed by densification when it is due."""
        view = self._next_view()
        gaussians = self.growing.gaussians(self._degree(iteration))
        drawn = self.drawing.draw(
            gaussians, self.cameras.camera_from_world(view), self.cameras.lenses[view], self.path.width, self.path.height,
            background=self._background(view),
        )  # fmt: skip
        drawn.places.retain_grad()
        loss = self._loss(self.cameras.corrected(drawn.colour, view), view)
        loss.backward()
        self.loss = float(loss.detach())
        if drawn.places.grad is not None:
            self.growing.observe(drawn.places.grad.reshape(-1, 2), drawn.seen, self.path.width, self.path.height)
        self.growing.step(iteration / self.iterations)
        self.cameras.step(iteration / self.iterations)
        self._grow(iteration)

    def is_checked(self, iteration: int) -> bool:
        """Whether this step is evaluated regardless of the machine's speed."""
        return iteration % max(self.iterations // CHECKS, 1) == 0 or iteration in (1, self.iterations)

    def look(self, iteration: int) -> tuple[NDArray[np.uint8], SplatFit | None]:
        """A preview (H,W,3), and the state if it is the best so far."""
        with torch.no_grad():
            pictures = [self._render(view) for view in self.checked]
            quality = float(
                np.mean([psnr(picture, self.frames[view]) for picture, view in zip(pictures, self.checked)])
            )
        better = None
        if self.best is None or quality > self.best.psnr:
            better = self.best = SplatFit(
                self.growing.splats(), self.cameras.path(), quality, self.held_back, iteration, self.drawing.words
            )
        return _uint8(pictures[0]), better

    def _render(self, view: int) -> Tensor:
        drawn = self.drawing.draw(
            self.growing.gaussians(self.settings.harmonics), self.cameras.camera_from_world(view), self.cameras.lenses[view],
            self.path.width, self.path.height, background=self._background(view),
        )  # fmt: skip
        return self.cameras.corrected(drawn.colour, view).permute(2, 0, 1)

    def _background(self, view: int) -> Tensor:
        """(3,) or (H,W,3): the colour behind the splats."""
        return self.background if self.behind is None else self.behind[view]

    def _loss(self, colour: Tensor, view: int) -> Tensor:
        picture, chosen = colour.permute(2, 0, 1), self.settings
        weight = None if self.weights is None else self.weights[view]
        loss = photometric(picture, self.frames[view], weight)
        if self.lpips is not None:
            loss = loss + chosen.lpips * self.lpips(picture, self.frames[view])
        if chosen.opacity_weight:
            loss = loss + chosen.opacity_weight * self.growing.parameters["logit_opacities"].sigmoid().mean()
        if chosen.scale_weight:
            loss = loss + chosen.scale_weight * self.growing.parameters["log_scales"].exp().mean() / self.size
        return loss

    def _grow(self, iteration: int) -> None:
        """3DGS's schedule of 30,000 iterations; shorter fits start earlier and densify more often."""
        begin, every = min(500, self.iterations // 10), max(min(100, self.iterations // 20), 1)
        end = min(15_000, self.iterations * 6 // 10)
        if begin < iteration <= end and iteration % every == 0:
            events_left = (end - iteration) // every + 1
            self.growing.densify((self.most - len(self.growing)) // events_left)
            self.growing.prune(large_too=iteration > min(3000, self.iterations // 4))
        if iteration % 3000 == 0 and iteration <= end:
            self.growing.reset_opacities()

    def _degree(self, iteration: int) -> int:
        every = min(HARMONICS_EVERY, max(self.iterations // 8, 1))
        return min(iteration // every, self.settings.harmonics)

    def _next_view(self) -> int:
        """Index of the next view; every view once per epoch, in a new order."""
        if not self.turns:
            order = torch.randperm(len(self.shown), generator=self.generator).tolist()
            self.turns = [self.shown[i] for i in order]
        return self.turns.pop()


def _check(frames: Frames, path: CameraPath, weights: NDArray | None, behind: NDArray | None) -> None:
    shape = (len(path), path.height, path.width, 3)
    if tuple(frames.shape) != shape:
        raise InputError(
            f"The path is for frames of shape {shape}, got {tuple(frames.shape)}; use the path they were shot on."
        )
    if len(path) < FEWEST_FRAMES:
        raise InputError(f"Splats need at least {FEWEST_FRAMES} frames from different places, got {len(path)}.")
    if weights is not None and weights.shape != shape[:3]:
        raise InputError(f"Confidence needs one weight for each pixel, {shape[:3]}, got {weights.shape}.")
    if behind is not None and behind.shape != shape:
        raise InputError(f"Pictures behind the splats need the frames' shape {shape}, got {behind.shape}.")


def _fitting_size(path: CameraPath, longest: int) -> CameraPath:
    scale = min(1.0, longest / max(path.width, path.height))
    return path.resized(max(round(path.width * scale), 1), max(round(path.height * scale), 1)) if scale < 1 else path


def _tensors(pictures: NDArray, path: CameraPath) -> Tensor:
    """(F,C,H,W) in 0..1 at the size of ``path``; bytes are divided by 255."""
    size = (path.width, path.height)
    small = [
        cv2.resize(each, size, interpolation=cv2.INTER_AREA).reshape(path.height, path.width, -1) for each in pictures
    ]
    stack = torch.from_numpy(np.stack(small).transpose(0, 3, 1, 2).copy())
    return stack.float() / 255 if stack.dtype == torch.uint8 else stack.float()


def _split_views(count: int, hold_back: int) -> tuple[Sequence[int], Sequence[int], bool]:
    """Views for the fit, views for evaluation, and whether the latter are held back: every ``hold_back``-th, from the middle of its group."""
    held = list(range(hold_back // 2, count, hold_back)) if hold_back else []
    shown = [view for view in range(count) if view not in held]
    if len(shown) < FEWEST_FRAMES:
        raise InputError(
            f"Holding back every {hold_back} of {count} frames leaves {len(shown)} for the fit; at least {FEWEST_FRAMES} are needed."
        )
    looked = held or shown
    few = spread_indices(len(looked), CHECK_VIEWS)
    return shown, [looked[i] for i in few], bool(held)


def _uint8(picture: Tensor) -> NDArray[np.uint8]:
    """(H,W,3) of a picture (3,H,W) in 0..1."""
    return (picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()
