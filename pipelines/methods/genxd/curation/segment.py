"""Finds everything in a picture that might move, by instance segmentation; accepts false positives.

Source: arXiv 2411.02319, section 3, which uses Mask2Former; here its COCO version from the transformers library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from camera.errors import InputError
from pipelines.method import Checkpoint

CHECKPOINT = Checkpoint(
    "genxd/segmentation",
    "facebook/mask2former-swin-small-coco-instance",
    ("config.json", "model.safetensors"),
    gigabytes=0.3,
)
MIGHT_MOVE = frozenset((*range(9), *range(14, 24), 25, *range(29, 39)))
"""COCO class ids: people, vehicles, animals, umbrellas, and sports equipment that is thrown or ridden."""
SIDE, MULTIPLE = 384, 32
SURE = 0.4
"""Minimum class probability for a mask to count."""
_MEAN, _SPREAD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)


def load_segmenter(folder: str | Path) -> nn.Module:
    """Mask2Former from a folder in transformers' layout, on the CPU."""
    from transformers import Mask2FormerForUniversalSegmentation

    from pipelines.weights.checkpoints import from_folder

    dropped = (r"relative_position_index$", r"num_batches_tracked$")
    return from_folder(Mask2FormerForUniversalSegmentation, folder, dtype=torch.float32, dropped=dropped)


@torch.inference_mode()
def movable_mask(pictures: NDArray[np.uint8], network: nn.Module) -> NDArray[np.bool_]:
    """(F,H,W): where ``pictures`` (F,H,W,3) show something of a class that might move."""
    height, width = pictures.shape[1:3]
    return np.stack([_mask(picture, network, height, width) for picture in pictures])


def _mask(picture: NDArray[np.uint8], network: nn.Module, height: int, width: int) -> NDArray[np.bool_]:
    scale = SIDE / min(height, width)
    rows, columns = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    pixels = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    batch = torch.from_numpy(((pixels - _MEAN) / _SPREAD).transpose(2, 0, 1)[None])
    answer = cast(Any, network)(pixel_values=batch)
    likely, kind = answer.class_queries_logits[0].softmax(-1)[:, :-1].max(-1)
    chosen = [i for i in range(len(kind)) if likely[i] >= SURE and int(kind[i]) in MIGHT_MOVE]
    if not chosen:
        return np.zeros((height, width), bool)
    best = answer.masks_queries_logits[0, chosen].amax(0).numpy()
    return cv2.resize(best, (width, height), interpolation=cv2.INTER_LINEAR) > 0


def segmenter_from_hub() -> nn.Module:
    """The published network from the cache or the Hub; raises `InputError` if it is not available."""
    from pipelines.weights.hub import Weights, folder_of

    weights = Weights()
    files = weights.files(CHECKPOINT)
    network = weights.shared(CHECKPOINT.key, lambda: load_segmenter(folder_of(files)))
    if not isinstance(network, nn.Module):
        raise InputError("The segmentation network could not be read; delete it from the cache and download it again.")
    return network
