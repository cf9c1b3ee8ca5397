"""Frame interpolation with RIFE."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.method import Frames
from pipelines.methods.dimensionx.method import checkpoint
from pipelines.methods.dimensionx.postprocess.rife import MULTIPLE, FlowNet
from pipelines.weights.checkpoints import fill_randomly, load_strict, read_state
from pipelines.weights.hub import Weights

CUT, SAME = 0.2, 0.996
"""Similarity (SSIM of thumbnails) below which two frames are a cut, and above which upstream treats them as equal."""
_WINDOW, _SIGMA = 11, 1.5


def load_flow_net(weights: Weights) -> FlowNet:
    """The released network, or random numbers for tiny and random weights (it is small)."""

    def load() -> FlowNet:
        network = FlowNet()
        if weights.mode != "real":
            return fill_randomly(network, seed=weights.seed, dtype=torch.float32)
        released = checkpoint("rife")
        state = read_state(weights.files(released)["flownet.pkl"])
        load_strict(network, state, [(r"^module\.", "")], source=released.repo, dtype=torch.float32)
        return network

    return weights.shared(("FlowNet", checkpoint("rife").repo), load)


def interpolate_frames(network: FlowNet, frames: Frames, *, times: int) -> Iterator[Frames]:
    """``times`` (2 or 4) as many frames per second: (F,H,W,3) to (F-1)*times+1 frames, pair by pair.

    Yields (times,H,W,3) for every pair and last the final frame (1,H,W,3). A cut is not blended: the frame before it
    is repeated.
    """
    for first, second in pairwise(frames):
        a, b = _tensor(first, network), _tensor(second, network)
        yield np.concatenate([first[None], *(_bytes(frame) for frame in _between(network, a, b, times))])
    yield frames[-1:]


def double_as_upstream(network: FlowNet, frames: Tensor) -> Tensor:
    """(F,3,H,W) in 0..1 to (2F,3,H,W) exactly as upstream's demo, including its flaws.

    The last two frames are both paired with the last; near-identical frames are replaced by the network's output for one of
    them; frames padded to a multiple of 32 are resized back instead of cropped, which leaves a black strip.
    """
    size = frames.shape[-2:]
    made = []
    for number in range(len(frames)):
        partner = frames[number + 1 : number + 2] if number + 2 < len(frames) else frames[-1:]
        previous = a = _pad(frames[number : number + 1])
        b = _pad(partner)
        likeness = thumbnail_similarity(a, b)
        if likeness > SAME:
            previous = b = network(a, a)
            likeness = thumbnail_similarity(a, b)
        middle = a if likeness < CUT else network(a, b)
        made += [F.interpolate(frame, size=size) for frame in (previous, middle)]
    return torch.cat(made)


def thumbnail_similarity(a: Tensor, b: Tensor) -> float:
    """SSIM of two pictures (1,3,H,W) in 0..1 shrunk to 32 x 32, over space and colour together (11^3 Gaussian window)."""
    a, b = (F.interpolate(x, (32, 32), mode="bilinear", align_corners=False)[:, None] for x in (a, b))
    line = torch.exp(-((torch.arange(_WINDOW, device=a.device) - _WINDOW // 2) ** 2) / (2 * _SIGMA**2))
    line = line / line.sum()
    window = (line[:, None, None] * line[:, None] * line)[None, None]

    def blurred(x: Tensor) -> Tensor:
        return F.conv3d(F.pad(x, (_WINDOW // 2,) * 6, mode="replicate"), window)

    mean_a, mean_b = blurred(a), blurred(b)
    variance_a, variance_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    together = blurred(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return float((light * (2 * together + 0.03**2) / (variance_a + variance_b + 0.03**2)).mean())


@torch.no_grad()
def _between(network: FlowNet, a: Tensor, b: Tensor, times: int) -> list[Tensor]:
    """The times-1 frames between two: the middle, then the middles of the halves; repeats ``a`` at a cut."""
    if times == 1:
        return []
    height, width = a.shape[-2:]
    padded_a, padded_b = _pad(a), _pad(b)
    if thumbnail_similarity(padded_a, padded_b) < CUT:
        return [a] * (times - 1)
    middle = network(padded_a, padded_b)[..., :height, :width]
    return [*_between(network, a, middle, times // 2), middle, *_between(network, middle, b, times // 2)]


def _pad(frame: Tensor) -> Tensor:
    """Pad with black on the right and at the bottom, to the next multiple of 32."""
    height, width = frame.shape[-2:]
    return F.pad(frame, (0, -width % MULTIPLE, 0, -height % MULTIPLE))


def _tensor(frame: np.ndarray, network: FlowNet) -> Tensor:
    device = next(network.parameters()).device
    return torch.from_numpy(np.array(frame)).to(device).permute(2, 0, 1)[None].float() / 255


def _bytes(frame: Tensor) -> Frames:
    return (frame.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
