"""The user's own SAM, which segments the object at a pixel or in a box, if a folder with its weights is configured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError

VARIABLE = "RESHOOT_SAM"
"""Environment variable: the folder (config.json, model.safetensors) of a `SamModel`; without it, objects are found by depth."""
LEAST_PX = 12
"""Minimum number of pixels of a part."""

Segmenter = Callable[..., NDArray[np.bool_]]
"""``(colour, left, top)`` or ``(colour, left, top, right, bottom)``, in pixels of ``colour`` (H,W,3), to the object's mask (H,W)."""


def own_sam() -> Segmenter | None:
    """The model set by this process's environment, see `VARIABLE`."""
    folder = os.environ.get(VARIABLE)
    return segmenter_of(Path(folder).expanduser()) if folder else None


@lru_cache(maxsize=1)
def segmenter_of(folder: Path) -> Segmenter:
    """The model in ``folder``, on the CPU; nothing is downloaded. Uses the mask with the highest predicted score.

    Raises `InputError` for a folder without such a model or with missing weights, and if it finds no object.
    """
    from transformers import SamImageProcessorPil

    network = _open(folder)
    side = network.config.vision_config.image_size
    prepare = SamImageProcessorPil(size={"longest_edge": side}, pad_size={"height": side, "width": side})

    def segment(
        colour: NDArray[np.uint8], left: float, top: float, right: float = -1, bottom: float = -1
    ) -> NDArray[np.bool_]:
        import torch

        given = prepare(colour, return_tensors="pt")
        used, whole = given["reshaped_input_sizes"][0].tolist(), colour.shape[:2]
        scale = [used[1] / whole[1], used[0] / whole[0]]
        prompt: dict[str, Any] = {"input_points": torch.tensor([[[[left * scale[0], top * scale[1]]]]])}
        if right >= 0:
            corners = np.concatenate([np.sort([left, right]) * scale[0], np.sort([top, bottom]) * scale[1]])
            prompt = {"input_boxes": torch.from_numpy(corners[[0, 2, 1, 3]].astype(np.float32))[None, None]}
        with torch.inference_mode():
            found = network(pixel_values=given["pixel_values"], **prompt)
        (masks,) = prepare.post_process_masks([found.pred_masks[0].float()], [whole], [used])
        mask = masks[0, int(found.iou_scores[0, 0].argmax())].numpy()
        if mask.sum() < LEAST_PX:
            raise InputError("SAM finds no object there; click on another place, or select by a mask or painting.")
        return mask

    return segment


def _open(folder: Path) -> Any:
    from transformers import SamModel

    try:
        kind = json.loads((folder / "config.json").read_text()).get("model_type")
        if kind != "sam":
            raise ValueError(f"its config.json says {kind!r} where 'sam' is expected")
        how = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
        network, info = SamModel.from_pretrained(folder, **how)  # type: ignore[misc]
        if info["missing_keys"]:
            raise ValueError(f"{len(info['missing_keys'])} of its weights are missing")
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise InputError(
            f"{VARIABLE} must name a folder with a SamModel (config.json, model.safetensors): {reason}."
        ) from error
    return network.eval()
