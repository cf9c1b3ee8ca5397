"""Communication of context parallelism: bytes per call of the denoiser, computed from shapes and counted on Gloo.

python -m bench context_parallel

The computed values need no memory: full-size networks are called on torch's "meta" device in one process.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from diffusers.models._modeling_parallel import ContextParallelOutput
from diffusers.models.attention import TemporalBasicTransformerBlock
from diffusers.models.resnet import TemporalResnetBlock
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench import Row, Scale, long_subject
from pipelines.methods.genxd.pipeline import TINY_UNET
from pipelines.runtime.parallel.attention import CogVideoXAttention, SplitAttention
from pipelines.runtime.parallel.exchange import Group, shares
from pipelines.runtime.parallel.frames import ACROSS
from pipelines.runtime.parallel.plans import FramePlan, TokenPlan
from pipelines.runtime.parallel.rank import join
from pipelines.runtime.parallel.split import split, ulysses_fits

Networks = dict[str, nn.Module]
Called = tuple[Networks, Callable[[], object]]
"""Networks, and a function that calls them once."""
Add = Callable[[int], None]


@contextmanager
def count_by_shapes(networks: Networks, ranks: int) -> Iterator[list[int]]:
    """Within the context, bytes that the first of ``ranks`` processes would send per call of ``networks``, computed from the shapes in
    a single process."""
    sent: list[int] = []
    with ExitStack() as undo:
        for network in networks.values():
            plan = getattr(network, "parallel_plan", None)
            if isinstance(plan, TokenPlan):
                _watch_tokens(network, plan, ranks, sent.append, undo)
            elif isinstance(plan, FramePlan):
                _watch_frames(network, plan, ranks, sent.append, undo)
        yield sent


def _hook(handle: Any, undo: ExitStack) -> None:
    undo.callback(handle.remove)


def _watch_tokens(network: nn.Module, plan: TokenPlan, ranks: int, add: Add, undo: ExitStack) -> None:
    for module in network.modules():
        processor: Any = getattr(module, "processor", None)
        if isinstance(processor, SplitAttention):
            _hook(module.register_forward_pre_hook(_attention(processor, plan, ranks, add), with_kwargs=True), undo)
    for name, part in plan.modules.items():
        if isinstance(part, ContextParallelOutput):
            _hook(network.get_submodule(name).register_forward_hook(_gathering(ranks, add)), undo)


def _attention(processor: SplitAttention, plan: TokenPlan, ranks: int, add: Add) -> Callable[..., None]:
    def note(module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        other = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
        joint = isinstance(processor, CogVideoXAttention)
        if other is not None and not joint:
            return  # text that every process has
        lengths = [hidden.shape[1], *([other.shape[1]] if joint else [])]
        batch, token = hidden.shape[0], module.to_q.out_features * hidden.itemsize
        if not ulysses_fits(plan.heads, ranks):
            add(sum(2 * (ranks - 1) * batch * math.ceil(length / ranks) * token for length in lengths))
            return
        own, gathered = sum(shares(length, ranks)[0] for length in lengths), sum(lengths)
        add(batch * (3 * own * (ranks - 1) + gathered - own) * token // ranks)

    return note


def _gathering(ranks: int, add: Add) -> Callable[..., None]:
    def note(module: nn.Module, args: tuple, output: Tensor) -> None:
        batch, tokens, width = output.shape
        add((ranks - 1) * batch * math.ceil(tokens / ranks) * width * output.itemsize)

    return note


def _watch_frames(network: nn.Module, plan: FramePlan, ranks: int, add: Add, undo: ExitStack) -> None:
    first, axis = next(iter(plan.inputs.items()))
    call = {"frames": 0}

    def begins(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        call["frames"] = (args[0] if args else kwargs[first]).shape[axis]

    def ends(module: nn.Module, args: tuple, output: Any) -> None:
        out = output if isinstance(output, Tensor) else output[0]
        whole = out[0, 0].numel() * out.itemsize
        add((ranks - 1) * out.shape[0] * math.ceil(call["frames"] / ranks) * whole)

    _hook(network.register_forward_pre_hook(begins, with_kwargs=True), undo)
    if plan.gather:
        _hook(network.register_forward_hook(ends), undo)
    for name, module in network.named_modules():
        if isinstance(module, TemporalResnetBlock):
            _hook(module.register_forward_hook(_resnet(ranks, add)), undo)
        elif isinstance(module, TemporalBasicTransformerBlock):
            across = f".{ACROSS}." in f".{name}."
            note = (_across if across else _along_time)(call, ranks, add)
            _hook(module.register_forward_pre_hook(note), undo)


def _resnet(ranks: int, add: Add) -> Callable[..., None]:
    """Frames are exchanged for pixels and back; the two norms exchange mean, variance and count in float64."""

    def note(module: Any, args: tuple, output: Tensor) -> None:
        x, embedding = args
        batch, channels, frames = x.shape[:3]
        pixels = x.shape[3] * x.shape[4]
        own, own_pixels = shares(frames, ranks)[0], shares(pixels, ranks)[0]
        add(batch * channels * own * (pixels - own_pixels) * x.itemsize)
        add(batch * output.shape[1] * (frames - own) * own_pixels * x.itemsize)
        add((ranks - 1) * batch * math.ceil(frames / ranks) * embedding.shape[-1] * embedding.itemsize)
        add((ranks - 1) * 3 * batch * (module.norm1.num_groups + module.norm2.num_groups) * 8)

    return note


def _along_time(call: dict[str, int], ranks: int, add: Add) -> Callable[..., None]:
    def note(module: nn.Module, args: tuple) -> None:
        rows, pixels, width = args[0].shape
        frames = call["frames"]
        own, own_pixels = shares(frames, ranks)[0], shares(pixels, ranks)[0]
        swapped = own * (pixels - own_pixels) + (frames - own) * own_pixels
        add(rows // frames * swapped * width * args[0].itemsize)

    return note


def _across(call: dict[str, int], ranks: int, add: Add) -> Callable[..., None]:
    """Cross-frame attention: keys and values of all frames are gathered."""

    def note(module: Any, args: tuple) -> None:
        frames = call["frames"]
        per_frame = args[0].shape[0] * args[0].shape[1] // frames
        width = module.attn1.to_k.out_features * args[0].itemsize
        add(2 * (ranks - 1) * math.ceil(frames / ranks) * per_frame * width)

    return note


class SentBytesCounter(TorchDispatchMode):
    """Bytes that this process sends within the context, over all of torch's collectives."""

    def __init__(self, rank: int, ranks: int) -> None:
        super().__init__()
        self.rank, self.ranks, self.sent = rank, ranks, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        space, _, name = func._schema.name.partition("::")
        if space in ("c10d", "_c10d_functional"):
            self.sent += self._leaving(name, args)
        return func(*args, **(kwargs or {}))

    def _leaving(self, name: str, args: Any) -> int:
        if name in ("wait_tensor", "_wrap_tensor_autograd", "barrier"):
            return 0
        if name == "_allgather_base_":
            return (self.ranks - 1) * args[1].nbytes
        if name == "all_gather_into_tensor":
            return (self.ranks - 1) * args[0].nbytes
        if name in ("alltoall_base_", "all_to_all_single"):
            tensor, sizes = (args[1], args[4]) if name == "alltoall_base_" else (args[0], args[2])
            own_share = sizes[self.rank] / len(tensor) if sizes else 1 / self.ranks
            return round(tensor.nbytes * (1 - own_share))
        raise ValueError(f"a collective that is not counted: {name}")


