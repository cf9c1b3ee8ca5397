"""Chooses the rasterizer of splats: gsplat on a GPU if it is installed, otherwise this project's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camera.path import CameraPath
from pipelines.splats import rasterizer
from pipelines.splats.rasterizer import Gaussians, RenderedSplats
from pipelines.splats.splats import Splats


@dataclass(frozen=True)
class Drawing:
    """``draw`` as `pipelines.splats.rasterizer.draw`, on ``device``; ``words``: the renderer, for the user; the rest are limits of a fit on this device."""

    draw: Callable[..., RenderedSplats]
    device: torch.device
    words: str
    iterations: int
    longest_side: int
    most_splats: int


def drawing_on(device: str | None = None) -> Drawing:
    """``device``: "cuda" or "cpu"; by default the GPU if there is one, except on ZeroGPU, which only runs methods."""
    from pipelines.environment import on_zerogpu

    gpu = device == "cuda" or (device is None and torch.cuda.is_available() and not on_zerogpu())
    if not gpu:
        words = "drawn by Reshoot's own rasteriser on the CPU"
        return Drawing(_draw_compiled, torch.device("cpu"), words, 1000, 192, 6000)
    cuda = torch.device("cuda")
    name, reason = _gsplat()
    if reason:
        words = f"drawn by Reshoot's own rasteriser on the GPU ({reason})"
        return Drawing(rasterizer.draw, cuda, words, 2000, 480, 30_000)
    return Drawing(_draw_gsplat, cuda, f"drawn by {name} on the GPU", 7000, 1920, 300_000)


def _gsplat() -> tuple[str, str]:
    """gsplat with its version, and why it cannot be used here, empty if it can.

    If its wheel contains no kernels for this torch, gsplat compiles them on first use, which takes minutes and needs the CUDA
    toolkit.
    """
    try:
        import gsplat  # type: ignore[import-not-found]
    except ImportError:
        return "", "install gsplat for a faster one"
    name = f"gsplat {gsplat.__version__}"
    try:
        from gsplat.cuda import _backend  # type: ignore[import-not-found]
    except (ImportError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        return (
            name,
            f"the kernels of {name} could not be compiled: {str(error).splitlines()[0] if str(error) else error!r}",
        )
    if _backend._C is None:
        return name, f"{name} has no kernels for this GPU; install the CUDA toolkit, or a wheel of gsplat that has them"
    return name, ""


def render_path(
    splats: Splats, path: CameraPath, *, drawing: Drawing | None = None, background: float = 0.0
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Every frame of ``path``: colour (H,W,3) uint8, and holes (H,W), True where less than half of a pixel is covered."""
    drawing = drawing or drawing_on()
    gaussians = Gaussians.of(splats, drawing.device)
    poses = torch.tensor(path.camera_from_world, dtype=torch.float32, device=drawing.device)
    lenses = torch.tensor(path.intrinsics, dtype=torch.float32, device=drawing.device)
    behind = torch.full((3,), background, device=drawing.device)
    for pose, lens in zip(poses, lenses):
        with torch.no_grad():
            drawn = drawing.draw(gaussians, pose, lens, path.width, path.height, background=behind)
        colour = (drawn.colour.clamp(0, 1) * 255).round().byte().cpu().numpy()
        yield colour, (drawn.alpha < 0.5).cpu().numpy()


def _draw_compiled(*args: Any, **options: Any) -> RenderedSplats:
    from pipelines.splats.projection import draw

    return draw(*args, **options)


def _draw_gsplat(
    gaussians: Gaussians,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    *,
    background: Tensor | None = None,
) -> RenderedSplats:
    """Like `pipelines.splats.rasterizer.draw`; gsplat's pixel centres are at half-integers.

    Not packed, so arrays of the Gaussians have the shape (1,N,...), one row for each Gaussian. Radii are (1,N,2) since gsplat 1.5.
    """
    from gsplat import rasterization  # type: ignore[import-not-found]

    half = intrinsics.new_tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    pictures, alphas, about = rasterization(
        gaussians.means, gaussians.quaternions, gaussians.log_scales.exp(), gaussians.logit_opacities.sigmoid(),
        gaussians.sh, camera_from_world[None], (intrinsics + half)[None], width, height,
        near_plane=rasterizer.NEAR, far_plane=rasterizer.FAR, eps2d=rasterizer.BLUR,
        sh_degree=round(gaussians.sh.shape[1] ** 0.5) - 1, packed=False, render_mode="RGB+ED",
    )  # fmt: skip
    colour, alpha = pictures[0, ..., :3], alphas[0, ..., 0]
    if background is not None:
        colour = colour + (1 - alpha[..., None]) * background
    visible = about["radii"][0].reshape(len(gaussians.means), -1).amin(dim=1) > 0
    return RenderedSplats(colour, alpha, pictures[0, ..., 3], about["means2d"], visible)
