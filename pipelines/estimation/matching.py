"""SuperPoint and LightGlue (transformers) as a matcher for structure from motion, if their weights are available.

Better than SIFT if light and viewpoint change much. SuperPoint's weights are for research only, as stated in the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.estimation.colmap import Matcher, Matches
from pipelines.method import Checkpoint, Licence
from pipelines.weights.hub import Weights, folder_of

LIGHTGLUE = Checkpoint(
    "pose/lightglue", "ETH-CVG/lightglue_superpoint", ("config.json", "model.safetensors"), gigabytes=0.05
)
LICENCE = Licence(
    "keypoints and matches",
    "LightGlue Apache-2.0, SuperPoint research only",
    "https://huggingface.co/ETH-CVG/lightglue_superpoint",
    "SuperPoint's weights may be used for research, not in products.",
)
SHORT_SIDE = 480
"""Shorter side of the network's input; sides are multiples of 8."""
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def lightglue(weights: Weights | None = None) -> Matcher:
    """A matcher for `pipelines.estimation.sfm`; raises `InputError` if the weights are not available."""
    weights = weights or Weights()
    files = weights.files(LIGHTGLUE)
    network = weights.shared(LIGHTGLUE.key, lambda: load(folder_of(files)))
    return lambda pictures, wanted: matches(network, pictures, wanted)


def load(folder: str | Path) -> Any:
    """The network from a folder in transformers' layout, on the CPU."""
    from transformers.models.lightglue.modeling_lightglue import LightGlueForKeypointMatching

    try:
        network = LightGlueForKeypointMatching.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"The matcher in {Path(folder).name} is incomplete; delete it and download it again."
        ) from error
    return network.eval()


def matches(network: Any, pictures: NDArray[np.uint8], wanted: list[tuple[int, int]]) -> Matches:
    """Keypoints of ``pictures`` (F,H,W,3) in pixels, and the matches of the ``wanted`` pairs."""
    import torch

    looked_at = torch.from_numpy(_to_grey(pictures))
    scale = np.array(pictures.shape[2:0:-1], np.float64) / np.array(looked_at.shape[:1:-1], np.float64)
    numbers: list[dict[tuple[int, int], int]] = [{} for _ in pictures]
    found = {}
    for pair in wanted:
        with torch.inference_mode():
            answer = network(looked_at[list(pair)][None])
        places = (answer.keypoints[0].double().numpy() * looked_at.shape[:1:-1]).round().astype(int)
        partner = answer.matches.reshape(2, -1)[0].numpy()[
            : places.shape[1]
        ]  # one number per picture if there are no keypoints
        here = [_number_places(numbers[i], places[side]) for side, i in enumerate(pair)]
        there = answer.mask[0].numpy() > 0
        good = (partner >= 0) & (partner < len(partner)) & there[0]
        good[good] = there[1][partner[good]]
        found[pair] = np.stack([here[0][good], here[1][partner[good]]], axis=1).astype(np.uint32)
    keypoints = [np.array(list(one), np.float64).reshape(-1, 2) for one in numbers]
    return [((one + 0.5) * scale - 0.5).astype(np.float32) for one in keypoints], found


def _number_places(numbers: dict[tuple[int, int], int], places: NDArray) -> NDArray[np.int64]:
    """Index of each position (K,2) in its picture; new positions get the next free ones."""
    return np.array([numbers.setdefault((x, y), len(numbers)) for x, y in places.tolist()], np.int64)


def _to_grey(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(F,3,h,w) grey in 0..1."""
    height, width = pictures.shape[1:3]
    scale = min(SHORT_SIDE / min(height, width), 1.0)
    size = tuple(max(8, round(side * scale / 8) * 8) for side in (width, height))
    grey = [
        cv2.resize(picture.astype(np.float32) @ GREY / 255, size, interpolation=cv2.INTER_AREA) for picture in pictures
    ]
    return np.repeat(np.stack(grey)[:, None], 3, axis=1)
