"""Depth for a picture: given depth, a depth model, or a clearly labelled guess."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from camera.errors import InputError
from pipelines.media.image import Picture, from_disparity
from pipelines.method import Checkpoint, Licence

DEFAULT_FOV_DEGREES = 55.0
FILES = ("config.json", "model.safetensors")
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class DepthModel:
    """A depth network of the transformers library, or MoGe, which has its own package.

    ``output``: "disparity" (up to scale and shift), "metres", "lens_and_metres" (Depth Pro: also the field of view), or
    "lens_and_distance" (MoGe: the same up to scale). ``multiple``: input sides are multiples of this many pixels; ``side``: shorter input side.
    """

    key: str
    label: str
    output: Literal["disparity", "metres", "lens_and_metres", "lens_and_distance"]
    checkpoint: Checkpoint
    licence: Licence
    side: int = 518
    multiple: int = 14


def _depth_anything(
    key: str, label: str, repo: str, gigabytes: float, licence: str, output: str = "disparity"
) -> DepthModel:
    checkpoint = Checkpoint(f"depth/{key}", f"depth-anything/{repo}", FILES, gigabytes=gigabytes)
    url = f"https://huggingface.co/depth-anything/{repo}"
    return DepthModel(key, label, output, checkpoint, Licence("depth model", licence, url))  # type: ignore[arg-type]


MOGE = DepthModel(
    "moge",
    "MoGe (as GEN3C's authors)",
    "lens_and_distance",
    Checkpoint("depth/moge", "Ruicheng/moge-vitl", ("model.pt",), gigabytes=1.3),
    Licence("depth model", "MIT", "https://huggingface.co/Ruicheng/moge-vitl"),
)


def moge_installed() -> bool:
    return find_spec("moge") is not None


MODELS = {
    model.key: model
    for model in (
        *((MOGE,) if moge_installed() else ()),
        _depth_anything("small", "Depth Anything V2 Small", "Depth-Anything-V2-Small-hf", 0.1, "Apache-2.0"),
        _depth_anything("base", "Depth Anything V2 Base", "Depth-Anything-V2-Base-hf", 0.4, "CC-BY-NC-4.0"),
        _depth_anything("large", "Depth Anything V2 Large", "Depth-Anything-V2-Large-hf", 1.3, "CC-BY-NC-4.0"),
        _depth_anything(
            "indoor",
            "Depth Anything V2 Metric Indoor Small",
            "Depth-Anything-V2-Metric-Indoor-Small-hf",
            0.1,
            "Apache-2.0",
            "metres",
        ),
        _depth_anything(
            "outdoor",
            "Depth Anything V2 Metric Outdoor Small",
            "Depth-Anything-V2-Metric-Outdoor-Small-hf",
            0.1,
            "Apache-2.0",
            "metres",
        ),
        DepthModel(
            "depth_pro",
            "Depth Pro (metres and field of view)",
            "lens_and_metres",
            Checkpoint("depth/depth_pro", "apple/DepthPro-hf", FILES, gigabytes=1.9),
            Licence("depth model", "Apple sample code licence", "https://huggingface.co/apple/DepthPro-hf"),
            side=1536,
            multiple=1536,
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Depth:
    """``values`` (H,W) float32 along z, NaN where unknown; ``unit`` as `Scene.unit`; ``source`` in words."""

    values: NDArray[np.float32]
    unit: Literal["metres", "relative"]
    source: str
    fov_degrees: float | None = None


def depth_of(picture: Picture, model: DepthModel) -> Depth:
    """Depth from a model in the Hub, the cache or a local folder; raises `InputError` if the model is not available."""
    return estimate(picture, model, _network(model))


@lru_cache(maxsize=1)
def _network(model: DepthModel) -> object:
    from pipelines.weights.hub import Weights, folder_of

    weights = Weights()
    files = weights.files(model.checkpoint)
    if model.output == "lens_and_distance":
        return weights.shared(model.checkpoint.key, lambda: load_moge(files["model.pt"]))
    return weights.shared(model.checkpoint.key, lambda: load_model(folder_of(files)))


def load_model(folder: str | Path) -> object:
    """A depth network from a folder in transformers' layout (config.json, model.safetensors), on the CPU."""
    from transformers import AutoModelForDepthEstimation

    try:
        model = AutoModelForDepthEstimation.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"The depth model in {Path(folder).name} is incomplete; delete it and download it again."
        ) from error
    return model.eval()


def load_moge(path: str) -> Any:
    """Load MoGe from its published model.pt, with its own package, which must be installed."""
    from moge.model.v1 import MoGeModel  # pyright: ignore[reportMissingImports]

    return MoGeModel.from_pretrained(path).eval()


def estimate(picture: Picture, model: DepthModel, network: object) -> Depth:
    """Depth of one picture from a loaded network, at the picture's size; resizing is bicubic."""
    import cv2
    import torch

    if model.output == "lens_and_distance":
        values, lens = moge_answer(network, picture.colour)
        fov = float(np.degrees(2 * np.arctan(picture.colour.shape[1] / (2 * lens[0, 0]))))
        return Depth(np.where(np.isfinite(values), values, np.nan), "relative", model.label, fov)
    height, width = picture.colour.shape[:2]
    pixels = _network_input(picture.colour, model)
    device = next(network.parameters()).device  # type: ignore[attr-defined]
    with torch.inference_mode():
        answer = network(torch.from_numpy(pixels).to(device))  # type: ignore[operator]
    raw = answer.predicted_depth[0].float().cpu().numpy()
    if not np.isfinite(raw).all() or raw.max() <= 0:
        raise InputError(f"{model.label} estimated no depth in this picture; choose another depth source.")
    raw = cv2.resize(raw, (width, height), interpolation=cv2.INTER_LINEAR)
    if model.output == "metres":
        return Depth(raw, "metres", model.label)
    if model.output == "disparity":
        return Depth(from_disparity(np.maximum(raw, 0)), "relative", model.label)
    fov = float(answer.field_of_view[0])
    focal_px = width / (2 * np.tan(np.radians(fov) / 2))
    metres = 1 / np.clip(raw * width / focal_px, 1e-4, 1e4)
    return Depth(metres.astype(np.float32), "metres", model.label, fov)


def moge_answer(network: Any, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Depth (H,W), infinite outside MoGe's mask, and intrinsics (3,3) in pixels, of RGB (H,W,3)."""
    import torch

    height, width = picture.shape[:2]
    device = next(network.parameters()).device
    with torch.inference_mode():
        answer = network.infer(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(device) / 255)
    lens = np.diag([width, height, 1]) @ answer["intrinsics"].double().cpu().numpy()
    return answer["depth"].float().cpu().numpy(), lens


def _network_input(colour: NDArray[np.uint8], model: DepthModel) -> NDArray[np.float32]:
    """(1,3,h,w) float32, normalised as in the model's training."""
    import cv2

    height, width = colour.shape[:2]
    scale = model.side / min(height, width)
    rows, columns = (max(1, round(side * scale / model.multiple)) * model.multiple for side in (height, width))
    if model.multiple == model.side:
        rows = columns = model.side
    pixels = cv2.resize(colour, (columns, rows), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    if model.output == "lens_and_metres":
        pixels = (pixels - 0.5) / 0.5
    else:
        pixels = (pixels - IMAGENET_MEAN) / IMAGENET_STD
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)