# --- the five denoisers at full size, on the meta device ----------------------------------------------------------


def _empty(*shape: int) -> Tensor:
    return torch.zeros(shape)  # on the default device, in the default type at the time of the call


def _gen3c(t: int = 16, h: int = 88, w: int = 160, **sizes: int) -> Called:
    from pipelines.methods.gen3c.network.transformer import Gen3cTransformer

    network = Gen3cTransformer(**sizes)
    words = network.config["text_embed_dim"]
    text, mask, pose = _empty(1, 512, words), _empty(1, 1, t, h, w), _empty(1, 64, t, h, w)
    return {"transformer": network}, lambda: network(_empty(1, 16, t, h, w), _empty(1), text, mask, pose)


def _dimensionx() -> Called:
    from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel

    from pipelines.methods.dimensionx.network.configs import IMAGE_TRANSFORMER
    from pipelines.methods.dimensionx.network.parallel_plan import make_splittable

    network = CogVideoXTransformer3DModel(**IMAGE_TRANSFORMER)
    make_splittable(network)
    angles = torch.zeros(13 * 30 * 45, 64, dtype=torch.float32)
    return {"transformer": network}, lambda: network(
        hidden_states=_empty(2, 13, 32, 60, 90), encoder_hidden_states=_empty(2, 226, 4096),
        timestep=_empty(2), image_rotary_emb=(angles, angles), return_dict=False,
    )  # fmt: skip


def _dualcamctrl() -> Called:
    from pipelines.methods.dualcamctrl.network.transformer import DualCamCtrlTransformer

    network = DualCamCtrlTransformer()
    t, h, w = 21, 60, 104
    words, picture, camera = _empty(1, 512, 4096), _empty(1, 257, 1280), _empty(1, 24, t, 8 * h, 8 * w)
    latents = _empty(1, 32, t, h, w)
    return {"transformer": network}, lambda: network(latents, latents, _empty(1), words, picture, camera)


