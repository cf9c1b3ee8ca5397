"""Depth of generated frames, needed to extend the cache: from MoGe if its package is installed, else from the app's own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.estimation import depth as models
from pipelines.inputs.picture import guess_layout
from pipelines.media.image import Picture
from pipelines.weights.hub import Weights, folder_of

OWN = "small"
"""Key of `pipelines.estimation.depth.MODELS`: small and free to use. Alignment finds its unknown scale and shift."""


@dataclass(frozen=True, eq=False)
class FrameDepth:
    """``network`` is placed by the runtime; without ``model`` depth is a guessed layout."""

    network: Any | None = None
    model: models.DepthModel | None = None

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (H,W) of RGB (H,W,3) in any unit, NaN where unknown."""
        if self.model is None:
            return guess_layout(picture).values
        return models.estimate(Picture(picture, None), self.model, self.network).values


def load_depth(weights: Weights) -> FrameDepth:
    """The depth model of added frames; without real weights depth is a guessed layout, because a random network estimates no depth."""
    if weights.mode != "real":
        return FrameDepth()
    if models.moge_installed():
        return FrameDepth(models.load_moge(weights.files(models.MOGE.checkpoint)["model.pt"]), models.MOGE)
    model = models.MODELS[OWN]
    network = weights.shared(model.key, lambda: models.load_model(folder_of(weights.files(model.checkpoint))))
    return FrameDepth(network, model)
