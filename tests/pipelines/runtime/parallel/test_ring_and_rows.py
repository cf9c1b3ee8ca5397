"""Two processes: attention whose heads cannot be divided, and decoders with split rows, give the same results as one process."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch

from pipelines import method
from pipelines.methods.dimensionx.network.load import load_networks
from pipelines.methods.gen3c.network import latents as gen3c
from pipelines.methods.i2v3d.load import load_keyframe_networks
from pipelines.methods.i2v3d.video.conditions import decode_video
from pipelines.runtime.parallel.exchange import Group
from pipelines.runtime.parallel.split import split
from pipelines.weights.hub import Weights
from tests.pipelines.methods.test_context_parallel import denoise, networks_of, randn
from tests.pipelines.runtime.parallel.processes import computed

RING = ("gen3c", "dimensionx", "dualcamctrl")
SIZES = ("even", "odd")
DECODERS = (
    "gen3c",
    "gen3c tiles",
    "genxd",
    "dimensionx",
    "i2v3d pictures",
    "i2v3d video",
    "dualcamctrl",
    "dualcamctrl tiles",
)
ROWS = (6, 5, 1)
"""Numbers of latent rows: the last cannot be split, and is computed whole."""
ROUNDING = 1e-5
"""In float32, relative to the largest value; see test_context_parallel. In float64, where rounding cannot hide a mistake, 1e-12."""


def autoencoder(name):
    weights = Weights(mode="tiny", device="cpu")
    if name == "dimensionx":
        return load_networks(weights, "image").vae
    if name == "i2v3d pictures":
        return load_keyframe_networks(weights).vae
    if name == "i2v3d video":
        from pipelines.methods.i2v3d.load import load_video_networks

        return load_video_networks(weights).vae
    return import_module(method(name.split()[0]).pipeline).load(weights).components["vae"]


def decoded(name, vae, rows):
    if name.startswith("gen3c"):
        vae.use_tiling = "tiles" in name
        vae.tile_sample_min_height = vae.tile_sample_min_width = 32
        vae.tile_sample_stride_height = vae.tile_sample_stride_width = 16
        return gen3c.decode(vae, randn(1, 16, 2, rows, 4))
    if name.startswith("dualcamctrl"):
        vae.enable_tiling(32, 32, 24, 24)
        vae.use_tiling = "tiles" in name
    channels = vae.config.latent_channels if "latent_channels" in vae.config else vae.config.z_dim
    if name in ("genxd", "i2v3d video"):
        return decode_video(vae, randn(1, 3, channels, rows, 4), together=2)
    frames = () if name == "i2v3d pictures" else (3,)
    return vae.decode(randn(1, channels, *frames, rows, 4).to(vae.dtype)).sample


def outputs(group: Group) -> dict[str, torch.Tensor]:
    found = {}
    # oneDNN chooses a different convolution for fewer rows; its rounding differs by an amount that depends on the processor
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        for name in RING:
            found |= _denoised(name, group)
        for name in DECODERS:
            vae = autoencoder(name).float().eval()
            with split({"denoiser": _Nothing(), "vae": vae}, group):
                for kind, dtype in (("", torch.float32), ("64 ", torch.float64)):
                    torch.set_default_dtype(dtype)
                    vae.to(dtype)
                    found |= {f"{kind}{name}/{rows}": decoded(name, vae, rows).contiguous() for rows in ROWS}
                torch.set_default_dtype(torch.float32)
    return found


class _Nothing(torch.nn.Module):
    """Stands for a denoiser, since a method without one to split is refused."""

    from pipelines.runtime.parallel.plans import FramePlan

    parallel_plan = FramePlan({"sample": 1})


def _denoised(name, group):
    networks = networks_of(name)
    for network in networks.values():
        network.parallel_plan = replace(network.parallel_plan, heads=3)  # which cannot be divided between two processes
    found = {}
    with split(networks, group):
        sent = len(group.sent)
        for size in SIZES:
            for number, part in enumerate(denoise(networks, f"{name}/{size}")):
                found[f"{name}/{size}.{number}"] = part.contiguous()
        assert group.size == 1 or len(group.sent) > sent + 2, "no keys were gathered"
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    return outputs(Group(0, 1)), *computed(outputs, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("case", [f"{name}/{size}" for name in RING for size in SIZES])
def test_heads_that_do_not_divide(answers, case):
    keys = [key for key in answers[0] if key.startswith(f"{case}.")]
    assert keys and max(_difference(answers, key) for key in keys) <= ROUNDING


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_whose_rows_are_split(answers, name, rows):
    assert _difference(answers, f"{name}/{rows}") <= ROUNDING
    assert _difference(answers, f"64 {name}/{rows}") <= 1e-12


def _difference(answers, key):
    alone, first, second = (each[key] for each in answers)
    assert alone.std() > 1e-3 and first.shape == alone.shape and torch.equal(first, second)
    return ((first - alone).abs().max() / alone.abs().max().clamp(min=1)).item()