def _genxd(frames: int = 20, side: int = 32, indicator: int = 0, **sizes: Any) -> Called:
    from pipelines.methods.genxd.network.unet import GenXDUNet

    network = GenXDUNet(**sizes)
    return {"unet": network}, lambda: network(
        _empty(2, frames, 15, side, side), _empty(), added_time_ids=_empty(2, frames, 2),
        indicator=torch.full((2,), indicator, device="cpu"), motion_ids=_empty(2),
    )  # fmt: skip


def _i2v3d() -> Called:
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    from pipelines.methods.i2v3d.video.conditions import Picture
    from pipelines.methods.i2v3d.video.controlnet import ControlNetSVDModel
    from pipelines.methods.i2v3d.video.sampling import SteeredUnet

    unet: Any = UNetSpatioTemporalConditionModel(num_attention_heads=(5, 10, 20, 20))
    unet.parallel_plan = FramePlan({"sample": 1})
    controlnet = ControlNetSVDModel(num_attention_heads=(5, 10, 20, 20))
    pictures = [Picture(latents=_empty(1, 4, 72, 128), embedding=_empty(1, 1, 1024))] * 3
    steered = SteeredUnet(unet, controlnet, _empty(1, 3))
    depth = _empty(1, 25, 3, 576, 1024)
    return {"unet": unet, "controlnet": controlnet}, lambda: steered.velocity(
        _empty(3, 25, 4, 72, 128), _empty(), pictures, depth, 1.0
    )


FULL = {
    "GEN3C, 121 frames of 1280 x 704": _gen3c,
    "DimensionX, 49 frames of 720 x 480, both of guidance": _dimensionx,
    "DualCamCtrl, 81 frames of 832 x 480": _dualcamctrl,
    "GenXD, 20 views of 256 x 256, both of guidance": _genxd,
    "I2V3D, 25 frames of 1024 x 576, three rows": _i2v3d,
}


SMALL: dict[str, Callable[[], Called]] = {
    "GEN3C, 2 heads": lambda: _gen3c(3, 4, 6, **_GEN3C, num_attention_heads=2),
    "GEN3C, 3 heads": lambda: _gen3c(3, 6, 6, **_GEN3C, num_attention_heads=3),
    "GenXD": lambda: _genxd(5, 16, 2, **TINY_UNET),
}
"""Small enough for two CPU processes; cover exchanged heads, gathered keys, and frames exchanged for pixels."""
_GEN3C = {"attention_head_dim": 32, "num_layers": 2, "text_embed_dim": 32, "adaln_lora_dim": 16}


def of_full_size(make: Callable[[], Called], ranks: int) -> int:
    """Bytes that the first process sends per call, in bfloat16."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"), torch.no_grad():
            networks, call = make()
            for network in networks.values():
                network.to(device="meta", dtype=torch.bfloat16)
            with count_by_shapes(networks, ranks) as sent:
                call()
    finally:
        torch.set_default_dtype(torch.float32)
    return sum(sent)


def count_on_gloo(folder: Path, ranks: int = 2) -> dict[str, int]:
    """Bytes that the first of ``ranks`` processes sends in the calls of `SMALL`, on Gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_count, args=(ranks, port, str(folder)), nprocs=ranks, start_method="spawn")
    return json.loads((folder / "0.json").read_text())


def _count(rank: int, ranks: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    join(f"127.0.0.1:{port}", rank, ranks, gpu=rank)
    sent = {}
    for name, make in SMALL.items():
        networks, call = make()
        with torch.no_grad(), split(networks, Group.ours()):
            call()  # the first call splits the network
            with SentBytesCounter(rank, ranks) as counter:
                call()
        sent[name] = counter.sent
    (Path(folder) / f"{rank}.json").write_text(json.dumps(sent))
    dist.barrier()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads may outlive the group and abort a normal exit


@long_subject
def context_parallel(scale: Scale) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        counted = count_on_gloo(Path(folder))
    for name, make in SMALL.items():
        networks, call = make()
        with torch.no_grad(), count_by_shapes(networks, 2) as sent:
            start = time.perf_counter()
            call()
        words = f"{sum(sent)} bytes by shapes, {counted[name]} on Gloo"
        rows.append(Row(f"shared shot: {name}", 1e3 * (time.perf_counter() - start), None, agreement=words,
                        target="the same", met=sum(sent) == counted[name]))  # fmt: skip
    for name, make in FULL.items():
        start = time.perf_counter()
        gigabytes = [of_full_size(make, ranks) / 1e9 for ranks in (2, 4, 8)]
        words = ", ".join(f"{each:.2f} GB of {ranks} GPUs" for each, ranks in zip(gigabytes, (2, 4, 8)))
        rows.append(Row(f"sent per call, {name}", 1e3 * (time.perf_counter() - start), None, agreement=words))
    return rows
