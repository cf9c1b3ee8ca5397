"""Depth of generated frames, so that the cache can grow: MoGe where its package is installed, else the app's own model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines import depth as models
from pipelines.method import Checkpoint, Licence
from pipelines.pictures import Picture
from pipelines.runtime.weights import Weights, folder_of

MOGE = Checkpoint("depth/moge", "Ruicheng/moge-vitl", ("model.pt",), gigabytes=1.3)
MOGE_LICENCE = Licence("depth model of added frames", "MIT", "https://huggingface.co/Ruicheng/moge-vitl")
OWN = "small"
"""Of `pipelines.depth.MODELS`: small and free to use. Its unknown scale and shift are what alignment finds."""


MOGE_SOURCE = "MoGe"


@dataclass(frozen=True, eq=False)
class FrameDepth:
    """``network`` is placed by the runtime; None where depth is only guessed. ``source`` in words."""

    network: Any | None
    source: str

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (H,W) of RGB (H,W,3) in any unit, NaN or infinite where there is none."""
        if self.network is None:
            return models.guessed_layout(picture).values
        if self.source == MOGE_SOURCE:
            return moge_answer(self.network, picture)[0]
        return models.estimate(Picture(picture, None), models.MODELS[OWN], self.network).values


def moge_installed() -> bool:
    return find_spec("moge") is not None


def load_depth(weights: Weights) -> FrameDepth:
    """The depth model of added frames; without real weights depth is a guessed layout, as a random network knows no depth."""
    if weights.mode != "real":
        return FrameDepth(None, "a guessed layout")
    if moge_installed():
        return FrameDepth(_load_moge(weights.files(MOGE)["model.pt"]), MOGE_SOURCE)
    model = models.MODELS[OWN]
    network = weights.shared(model.key, lambda: models.load_model(folder_of(weights.files(model.checkpoint))))
    return FrameDepth(network, model.label)


def _load_moge(path: str) -> Any:
    from moge.model.v1 import MoGeModel  # pyright: ignore[reportMissingImports]

    return MoGeModel.from_pretrained(path).eval()


@torch.inference_mode()
def moge_answer(network: Any, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Depth (H,W), infinite outside MoGe's mask, and intrinsics (3,3) in pixels; a `preprocess.EstimateDepth` with ``network``."""
    height, width = picture.shape[:2]
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(device) / 255
    answer = network.infer(pixels)
    lens = np.diag([width, height, 1]) @ answer["intrinsics"].double().cpu().numpy()
    return answer["depth"].float().cpu().numpy(), lens
