"""Tiny networks with the weights used to compute the golden arrays, drawn again by the goldens' recipe."""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLTemporalDecoder,
    ControlNetModel,
    UNet2DConditionModel,
    UNetSpatioTemporalConditionModel,
)
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from pipelines.methods.i2v3d.video.controlnet import ControlNetSVDModel

GOLDEN = Path(__file__).parents[3] / "golden" / "i2v3d"
GAINS = {"svd_controlnet": 0.7, "sdxl_controlnet": 0.5}
KINDS = {
    "svd_unet": UNetSpatioTemporalConditionModel,
    "svd_controlnet": ControlNetSVDModel,
    "svd_vae": AutoencoderKLTemporalDecoder,
    "svd_image_encoder": lambda **config: CLIPVisionModelWithProjection(CLIPVisionConfig(**config)),
    "sdxl_unet": UNet2DConditionModel,
    "sdxl_controlnet": ControlNetModel,
    "sdxl_vae": AutoencoderKL,
}


def draw(tag: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values (float32) that depend only on the tag."""
    random = np.random.RandomState((zlib.crc32(tag.encode()) + 1000003 * 101) % 2**32)
    return random.standard_normal(shape).astype(np.float32)


def network(name: str):
    """A tiny network with the goldens' weights; the sum of all of them is checked."""
    info = json.loads((GOLDEN / ("p3_info.json" if name.startswith("svd") else "p2_info.json")).read_text())
    made = KINDS[name](**info["configs"][name])
    total = 0.0
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            values = draw(f"{name}/{key}", tuple(parameter.shape))
            if parameter.ndim >= 2:
                gain = 1.5 if "controlnet_cond_embedding" in key else GAINS.get(name, 1.0)
                values = values * gain / np.sqrt(np.prod(parameter.shape[1:]))
            elif key.endswith("weight"):
                values = 1 + 0.1 * values
            else:
                values = (0.5 if key.endswith("mix_factor") else 0.05) * values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
            total += float(parameter.double().abs().sum())
    assert total == pytest.approx(info["checks"][name]["sum_abs"], rel=1e-6)
    return made.eval().requires_grad_(False)


def arrays(name: str) -> dict[str, torch.Tensor]:
    """One golden file, without its text arrays."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files if file[key].dtype.kind != "U"}


def packed_json(name: str) -> dict:
    """A golden table of names and shapes."""
    return json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest difference divided by largest value."""
    ours, theirs = ours.detach().float(), theirs.float()
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.fixture(scope="package")
def svd():
    return {name: network(name) for name in KINDS if name.startswith("svd")}


@pytest.fixture(scope="package")
def sdxl():
    return {name: network(name) for name in KINDS if name.startswith("sdxl")}
